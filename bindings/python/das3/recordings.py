"""Recordings of ROS -> frames, without unpacking them; labels -> a recording beside them.

Reads rosbag2 (sqlite3 and MCAP, compressed or not), MCAP files, and bags of ROS 1. Nothing of ROS
is needed: `pip install das3[ros]` brings the libraries rosbags and mcap.

    from das3.recordings import Recording

    with Recording("drive.mcap", "/camera/image_raw") as frames, das3.Adapter(model) as adapter:
        adapter.set_source(frames)
        adapter.run(progress=True)
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .errors import ArgumentError
from .frame import Format
from .ros import ImageReader, to_rgb

if TYPE_CHECKING:
    from types import TracebackType

IMAGE, _COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
_NEEDS = "recordings need the libraries rosbags, mcap and pillow: pip install das3[ros]"


class Stamped(NamedTuple):
    """A message of an image topic."""

    pixels: npt.NDArray[np.uint8]
    format: Format
    stamp: int  # when it was taken, in ns; when it was recorded, where its header does not say
    log_time: int  # when it was recorded, in ns
    frame_id: str


class _Message(NamedTuple):
    log_time: int
    data: bytes


class _Storage(Protocol):
    """What the libraries that read recordings have in common."""

    counts: dict[str, int]
    types: dict[str, str]

    def messages(self, topic: str, start: int | None = None) -> Iterator[_Message]:
        """Messages of a topic by their times, from `start` on."""

    def parsed(self, topic: str, data: bytes) -> Any: ...

    def close(self) -> None: ...


def is_recording(path: str | os.PathLike[str]) -> bool:
    """Whether a path looks like a recording: a directory of rosbag2, or a .mcap, .db3 or .bag."""
    path = Path(path)
    if path.is_dir():
        return (path / "metadata.yaml").exists()
    return path.suffix in (".mcap", ".db3", ".bag") and path.is_file()


class Recording:
    """The frames of an image topic, in the order in which they were recorded.

    A sequence of arrays: `adapter.set_source(recording)` reads each frame when it is wanted. They
    are RGB8, or GRAY8 where the topic has gray; `messages()` gives them as they were recorded,
    with their stamps. Compressed images need pillow.
    """

    def __init__(self, path: str | os.PathLike[str], topic: str | None = None) -> None:
        """Opens a recording; `topic` may be left out where only one has images."""
        self.path = Path(path)
        self._storage = _opened(self.path)
        try:
            self.topic = self._chosen(topic)
        except BaseException:
            self._storage.close()
            raise
        self._times: list[int] | None = None
        self._next: tuple[int, Iterator[_Message]] | None = None

    @property
    def topics(self) -> dict[str, str]:
        """All topics and their types."""
        return dict(self._storage.types)

    def _chosen(self, topic: str | None) -> str:
        types = self._storage.types
        known = [name for name, kind in types.items() if kind in (IMAGE, _COMPRESSED)]
        has = f"{self.path} has images in {', '.join(sorted(known)) or 'no topic'}"
        if topic is None:
            if len(known) != 1:
                raise ArgumentError(f"{has}; expected the name of one topic")
            return known[0]
        if topic not in types:
            raise ArgumentError(f"no topic {topic}; {has}")
        if topic not in known:
            raise ArgumentError(f"{topic} is {types[topic]}, not images; {has}")
        return topic

    def messages(self) -> Iterator[Stamped]:
        """All images as they were recorded, one after the other."""
        for message in self._storage.messages(self.topic):
            yield self._stamped(message)

    def __iter__(self) -> Iterator[npt.NDArray[np.uint8]]:
        for message in self.messages():
            yield _shown(message)

    def __len__(self) -> int:
        return self._storage.counts[self.topic]

    def __getitem__(self, index: int) -> npt.NDArray[np.uint8]:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"frame {index} of {count}")
        return _shown(self._stamped(self._message(index % count)))

    def _message(self, index: int) -> _Message:
        """Goes on where the last one was read, else looks for the time of this one."""
        if self._next is None or self._next[0] != index:
            if self._times is None:
                self._times = [message.log_time for message in self._storage.messages(self.topic)]
            time = self._times[index]
            found = self._storage.messages(self.topic, time)
            # Several messages may have the same time.
            for _ in range(index - self._times.index(time)):
                next(found)
            self._next = index, found
        try:
            message = next(self._next[1])
        except StopIteration:
            raise ArgumentError(f"{self.path} ends before its frame {index}") from None
        self._next = index + 1, self._next[1]
        return message

    def _stamped(self, message: _Message) -> Stamped:
        parsed = self._storage.parsed(self.topic, message.data)
        pixels, format = self._picture(parsed)
        stamp = parsed.header.stamp
        nanoseconds = stamp.sec * 1_000_000_000 + stamp.nanosec
        frame_id = parsed.header.frame_id
        return Stamped(pixels, format, nanoseconds or message.log_time, message.log_time, frame_id)

    def _picture(self, message: Any) -> tuple[npt.NDArray[np.uint8], Format]:
        if hasattr(message, "encoding"):
            # A reader of its own, so that frames may be kept.
            return ImageReader().read(message)
        if "compressedDepth" in message.format:
            raise ArgumentError(f"{self.topic} has depths ({message.format}); expected colours")
        try:
            from PIL import Image, UnidentifiedImageError
        except ImportError:
            raise ImportError(_NEEDS) from None
        try:
            stored = Image.open(io.BytesIO(message.data))
            pixels = np.asarray(stored.convert("L" if stored.mode in ("L", "1") else "RGB"))
        except (UnidentifiedImageError, OSError) as error:
            raise ArgumentError(
                f"{self.topic}: an image of format {message.format!r} cannot be read: {error}"
            ) from None
        return pixels, Format.RGB8 if pixels.ndim == 3 else Format.GRAY8

    def close(self) -> None:
        self._storage.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Recording({str(self.path)!r}, {self.topic!r}): {len(self)} frames"


def _shown(message: Stamped) -> npt.NDArray[np.uint8]:
    """The picture as an array that says by its shape what it is."""
    if message.format in (Format.RGB8, Format.GRAY8):
        return message.pixels
    rgb = to_rgb(message.pixels, message.format)
    return np.ascontiguousarray(rgb, np.uint8)


def _opened(path: Path) -> _Storage:
    if not path.exists():
        raise FileNotFoundError(f"no recording {path}")
    if not is_recording(path):
        raise ArgumentError(
            f"{path} is no recording; expected a directory with metadata.yaml, .mcap, .db3 or .bag"
        )
    try:
        return _Mcap(path) if path.suffix == ".mcap" and path.is_file() else _Bag(path)
    except ImportError:
        raise ImportError(_NEEDS) from None


class _Bag:
    """A bag of ROS 1 or 2, by rosbags."""

    def __init__(self, path: Path) -> None:
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.typesys import Stores, get_typestore

        # What images are has not changed from one distribution of ROS to the next.
        store = Stores.ROS1_NOETIC if path.suffix == ".bag" else Stores.ROS2_HUMBLE
        self._types = get_typestore(store)
        self._is_old = path.suffix == ".bag"
        try:
            self._reader = AnyReader([path], default_typestore=self._types)
            self._reader.open()
        except AnyReaderError as error:
            raise ArgumentError(f"{path} cannot be read: {error}") from None
        self.counts: dict[str, int] = {}
        self.types: dict[str, str] = {}
        for connection in self._reader.connections:
            count = self.counts.get(connection.topic, 0)
            self.counts[connection.topic] = count + connection.msgcount
            self.types[connection.topic] = connection.msgtype

    def messages(self, topic: str, start: int | None = None) -> Iterator[_Message]:
        chosen = [each for each in self._reader.connections if each.topic == topic]
        for _, time, data in self._reader.messages(chosen, start=start):
            yield _Message(time, data)

    def parsed(self, topic: str, data: bytes) -> Any:
        parse = self._types.deserialize_ros1 if self._is_old else self._types.deserialize_cdr
        return parse(data, self.types[topic])

    def close(self) -> None:
        self._reader.close()


class _Mcap:
    """A file of MCAP, whoever recorded it, by mcap."""

    def __init__(self, path: Path) -> None:
        from mcap.exceptions import McapError
        from mcap.reader import make_reader
        from rosbags.typesys import Stores, get_typestore

        self._types = get_typestore(Stores.ROS2_HUMBLE)
        self._file = path.open("rb")
        try:
            self._reader = make_reader(self._file)
            summary = self._reader.get_summary()
        except (McapError, EOFError) as error:
            self._file.close()
            raise ArgumentError(
                f"{path} cannot be read: {error or type(error).__name__}; if its recorder was cut "
                "off, 'mcap recover' makes a file of what is there"
            ) from None
        if summary is None or summary.statistics is None:
            self._file.close()
            raise ArgumentError(f"{path} has no index; 'mcap recover' makes a file that has one")
        self.counts: dict[str, int] = {}
        self.types: dict[str, str] = {}
        for number, channel in summary.channels.items():
            count = summary.statistics.channel_message_counts.get(number, 0)
            self.counts[channel.topic] = self.counts.get(channel.topic, 0) + count
            schema = summary.schemas.get(channel.schema_id)
            kind = schema.name if schema else "of no known type"
            if channel.message_encoding != "cdr":
                kind = f"{kind} in {channel.message_encoding or 'no encoding'} instead of cdr"
            # As ROS 1 and some writers have it: without "msg".
            parts = kind.split("/")
            self.types[channel.topic] = "/msg/".join(parts) if len(parts) == 2 else kind

    def messages(self, topic: str, start: int | None = None) -> Iterator[_Message]:
        for _, _, message in self._reader.iter_messages([topic], starting_at=start):
            yield _Message(message.log_time, message.data)

    def parsed(self, topic: str, data: bytes) -> Any:
        return self._types.deserialize_cdr(data, self.types[topic])

    def close(self) -> None:
        self._file.close()
