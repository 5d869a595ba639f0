"""The node in a process of its own: every encoding, any order of beginning, every end."""

import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Optional

import das3
import numpy as np
from camera import send, wait_for_listeners
from cyclonedds.domain import DomainParticipant
from das3.ros import ENCODINGS
from messages import (
    DEFAULT_QOS,
    LATCHED_QOS,
    SENSOR_QOS,
    Bytes,
    DiagnosticArray,
    Image,
    ImageView,
    ImageWriter,
    LabelInfo,
    reader_of,
    take,
    take_images,
)
from PIL import Image as Picture
from processes import DOMAIN, STREET, Program

MODEL = STREET / "street.onnx"
TOPIC = "/camera/image_raw"
HEIGHT, WIDTH = SIZE = 120, 160


def node(*arguments: object) -> Program:
    return Program("node.py", "--model", MODEL, "--topic", TOPIC, *arguments)


def wait_for(get: Any, seconds: float = 20) -> Any:
    """What a function gives as soon as that is true; None if it never is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := get():
            return found
        time.sleep(0.01)
    return None


class Robot:
    """A camera and a costmap: what is around a node."""

    def __init__(self) -> None:
        self.participant = DomainParticipant(DOMAIN)
        self.camera = ImageWriter(self.participant, TOPIC, SENSOR_QOS)
        self.results = {
            name: reader_of(self.participant, f"/segmentation/{name}", Image, SENSOR_QOS)
            for name in ("mask", "confidence", "overlay")
        }
        self.diagnostics = reader_of(self.participant, "/diagnostics", DiagnosticArray, DEFAULT_QOS)

    def answer(self, rows: Bytes, encoding: str, name: str = "mask") -> Optional[ImageView]:
        """Sends a picture until its mask comes; what is best effort may get lost."""
        wait_for_listeners(self.camera, 20)
        for _ in range(20):
            stamp = send(self.camera, rows, encoding, SIZE)
            found = wait_for(lambda: self._with_stamp(stamp, name), 1)  # noqa: B023
            if found is not None:
                return found  # type: ignore[no-any-return]
        return None

    def _with_stamp(self, stamp: tuple[int, int], name: str) -> Optional[ImageView]:
        for image in take_images(self.results[name]):
            if (image.sec, image.nanosec) == stamp:
                return image
        return None

    def labels(self, rows: Bytes, encoding: str) -> Bytes:
        found = self.answer(rows, encoding)
        if found is None:
            raise AssertionError(f"no mask of a frame in {encoding}")
        assert (found.height, found.width, found.encoding) == (HEIGHT, WIDTH, "mono8"), found
        assert (found.frame_id, found.step, found.is_bigendian) == ("camera", WIDTH, False), found
        return found.data.reshape(HEIGHT, WIDTH)


def picture() -> Bytes:
    rgb = np.asarray(Picture.open(STREET / "frames" / "street1.png").convert("RGB"))
    return np.ascontiguousarray(rgb[::2, ::2])


def padded(rows: Any) -> Bytes:
    """Rows of bytes with 6 bytes behind each, which the step must skip."""
    rows = np.asarray(rows, np.uint8)
    wide: Bytes = np.pad(rows.reshape(len(rows), -1), ((0, 0), (0, 6)), constant_values=77)
    return wide


def yuv_of(rgb: Bytes) -> tuple[Any, Any, Any]:
    """BT.601, video range; U and V have half the columns."""
    red, green, blue = np.moveaxis(rgb.astype(float), 2, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    u, v = 128 + (blue - luma) * 224 / 255 / 1.772, 128 + (red - luma) * 224 / 255 / 1.402
    halves = [(plane[:, ::2] + plane[:, 1::2]) / 2 for plane in (u, v)]
    y, u, v = (np.rint(np.clip(plane, 0, 255)) for plane in (16 + luma * 219 / 255, *halves))
    return y, u, v


def rgb_of(y: Any, u: Any, v: Any) -> Bytes:
    u, v = (np.repeat(plane, 2, axis=1) - 128 for plane in (u, v))
    luma = (y - 16) * 255 / 219
    red, blue = luma + 1.402 * 255 / 224 * v, luma + 1.772 * 255 / 224 * u
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    rgb: Bytes = np.rint(np.clip(np.stack((red, green, blue), 2), 0, 255)).astype(np.uint8)
    return rgb


def mosaic_of(rgb: Bytes, pattern: str) -> Bytes:
    """The one colour of each pixel that a sensor with that pattern sees."""
    channels = np.array(["rgb".index(letter) for letter in pattern]).reshape(2, 2)
    tiled = np.tile(channels, (HEIGHT // 2, WIDTH // 2))
    return np.take_along_axis(rgb, tiled[:, :, None], 2)[:, :, 0]


def demosaiced(mosaic: Bytes, pattern: str) -> Bytes:
    """Pixel by pixel: each colour is the mean of the nearest pixels that have it."""
    rgb = np.empty((*mosaic.shape, 3), np.uint8)
    wide = np.pad(mosaic, 1, mode="reflect").astype(int)
    for y, x, c in np.ndindex(rgb.shape):
        distances: dict[int, list[int]] = {}
        for dy, dx in np.ndindex(3, 3):
            if pattern[2 * ((y + dy + 1) % 2) + (x + dx + 1) % 2] == "rgb"[c]:
                distance = (dy - 1) ** 2 + (dx - 1) ** 2
                distances.setdefault(distance, []).append(int(wide[y + dy, x + dx]))
        near = distances[min(distances)]
        rgb[y, x, c] = (sum(near) + len(near) // 2) // len(near)
    return rgb


class Encodings(unittest.TestCase):
    def test_every_encoding_has_the_labels_of_the_same_pixels_as_rgb8(self) -> None:
        rgb = picture()
        alpha = np.full((HEIGHT, WIDTH, 1), 9, np.uint8)
        gray = rgb.mean(axis=2).astype(np.uint8)
        low = np.full_like(gray, 200)
        little = np.stack((low, gray), axis=2)
        y, u, v = yuv_of(rgb)
        pairs = np.stack((u, v), axis=2).reshape(HEIGHT, WIDTH)
        yuyv = np.stack((y, pairs), axis=2)
        quarter = [np.rint(p.reshape(HEIGHT // 2, 2, -1).mean(axis=1)) for p in (u, v)]
        nv12 = np.vstack((y, np.stack(quarter, axis=2).reshape(HEIGHT // 2, WIDTH)))
        nv21 = np.vstack((y, np.stack(quarter[::-1], axis=2).reshape(HEIGHT // 2, WIDTH)))
        of_yuyv, of_nv12 = rgb_of(y, u, v), rgb_of(y, *(np.repeat(p, 2, axis=0) for p in quarter))
        of_gray = np.repeat(gray[:, :, None], 3, axis=2)
        # Encoding: its rows, the same pixels as RGB, share of labels that rounding may change.
        cases: dict[str, tuple[Any, Bytes, float]] = {
            "rgb8": (rgb, rgb, 0),
            "bgr8": (rgb[..., ::-1], rgb, 0),
            "rgba8": (np.dstack((rgb, alpha)), rgb, 0),
            "bgra8": (np.dstack((rgb[..., ::-1], alpha)), rgb, 0),
            "mono8": (gray, of_gray, 0),
            "mono16": (little, of_gray, 0),
            "yuyv": (yuyv, of_yuyv, 0.02),
            "yuv422_yuy2": (yuyv, of_yuyv, 0.02),
            "uyvy": (yuyv[..., ::-1], of_yuyv, 0.02),
            "yuv422": (yuyv[..., ::-1], of_yuyv, 0.02),
            "nv12": (nv12, of_nv12, 0.02),
            "nv21": (nv21, of_nv12, 0.02),
        }
        for pattern in ("rggb", "bggr", "gbrg", "grbg"):
            mosaic = mosaic_of(rgb, pattern)
            expected = demosaiced(mosaic, pattern)
            cases[f"bayer_{pattern}8"] = mosaic, expected, 0
            cases[f"bayer_{pattern}16"] = np.stack((low, mosaic), axis=2), expected, 0
        self.assertEqual(set(cases), set(ENCODINGS))

        robot, shares = Robot(), []
        with das3.Model(MODEL) as model, das3.Segmenter(model) as segmenter, node("--no-learn"):
            for encoding, (rows, same, allowed) in cases.items():
                found = robot.labels(padded(rows), encoding)
                share = float((found != segmenter.run(same).labels).mean())
                shares.append(f"{encoding} {share:.2%}")
                with self.subTest(encoding):
                    self.assertLessEqual(share, allowed)
        print(f"\nlabels unlike those of rgb8: {', '.join(shares)}", file=sys.stderr)


class Lives(unittest.TestCase):
    def test_node_first_then_camera_and_listeners(self) -> None:
        with node("--no-learn") as program:
            program.wait_until_says("waits for")
            robot = Robot()
            self.assertIsNotNone(robot.answer(picture(), "rgb8"))
            latched = reader_of(
                robot.participant, "/segmentation/label_info", LabelInfo, LATCHED_QOS
            )
            info = wait_for(lambda: take(latched))
            self.assertIsNotNone(info, "a late listener has not got label_info")
            names = {entry.class_id: entry.class_name for entry in info[0].class_map}
            with das3.Model(MODEL) as model:
                self.assertEqual(names, dict(enumerate(c.name for c in model.classes)))

    def test_camera_first_then_node(self) -> None:
        robot = Robot()
        for _ in range(10):
            send(robot.camera, picture(), "rgb8", SIZE)  # nobody hears these
        with node("--no-learn", "--confidence", "margin"):
            for name in ("mask", "confidence", "overlay"):
                found = robot.answer(picture(), "rgb8", name)
                assert found is not None, name
                self.assertEqual(found.encoding, "rgb8" if name == "overlay" else "mono8")
                self.assertEqual(found.data.size, (3 if name == "overlay" else 1) * HEIGHT * WIDTH)

    def test_sigint_and_sigterm_end_it_and_save(self) -> None:
        robot = Robot()
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "checkpoint"
            for number in (
                signal.SIGINT,
                signal.SIGTERM,
            ):  # the second resumes what the first saved
                with node("--checkpoint", checkpoint) as program:
                    self.assertIsNotNone(robot.answer(picture(), "rgb8"))
                    for _ in range(5):
                        send(robot.camera, picture(), "rgb8", SIZE)
                    self.assertEqual(program.end(number), 0, program.output)
                    self.assertNotIn("Traceback", program.output)
                    self.assertTrue(checkpoint.exists())
            checkpoint.write_bytes(b"no checkpoint")
            with node("--checkpoint", checkpoint) as program:
                self.assertEqual(program.wait(), 1)
                self.assertIn("remove the checkpoint", program.output)

    def test_an_unknown_encoding_is_refused_and_the_node_goes_on(self) -> None:
        robot = Robot()
        with node("--no-learn", "--diagnostics-period", "0.2") as program:
            self.assertIsNotNone(robot.answer(picture(), "rgb8"))
            send(robot.camera, picture(), "32FC1", SIZE)
            expected = f'the encoding is "32FC1"; expected one of {", ".join(ENCODINGS)}'
            program.wait_until_says(f"an image is refused: {expected}")

            def refusal() -> list[Any]:
                statuses = [array.status[0] for array in take(robot.diagnostics)]
                return [status for status in statuses if status.level == 2]

            found = wait_for(refusal)
            self.assertIsNotNone(found, "no diagnosis of level ERROR")
            self.assertEqual(found[0].message, expected)
            self.assertEqual(found[0].name, "das3_segmentation: segmentation")
            self.assertIsNotNone(robot.answer(picture(), "bgr8"))
            self.assertTrue(program.is_running)

    def test_what_cannot_start_says_why(self) -> None:
        for arguments, code, message in (
            (("--model", "missing.onnx"), 1, "missing.onnx"),
            (("--topic", "image"), 1, "expected an absolute name"),
            (("--confidence", "best"), 2, "maximum"),
            (("--budget", "2"), 2, "expected a number from 0 to 1"),
        ):
            with self.subTest(message), node(*arguments) as program:
                self.assertEqual(program.wait(), code)
                self.assertIn(message, program.output)
                self.assertNotIn("Traceback", program.output)


if __name__ == "__main__":
    unittest.main()
