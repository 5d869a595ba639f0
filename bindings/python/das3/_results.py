"""Labels of a recording's frames -> topics in a recording beside it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import ArgumentError
from .model import Model
from .recordings import IMAGE, Recording, Stamped
from .segmenter import Segmenter

_LABEL_INFO = "vision_msgs/msg/LabelInfo"
# As package vision_msgs has them.
_VISION_MESSAGES = {
    "vision_msgs/msg/VisionClass": "uint16 class_id\nstring class_name\n",
    _LABEL_INFO: "std_msgs/Header header\nvision_msgs/VisionClass[] class_map\nfloat32 threshold\n",
}
# (topic, type, time of the log in ns, the message as CDR)
_Write = Callable[[str, str, int, "bytes | memoryview"], None]


def label(
    recording: Recording,
    model: Model,
    segmenter: Segmenter,
    path: str | os.PathLike[str],
    progress: Callable[[int, int], object] = lambda done, count: None,
) -> list[str]:
    """Labels every image of a recording into a new one; the topics that this has.

    `path` becomes a file of MCAP where it ends in .mcap, else a directory of rosbag2. For an image
    topic such as /camera/image_raw it has /camera/segmentation/mask and …/confidence (mono8, with
    the stamp, frame and time of their image) and …/label_info, which names the classes.
    """
    path = Path(path)
    if path.exists():
        raise ArgumentError(f"{path} exists already; expected the name of a new recording")
    base = recording.topic.rsplit("/", 1)[0] + "/segmentation"
    topics = [f"{base}/{name}" for name in ("label_info", "mask", "confidence")]
    store = _typestore()
    with ExitStack() as stack:
        write = (_mcap if path.suffix == ".mcap" else _rosbag2)(path, store, stack)
        for done, message in enumerate(recording.messages()):
            result = segmenter.run(message.pixels, format=message.format, confidence=True)
            header = _header(store, message)
            if done == 0:
                write(topics[0], _LABEL_INFO, message.log_time, _label_info(store, header, model))
            for topic, values in zip(topics[1:], (result.labels, result.confidence)):
                write(topic, IMAGE, message.log_time, _mono8(store, header, values))
            progress(done + 1, len(recording))
    return topics


def _typestore() -> Any:
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_HUMBLE)
    for name, text in _VISION_MESSAGES.items():
        store.register(get_types_from_msg(text, name))
    return store


def _header(store: Any, message: Stamped) -> Any:
    seconds, nanoseconds = divmod(message.stamp, 1_000_000_000)
    time = store.types["builtin_interfaces/msg/Time"](seconds, nanoseconds)
    return store.types["std_msgs/msg/Header"](time, message.frame_id)


def _mono8(store: Any, header: Any, values: npt.NDArray[np.uint8]) -> Any:
    height, width = values.shape
    message = store.types[IMAGE](header, height, width, "mono8", 0, width, values.reshape(-1))
    return store.serialize_cdr(message, IMAGE)


def _label_info(store: Any, header: Any, model: Model) -> Any:
    entry = store.types["vision_msgs/msg/VisionClass"]
    classes = [entry(number, each.name) for number, each in enumerate(model.classes)]
    return store.serialize_cdr(store.types[_LABEL_INFO](header, classes, 0.0), _LABEL_INFO)


def _rosbag2(path: Path, store: Any, stack: ExitStack) -> _Write:
    from rosbags.rosbag2 import StoragePlugin, Writer

    writer = stack.enter_context(Writer(path, version=9, storage_plugin=StoragePlugin.MCAP))
    connections: dict[str, Any] = {}

    def write(topic: str, kind: str, time: int, data: bytes | memoryview) -> None:
        if topic not in connections:
            connections[topic] = writer.add_connection(topic, kind, typestore=store)
        writer.write(connections[topic], time, data)

    return write


def _mcap(path: Path, store: Any, stack: ExitStack) -> _Write:
    from mcap.writer import Writer

    file = stack.enter_context(path.open("wb"))
    writer = Writer(file)
    writer.start(profile="ros2", library="das3")
    stack.callback(writer.finish)
    channels: dict[str, int] = {}

    def write(topic: str, kind: str, time: int, data: bytes | memoryview) -> None:
        if topic not in channels:
            text, _ = store.generate_msgdef(kind, ros_version=2)
            schema = writer.register_schema(kind, "ros2msg", text.encode())
            channels[topic] = writer.register_channel(topic, "cdr", schema)
        writer.add_message(channels[topic], log_time=time, data=bytes(data), publish_time=time)

    return write
