"""A drive: a camera sends 300 frames at 30 Hz, the node labels and learns, a listener records.

Camera, node and listener are processes of their own. Every mask must be, byte for byte, what
das3.Segmenter gives with the network that was in use.
"""

import pickle
import signal
import sys
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, NamedTuple

import das3
import das3.segmenter
import numpy as np
from frames import draw_overlay
from PIL import Image as Picture
from processes import SHARED, STREET, Program

COUNT, RATE, TOPIC = 300, 30, "/camera/image_raw"


class Drive(NamedTuple):
    """What came of it; images by their stamps, with the time of their receipt."""

    sent: dict[tuple[int, int], str]
    masks: dict[tuple[int, int], tuple[float, Any]]
    confidences: dict[tuple[int, int], tuple[float, Any]]
    overlays: dict[tuple[int, int], tuple[float, Any]]
    diagnoses: list[tuple[float, dict[str, str]]]  # time, values


def by_stamp(messages: list[tuple[float, Any]]) -> dict[tuple[int, int], tuple[float, Any]]:
    return {(image.sec, image.nanosec): (seconds, image) for seconds, image in messages}


def drive(model: Path, frames: Path, checkpoint: Path, *arguments: object) -> Drive:
    """Ends the node while images still come, so that what it saves is what it labelled with."""
    record, sent = checkpoint.with_name("record"), checkpoint.with_name("sent")
    to = "--topic", TOPIC
    with Program("listener.py", "--output", record) as listener:
        listener.wait_until_says("listens")
        command = "--model", model, *to, "--checkpoint", checkpoint, "--diagnostics-period", 0.25
        with Program("node.py", *command, *arguments) as node:
            node.wait_until_says("waits for")
            count = COUNT + 2 * RATE
            camera = "--frames", frames, *to, "--rate", RATE, "--count", count, "--sent", sent
            with Program("camera.py", *camera) as program:
                program.wait_until_says("begins")
                time.sleep((COUNT + RATE / 2) / RATE)
                assert program.is_running, program.output
                assert node.end(signal.SIGINT) == 0, node.output
                assert program.wait() == 0, program.output
            assert "refused" not in node.output, node.output
        assert listener.end() == 0, listener.output
    with record.open("rb") as file:
        found = pickle.load(file)
    lines = [line.split() for line in sent.read_text().splitlines()]
    masks, confidences, overlays = (
        found[f"/segmentation/{name}"] for name in ("mask", "confidence", "overlay")
    )
    times = [(image.sec, image.nanosec) for _, image in masks]
    assert times == sorted(set(times)), "masks come twice, or not in order"
    assert len(found["/segmentation/label_info"]) == 1
    diagnoses = []
    for _, array in found["/diagnostics"]:
        stamp = array.header.stamp
        values = {entry.key: entry.value for entry in array.status[0].values}
        diagnoses.append((stamp.sec + stamp.nanosec / 1e9, values))
    return Drive(
        {(int(sec), int(nanosec)): name for sec, nanosec, name in lines},
        by_stamp(masks),
        by_stamp(confidences),
        by_stamp(overlays),
        diagnoses,
    )


class Drives(unittest.TestCase):
    def test_street(self) -> None:
        """The street at night, which the network has not seen; the camera moves."""
        with tempfile.TemporaryDirectory() as folder:
            frames = Path(folder) / "frames"
            frames.mkdir()
            paths = sorted((STREET / "frames").glob("*.png"))
            pictures = [np.asarray(Picture.open(path).convert("RGB")) // 3 for path in paths]
            for index in range(COUNT):
                moved = np.roll(pictures[index // 4 % len(pictures)], 5 * index, axis=1)
                Picture.fromarray(moved).save(frames / f"{index:04}.png", compress_level=1)
            self._check("street.onnx", STREET / "street.onnx", frames, 240, 320)

    @unittest.skipUnless((SHARED / "camvid").is_dir(), "no ../shared/camvid beside the checkout")
    def test_camvid(self) -> None:
        model = SHARED / "models" / "espnetv2_s0.5_dynamic.onnx"
        self._check("espnetv2_s0.5 on CamVid", model, SHARED / "camvid" / "train", 176, 240)

    def _check(self, name: str, model: Path, frames: Path, height: int, width: int) -> None:
        size = "--height", height, "--width", width
        with tempfile.TemporaryDirectory() as folder:
            checkpoint = Path(folder) / "checkpoint"
            found = drive(model, frames, checkpoint, *size)
            self._check_messages(found)
            options = das3.segmenter.SegmenterOptions(height=height, width=width)
            with das3.Model(model) as source, das3.Online(source, segmenter=options) as online:
                self._check_overlay(found, frames, source)
                online.resume(checkpoint)
                with online.snapshot() as last:
                    segmenters = [das3.Segmenter(model, **options) for model in (source, last)]
                    source_count, last_count = self._check_bytes(found, frames, *segmenters)
        values = found.diagnoses[-1][1]
        counts = {key: int(values[f"frames_{key}"]) for key in ("received", "labelled", "dropped")}
        # A frame may wait in the slot when the node ends.
        waiting = counts["received"] - counts["labelled"] - counts["dropped"]
        self.assertIn(waiting, (0, 1))
        self.assertGreater(int(values["steps"]), 0, "nothing was learned")
        latencies = [
            1e3 * (seconds - stamp[0] - stamp[1] / 1e9)
            for stamp, (seconds, _) in found.masks.items()
        ]
        median, p99 = np.percentile(latencies, (50, 99))
        print(
            f"\n{name}, {width}x{height}: {counts['received']} frames reached the node, "
            f"{counts['labelled']} labelled, {counts['dropped']} dropped for newer ones, "
            f"{len(found.masks)} masks heard\n"
            f"  latency from stamp to listener: median {median:.1f} ms, p99 {p99:.1f} ms\n"
            f"  learning: {values['steps']} steps, {values['accepted']} accepted, "
            f"{values['refused']} refused, {values['swaps']} swaps, weights: {values['weights']}\n"
            f"  masks compared: {source_count} with the source, {last_count} with what was saved; "
            f"{len(found.masks) - source_count - last_count} came between the swaps",
            file=sys.stderr,
        )

    def _check_messages(self, found: Drive) -> None:
        self.assertGreater(len(found.masks), 30, "hardly a frame was answered")
        self.assertGreater(len(found.diagnoses), 10)
        for results, encoding, size in (
            (found.masks, "mono8", 1),
            (found.confidences, "mono8", 1),
            (found.overlays, "rgb8", 3),
        ):
            self.assertGreater(len(results), len(found.masks) // 2)
            for stamp, (_, image) in results.items():
                self.assertTrue(stamp in found.sent, f"nothing was sent at {stamp}")
                self.assertEqual((image.frame_id, image.encoding), ("camera", encoding))
                self.assertEqual(image.step, image.width * size)
                self.assertEqual(image.data.size, image.step * image.height)
                self.assertFalse(image.is_bigendian)

    def _check_bytes(
        self, found: Drive, frames: Path, source: das3.Segmenter, last: das3.Segmenter
    ) -> tuple[int, int]:
        """Compares what came while it is known which network was in use; returns how many."""
        swaps = [(seconds, int(values["swaps"])) for seconds, values in found.diagnoses]
        margin = 0.02  # between a diagnosis and the time that it carries
        final = swaps[-1][1]
        until = max(seconds for seconds, count in swaps if count == 0) - margin
        since = min(seconds for seconds, count in swaps if count == final) + margin
        source_count = last_count = 0
        for stamp, (seconds, image) in found.masks.items():
            is_source = final == 0 or seconds < until
            if not is_source and stamp[0] + stamp[1] / 1e9 < since:
                continue
            segmenter = source if is_source else last
            pixels = np.asarray(Picture.open(frames / found.sent[stamp]).convert("RGB"))
            self.assertEqual((image.height, image.width), pixels.shape[:2])
            expected = segmenter.run(pixels, confidence=True)
            labels = image.data.reshape(expected.labels.shape)
            self.assertTrue((labels == expected.labels).all(), f"another mask at {stamp}")
            if stamp in found.confidences:
                confidence = found.confidences[stamp][1].data.reshape(labels.shape)
                self.assertTrue((confidence == expected.confidence).all(), f"confidence at {stamp}")
            source_count, last_count = source_count + is_source, last_count + (not is_source)
        self.assertGreater(source_count, 0, "no mask of the source was heard")
        return source_count, last_count

    def _check_overlay(self, found: Drive, frames: Path, model: das3.Model) -> None:
        stamp = next(stamp for stamp in found.overlays if stamp in found.masks)
        pixels = np.asarray(Picture.open(frames / found.sent[stamp]).convert("RGB"))
        labels = found.masks[stamp][1].data.reshape(pixels.shape[:2])
        drawn, colours = np.empty_like(pixels), np.zeros((256, 3), np.uint8)
        colours[: len(model.classes)] = [entry.colour for entry in model.classes]
        draw_overlay(pixels, das3.Format.RGB8, labels, colours, 0.5, drawn)
        overlay = found.overlays[stamp][1].data.reshape(pixels.shape)
        self.assertTrue((overlay == drawn).all(), f"another overlay at {stamp}")


if __name__ == "__main__":
    unittest.main()
