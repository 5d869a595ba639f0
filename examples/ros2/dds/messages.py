"""ROS 2's messages and topics on the wire of Eclipse Cyclone DDS, without ROS.

A ROS topic /a/b is the DDS topic rt/a/b, and the type pkg/msg/Name is pkg::msg::dds_::Name_. Types
are final and keyless, and their encoding is XCDR1.

Small messages go through the package cyclonedds as its dataclasses. It makes a list of Python
integers of the pixels of an image, which takes far longer than the network does. Images therefore
go through its C layer as the bytes of the wire, and pixels are views of these.
"""

import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Union

import numpy as np
import numpy.typing as npt
from cyclonedds._clayer import ddspy_take, ddspy_write
from cyclonedds.core import DDSException, InstanceState, Policy, Qos, SampleState, ViewState
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.annotations import final
from cyclonedds.idl.types import float32, int32, sequence, uint8, uint16, uint32
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

Bytes = npt.NDArray[np.uint8]


@dataclass
@final
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32 = 0
    nanosec: uint32 = 0


@dataclass
@final
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time = field(default_factory=Time)
    frame_id: str = ""


@dataclass
@final
class Image(IdlStruct, typename="sensor_msgs::msg::dds_::Image_"):
    """Names the type; its samples are an ImageView, or an ImageWriter's."""

    header: Header
    height: uint32
    width: uint32
    encoding: str
    is_bigendian: uint8
    step: uint32
    data: sequence[uint8]


@dataclass
@final
class VisionClass(IdlStruct, typename="vision_msgs::msg::dds_::VisionClass_"):
    class_id: uint16
    class_name: str


@dataclass
@final
class LabelInfo(IdlStruct, typename="vision_msgs::msg::dds_::LabelInfo_"):
    header: Header
    class_map: sequence[VisionClass]
    threshold: float32


@dataclass
@final
class KeyValue(IdlStruct, typename="diagnostic_msgs::msg::dds_::KeyValue_"):
    key: str
    value: str


@dataclass
@final
class DiagnosticStatus(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticStatus_"):
    level: uint8
    name: str
    message: str
    hardware_id: str
    values: sequence[KeyValue]


@dataclass
@final
class DiagnosticArray(IdlStruct, typename="diagnostic_msgs::msg::dds_::DiagnosticArray_"):
    header: Header
    status: sequence[DiagnosticStatus]


_XCDR1 = Policy.DataRepresentation(use_cdrv0_representation=True)
_RELIABLE = Policy.Reliability.Reliable(duration(seconds=1))

# The profiles of rmw: default, sensor data, and what ROS 1 called latched.
DEFAULT_QOS = Qos(_RELIABLE, Policy.Durability.Volatile, Policy.History.KeepLast(10), _XCDR1)
SENSOR_QOS = Qos(
    Policy.Reliability.BestEffort, Policy.Durability.Volatile, Policy.History.KeepLast(5), _XCDR1
)
LATCHED_QOS = Qos(_RELIABLE, Policy.Durability.TransientLocal, Policy.History.KeepLast(1), _XCDR1)


def topic_of(participant: DomainParticipant, name: str, kind: Any, qos: Qos) -> Any:
    """The DDS topic of an absolute ROS name, such as /camera/image_raw."""
    if not name.startswith("/") or name.endswith("/") or "//" in name:
        raise ValueError(f"the topic is {name!r}; expected an absolute name of ROS such as /image")
    return Topic(participant, f"rt{name}", kind, qos=qos)


def writer_of(participant: DomainParticipant, name: str, kind: Any, qos: Qos) -> Any:
    return DataWriter(participant, topic_of(participant, name, kind, qos), qos=qos)


def reader_of(participant: DomainParticipant, name: str, kind: Any, qos: Qos) -> Any:
    return DataReader(participant, topic_of(participant, name, kind, qos), qos=qos)


def is_heard(writer: Any) -> bool:
    """Someone may listen: what nobody hears need not be computed."""
    return bool(writer.get_matched_subscriptions())


def take(reader: Any, count: int = 64) -> list[Any]:
    """The small messages that have come, the oldest first."""
    return [sample for sample in reader.take(count) if sample.sample_info.valid_data]


class ImageView(NamedTuple):
    """A sensor_msgs/Image as it came; the pixels are a view of the bytes of the wire."""

    sec: int
    nanosec: int
    frame_id: str
    height: int
    width: int
    encoding: str
    is_bigendian: bool
    step: int
    data: Bytes


# Every sample begins with its encoding, from which alignment counts: little-endian CDR, no options.
_ENCAPSULATION = b"\0\1\0\0"


class _Cursor:
    """Reads values of little-endian CDR one after the other."""

    def __init__(self, sample: bytes) -> None:
        self.sample, self.at = sample, len(_ENCAPSULATION)

    def number(self, code: str = "I") -> int:
        size = struct.calcsize(code)
        self.at += -self.at % size  # the encapsulation's four bytes do not change this
        (value,) = struct.unpack_from(f"<{code}", self.sample, self.at)
        self.at += size
        return int(value)

    def text(self) -> str:
        count = self.number()
        begin, self.at = self.at, self.at + count
        return self.sample[begin : begin + count - 1].decode("utf-8", "replace")


def image_view(sample: bytes) -> ImageView:
    """Reads a sample. Cyclone DDS has checked that it is one, and turned it little-endian."""
    if sample[:2] != _ENCAPSULATION[:2]:
        raise ValueError(f"a sample is encoded as {sample[:4].hex()}; expected CDR, 00010000")
    cursor = _Cursor(sample)
    sec, nanosec, frame_id = cursor.number("i"), cursor.number(), cursor.text()
    height, width, encoding = cursor.number(), cursor.number(), cursor.text()
    is_bigendian, step, count = cursor.number("B") != 0, cursor.number(), cursor.number()
    data = np.frombuffer(sample, np.uint8, count, cursor.at)
    return ImageView(sec, nanosec, frame_id, height, width, encoding, is_bigendian, step, data)


def take_samples(reader: Any, count: int = 64) -> list[bytes]:
    """The samples that have come, the oldest first."""
    state = SampleState.Any | ViewState.Any | InstanceState.Any
    samples: Union[int, list[Any]] = ddspy_take(reader._ref, state, count)
    if isinstance(samples, int):
        raise DDSException(samples, "while samples were taken")
    return [sample for sample, info in samples if info.valid_data]


def take_images(reader: Any) -> list[ImageView]:
    """The images that have come, the oldest first."""
    return [image_view(sample) for sample in take_samples(reader)]


class ImageWriter:
    """Publishes images, whose pixels are written to where they are sent from."""

    def __init__(self, participant: DomainParticipant, name: str, qos: Qos = DEFAULT_QOS) -> None:
        self.writer = writer_of(participant, name, Image, qos)
        self._sample = bytearray()

    def begin(
        self,
        stamp: tuple[int, int],
        frame_id: str,
        height: int,
        width: int,
        encoding: str,
        *,
        is_bigendian: bool = False,
        step: int,
        count: int,
    ) -> Bytes:
        """Begins an image of `count` bytes, and returns them to be filled."""
        out = bytearray(_ENCAPSULATION)

        def number(code: str, value: int) -> None:
            out.extend(b"\0" * (-len(out) % struct.calcsize(code)))
            out.extend(struct.pack(f"<{code}", value))

        def text(value: str) -> None:
            encoded = value.encode()
            number("I", len(encoded) + 1)
            out.extend(encoded + b"\0")

        number("i", stamp[0])
        number("I", stamp[1])
        text(frame_id)
        number("I", height)
        number("I", width)
        text(encoding)
        number("B", is_bigendian)
        number("I", step)
        number("I", count)
        begin, size = len(out), len(out) + count
        size += -size % 4  # Cyclone DDS takes whole words
        if len(self._sample) != size:
            self._sample = bytearray(size)
        self._sample[:begin] = out
        return np.frombuffer(self._sample, np.uint8, count, begin)

    def publish(self) -> None:
        result = ddspy_write(self.writer._ref, self._sample)
        if result < 0:
            raise DDSException(result, "while an image was published")
