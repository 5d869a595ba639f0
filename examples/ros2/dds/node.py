"""The network on a ROS 2 robot, without ROS: images in, labels out, over Eclipse Cyclone DDS.

    node.py --model network.onnx --topic /camera/image_raw

Topics, parameters and diagnostics are those of the node in C++; ../README.md has the table. Ctrl-C
or SIGTERM ends it after the frame that it labels, and saves what was learned to --checkpoint.
"""

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Generic, NamedTuple, Optional, TypeVar

import das3
import das3.segmenter
import numpy as np
from cyclonedds.core import (
    DDSException,
    InstanceState,
    ReadCondition,
    SampleState,
    ViewState,
    WaitSet,
)
from cyclonedds.domain import DomainParticipant
from cyclonedds.util import duration
from das3.ros import ImageReader
from frames import certainty, draw_overlay, margin
from health import Health
from messages import (
    DEFAULT_QOS,
    LATCHED_QOS,
    SENSOR_QOS,
    Bytes,
    DiagnosticArray,
    DiagnosticStatus,
    Header,
    Image,
    ImageView,
    ImageWriter,
    KeyValue,
    LabelInfo,
    Time,
    VisionClass,
    image_view,
    is_heard,
    reader_of,
    take_samples,
    writer_of,
)

NAME = "das3_segmentation"
T = TypeVar("T")


class Slot(Generic[T]):
    """The newest value of one thread in, the same value in another out: keep last 1."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: Optional[T] = None
        self._is_closed = False

    def put(self, value: T) -> bool:
        """Never waits; returns whether a value was there that nobody has taken: it is lost."""
        with self._changed:
            replaces, self._value = self._value is not None, value
            self._changed.notify()
            return replaces

    def take(self) -> Optional[T]:
        """Waits for a value; None once the slot is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._value is not None or self._is_closed)
            value, self._value = self._value, None
            return None if self._is_closed else value

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


class Arrival(NamedTuple):
    sample: bytes  # of an image
    seconds: float  # of time.monotonic()


class Labeller:
    """Frames in, masks and confidences out, and a network that learns meanwhile."""

    def __init__(self, options: argparse.Namespace) -> None:
        if not options.model:
            raise ValueError("the parameter model is empty; expected the path of an ONNX file")
        preset = {"class_preset": options.class_preset} if options.class_preset else {}
        self.model = das3.Model(options.model, **preset)
        budget = {} if options.budget is None else {"budget": options.budget}
        labelling = das3.segmenter.SegmenterOptions(
            threads=options.threads, height=options.height, width=options.width
        )
        self.online = das3.Online(self.model, segmenter=labelling, **budget)
        self._confidence, self._checkpoint = options.confidence, options.checkpoint
        if self._checkpoint and Path(self._checkpoint).exists():
            try:
                self.online.resume(self._checkpoint)
            except das3.Das3Error as error:
                again = "remove the checkpoint to begin again with the model"
                raise ValueError(f"{error}; {again}") from error
        if not options.learn:
            self.online.pause()

    def label(
        self, frame: Bytes, format: das3.Format, mask: Bytes, confidence: Optional[Bytes]
    ) -> None:
        """Labels a frame; both results have one byte for each of its pixels."""
        if confidence is None:
            self.online.run(frame, format=format, labels=mask)
        elif self._confidence == "maximum":
            self.online.run(frame, format=format, labels=mask, confidence=confidence)
        elif self._confidence == "margin":
            result = self.online.run(frame, format=format, labels=mask, probabilities=True)
            margin(result.probabilities, confidence)
        else:
            result = self.online.run(frame, format=format, labels=mask, entropy=True)
            certainty(result.entropy, confidence)

    def save(self) -> None:
        if self._checkpoint and self.online.report.frame_count:
            self.online.save(self._checkpoint)


class SegmentationNode:
    """Receives and diagnoses on one thread; another one labels the newest image."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.labeller = Labeller(options)
        self.health = Health()
        self.is_ending = False
        self._reader, self._slot = ImageReader(), Slot[Arrival]()
        self._colours = np.zeros((256, 3), np.uint8)
        classes = self.labeller.model.classes
        self._colours[: len(classes)] = [entry.colour for entry in classes]
        self._said: dict[str, float] = {}

        participant = DomainParticipant(options.domain)
        within = options.namespace.rstrip("/")
        self._images = reader_of(participant, options.topic, Image, SENSOR_QOS)
        self._mask = ImageWriter(participant, f"{within}/segmentation/mask")
        self._confidence = ImageWriter(participant, f"{within}/segmentation/confidence")
        self._overlay = ImageWriter(participant, f"{within}/segmentation/overlay")
        self._label_info = writer_of(
            participant, f"{within}/segmentation/label_info", LabelInfo, LATCHED_QOS
        )
        self._diagnostics = writer_of(participant, "/diagnostics", DiagnosticArray, DEFAULT_QOS)
        # Threshold 0: every pixel has the label of its best class.
        entries = [VisionClass(id, entry.name) for id, entry in enumerate(classes)]
        self._label_info.write(LabelInfo(header_now(), entries, 0.0))

    def run(self) -> None:
        """Labels until `is_ending`; then saves what was learned."""
        fresh = ViewState.Any | InstanceState.Any | SampleState.NotRead
        waiting = WaitSet(self._images.participant)
        waiting.attach(ReadCondition(self._images, fresh))
        worker = threading.Thread(target=self._label_images, name="labels")
        worker.start()
        period = self.options.diagnostics_period
        due = time.monotonic() + period
        try:
            while not self.is_ending:
                waiting.wait(duration(milliseconds=50))  # signals are handled in between
                for sample in take_samples(self._images):
                    self.health.received()
                    if self._slot.put(Arrival(sample, time.monotonic())):
                        self.health.dropped()
                if time.monotonic() >= due:
                    due = max(due + period, time.monotonic())
                    self._publish_diagnostics()
        finally:
            self._slot.close()
            worker.join()
        self._publish_diagnostics()
        self.labeller.save()

    def _label_images(self) -> None:
        try:
            while (arrival := self._slot.take()) is not None:
                try:
                    self._label(arrival)
                except (ValueError, das3.Das3Error, DDSException, MemoryError) as error:
                    self.health.refused(str(error))
                    self._say(f"an image is refused: {error}")
        finally:
            self.is_ending = True  # a node whose labels have ended must not seem to work

    def _label(self, arrival: Arrival) -> None:
        image = image_view(arrival.sample)
        frame, format = self._reader.read(image)
        mask = _like(self._mask, image, "mono8")
        hears_confidence = is_heard(self._confidence.writer)
        confidence = _like(self._confidence, image, "mono8") if hears_confidence else None
        self.labeller.label(frame, format, mask, confidence)
        self._mask.publish()
        if confidence is not None:
            self._confidence.publish()
        if is_heard(self._overlay.writer):
            rgb = _like(self._overlay, image, "rgb8")
            opacity = self.options.overlay_opacity
            draw_overlay(frame, format, mask, self._colours, opacity, rgb)
            self._overlay.publish()
        self.health.labelled(image.encoding, 1e3 * (time.monotonic() - arrival.seconds))

    def _publish_diagnostics(self) -> None:
        diagnosis = self.health.diagnose(self.labeller.online.report)
        values = [KeyValue(key, value) for key, value in diagnosis.values.items()]
        name, model = f"{NAME}: segmentation", str(self.options.model)
        status = DiagnosticStatus(diagnosis.level, name, diagnosis.message, model, values)
        try:
            self._diagnostics.write(DiagnosticArray(header_now(), [status]))
        except DDSException as error:
            self._say(f"diagnostics are not published: {error}")

    def _say(self, message: str) -> None:
        """Each message at most once in five seconds."""
        now = time.monotonic()
        if now - self._said.get(message, -np.inf) >= 5:
            self._said = {message: now}
            print(f"{NAME}: {message}", file=sys.stderr, flush=True)


def _like(writer: ImageWriter, image: ImageView, encoding: str) -> Bytes:
    """Begins an image with the header and the size of another one; returns its pixels."""
    size = 3 if encoding == "rgb8" else 1
    height, width = image.height, image.width
    pixels = writer.begin(
        (image.sec, image.nanosec),
        image.frame_id,
        height,
        width,
        encoding,
        step=width * size,
        count=height * width * size,
    )
    return pixels.reshape((height, width, 3) if size == 3 else (height, width))


def header_now() -> Header:
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return Header(Time(seconds, nanoseconds), "")


def _number(kind: Any, low: float, high: float) -> Any:
    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r}; expected a number from {low} to {high}")
        return value

    return parse


def parser() -> argparse.ArgumentParser:
    """The parameters of the node in C++, and what ROS would say by other means."""
    description, _, _ = (__doc__ or "").partition("\n")
    result = argparse.ArgumentParser(description=description)
    add = result.add_argument
    add("--model", required=True, help="path of the ONNX file of the network")
    add("--class-preset", default="", help="class names where the file has none")
    add("--threads", type=_number(int, 0, 256), default=0, help="that label; 0 = all processors")
    add("--height", type=_number(int, 0, 8192), default=0, help="rows that the network works on")
    add("--width", type=_number(int, 0, 8192), default=0, help="columns that it works on")
    add("--confidence", choices=("maximum", "margin", "entropy"), default="maximum")
    add("--overlay-opacity", type=_number(float, 0, 1), default=0.5, help="of the colours")
    add("--learn", action=argparse.BooleanOptionalAction, default=True)
    add("--budget", type=_number(float, 0, 1), help="share of a processor that learning may use")
    add("--checkpoint", default="", help="file that keeps what was learned")
    add("--diagnostics-period", type=_number(float, 0.1, 60), default=1.0, help="in seconds")
    ros = result.add_argument_group("what launch files and the environment say in ROS")
    ros.add_argument("--topic", default=f"/{NAME}/image", help="of the images: ~/image, remapped")
    ros.add_argument("--namespace", default="", help="such as /front, before segmentation/mask")
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    ros.add_argument("--domain", type=_number(int, 0, 232), default=domain, help="ROS_DOMAIN_ID")
    return result


def main() -> int:
    options = parser().parse_args()
    try:
        node = SegmentationNode(options)
    except (ValueError, OSError, das3.Das3Error, DDSException) as error:
        print(f"{NAME}: cannot start: {error}", file=sys.stderr)
        return 1

    signals = []

    def end(number: int, frame: Any) -> None:
        signals.append(number)
        node.is_ending = True

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    count = len(node.labeller.model.classes)
    print(f"{NAME}: {options.model} has {count} classes; waits for {options.topic}", flush=True)
    try:
        node.run()
    except das3.Das3Error as error:
        print(f"{NAME}: what was learned cannot be saved: {error}", file=sys.stderr)
        return 1
    return 0 if signals else 1


if __name__ == "__main__":
    raise SystemExit(main())
