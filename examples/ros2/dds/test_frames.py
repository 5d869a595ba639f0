"""Frames, confidences, overlays and diagnostics, without a wire."""

import unittest
from types import SimpleNamespace
from typing import Any

import das3
import numpy as np
from cyclonedds.domain import DomainParticipant
from das3.ros import ENCODINGS, ImageReader
from frames import certainty, draw_overlay, margin
from health import ERROR, OK, WARN, Health, quantile
from messages import (
    Bytes,
    DiagnosticArray,
    Image,
    ImageView,
    ImageWriter,
    LabelInfo,
    image_view,
)
from processes import DOMAIN, HERE


def image(
    encoding: str, height: int, width: int, step: int, data: Bytes, big: int = 0
) -> ImageView:
    return ImageView(0, 0, "", height, width, encoding, bool(big), step, data)


def digest_of(data: bytes) -> int:
    """FNV-1a, 32 bits."""
    digest = 2166136261
    for byte in data:
        digest = (digest ^ byte) * 16777619 % 2**32
    return digest


class Wire(unittest.TestCase):
    """What messages.py reads and writes by itself, against the package's own (de)serialisation."""

    def test_names_are_those_of_ros_and_types_final_and_keyless(self) -> None:
        for kind, name in (
            (Image, "sensor_msgs::msg::dds_::Image_"),
            (LabelInfo, "vision_msgs::msg::dds_::LabelInfo_"),
            (DiagnosticArray, "diagnostic_msgs::msg::dds_::DiagnosticArray_"),
        ):
            idl: Any = kind.__idl__
            idl.populate()
            self.assertEqual(idl.idl_transformed_typename, name)
            self.assertEqual(kind.__idl_annotations__, {"extensibility": "final"})
            self.assertTrue(idl.keyless)

    def test_images(self) -> None:
        # An idle domain: only the bytes matter here.
        writer = ImageWriter(DomainParticipant(DOMAIN), "/image")
        for frame_id, encoding, count in (("camera", "mono8", 6), ("", "rgb8", 9), ("c", "x", 1)):
            room = writer.begin((7, 8), frame_id, 2, 3, encoding, step=5, count=count)
            room[:] = range(count)
            written = bytes(writer._sample)
            self.assertEqual(written[:4], b"\0\1\0\0")
            message = Image.deserialize(written)
            stamp = message.header.stamp
            self.assertEqual((stamp.sec, stamp.nanosec, message.header.frame_id), (7, 8, frame_id))
            self.assertEqual((message.height, message.width, message.step), (2, 3, 5))
            self.assertEqual((message.encoding, message.is_bigendian), (encoding, 0))
            self.assertEqual(list(message.data), list(range(count)))
            message.is_bigendian = 1
            view = image_view(message.serialize(use_version_2=False))
            self.assertEqual(view[:8], (7, 8, frame_id, 2, 3, encoding, True, 5))
            self.assertEqual(view.data.tolist(), list(range(count)))


class Frames(unittest.TestCase):
    def test_every_encoding_becomes_what_it_becomes_in_cpp(self) -> None:
        lines = (HERE.parent / "test" / "conversions.txt").read_text().splitlines()
        rows = [line.split() for line in lines if not line.startswith("#")]
        self.assertEqual({row[0] for row in rows}, set(ENCODINGS))
        reader = ImageReader()
        for encoding, *numbers in rows:
            width, height, step, big, format, digest = map(int, numbers)
            index = np.arange(step * height * 3 // 2 + step)
            data = ((31 * index * index + 7 * index + 3) % 256).astype(np.uint8)
            frame, found = reader.read(image(encoding, height, width, step, data, big))
            with self.subTest(encoding, is_bigendian=big):
                self.assertEqual(found, format)
                self.assertEqual(digest_of(np.ascontiguousarray(frame).tobytes()), digest)

    def test_own_formats_are_not_copied_and_others_share_a_buffer(self) -> None:
        data, reader = np.zeros(12 * 8 * 4, np.uint8), ImageReader()
        for name, encoding in ENCODINGS.items():
            frame, _ = reader.read(image(name, 4, 8, 40, data))
            again, _ = reader.read(image(name, 4, 8, 40, data))
            with self.subTest(name):
                self.assertEqual(np.shares_memory(frame, data), encoding.kind == "direct")
                self.assertTrue(np.shares_memory(frame, again))

    def test_refusals_say_what_was_found_and_expected(self) -> None:
        data = np.zeros(8 * 4 * 4, np.uint8)
        for encoding, height, width, step, size, message in (
            ("32FC1", 4, 8, 32, 128, f'"32FC1"; expected one of {", ".join(ENCODINGS)}'),
            ("rgb8", 4, 8, 23, 128, "step of 23 bytes; expected at least 24"),
            ("rgb8", 4, 8, 24, 95, "holds 95 bytes; expected at least 96"),
            ("nv12", 4, 8, 8, 47, "expected at least 48"),
            ("yuyv", 4, 7, 14, 128, "even width"),
            ("mono8", 4, 0, 8, 128, "from 1 to"),
            ("mono8", 1, 2**32 - 1, 2**32 - 1, 128, "from 1 to"),
            ("bayer_rggb8", 1, 1, 1, 128, "2x2"),
        ):
            with self.subTest(message), self.assertRaises(das3.ArgumentError) as caught:
                ImageReader().read(image(encoding, height, width, step, data[:size]))
            self.assertIn(message, str(caught.exception))


class Results(unittest.TestCase):
    def test_confidences(self) -> None:
        probabilities = np.array([[0.7, 0.2, 1, 0.5], [0.2, 0.3, 0, 0.5], [0.1, 0.5, 0, 0]])
        confidence = np.empty((1, 4), np.uint8)
        margin(probabilities.astype(np.float32).reshape(3, 1, 4), confidence)
        self.assertEqual(confidence.tolist(), [[128, 51, 255, 0]])
        certainty(np.array([[0, 1, 0.5, 0.25]], np.float32), confidence)
        self.assertEqual(confidence.tolist(), [[255, 0, 128, 191]])

    def test_overlay(self) -> None:
        colours = np.zeros((256, 3), np.uint8)
        colours[0] = 100, 0, 200
        labels = np.array([[0, 255]], np.uint8)
        rgb = np.array([[[10, 20, 30], [40, 50, 60]]], np.uint8)
        drawn = np.empty_like(rgb)
        for frame, format in ((rgb, das3.Format.RGB8), (rgb[..., ::-1], das3.Format.BGR8)):
            draw_overlay(frame, format, labels, colours, 0.5, drawn)
            self.assertEqual(drawn.tolist(), [[[55, 10, 115], [20, 25, 30]]])
        yuyv, nv12 = [[[16, 128], [235, 128]]], [[16, 235], [128, 128]]
        for pixels, format in ((yuyv, das3.Format.YUYV), (nv12, das3.Format.NV12)):
            draw_overlay(np.array(pixels, np.uint8), format, labels, colours, 0, drawn)
            self.assertEqual(drawn.tolist(), [[[0, 0, 0], [255, 255, 255]]])


def report(**values: Any) -> Any:
    """Of an Online that has learned a little."""
    zeros = dict.fromkeys(das3.OnlineReport._fields, 0)
    return SimpleNamespace(**{**zeros, "origin": das3.GuardOrigin.B, "total_step": 7, **values})


class Diagnoses(unittest.TestCase):
    def test_quantiles_are_of_nearest_rank(self) -> None:
        values = [float(value) for value in range(1, 101)]
        self.assertEqual([quantile(values, share) for share in (0.5, 0.99, 1)], [50, 99, 100])
        self.assertEqual(quantile([], 0.5), 0)

    def test_levels_and_values(self) -> None:
        health, begin = Health(), 10.0
        self.assertEqual(health.diagnose(report(), begin).level, WARN)  # no frame yet
        for _ in range(20):
            health.received()
            health.labelled("rgb8", 8)
        level, message, values = health.diagnose(report(held_count=2, rolled_back_count=1), 12.0)
        self.assertEqual((level, message), (OK, "labels 10.0 frames a second"))
        expected = {"rate_hz": "10.00", "latency_p99_ms": "8.00", "frames_labelled": "20"}
        expected |= {"encoding": "rgb8", "learning": "on", "weights": "stage b", "refused": "3"}
        self.assertEqual({key: values[key] for key in expected}, expected)
        health.received()
        health.dropped()
        self.assertIn("dropped", health.diagnose(report(), 13.0).message)
        health.received()
        ended = health.diagnose(report(status=das3.Status.MEMORY), 14.0)
        self.assertEqual(ended.message, "learning has ended: DAS3_E_MEMORY")
        health.received()
        health.refused("a frame of 7x4 yuyv")
        self.assertEqual(health.diagnose(report(), 15.0)[:2], (ERROR, "a frame of 7x4 yuyv"))


if __name__ == "__main__":
    unittest.main()
