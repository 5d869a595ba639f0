"""Recordings that rosbags and mcap have made: frames, their stamps, labels beside them."""

import json
import subprocess
import sys

import das3
import numpy as np
import pytest
from conftest import STREET
from das3.recordings import Recording, is_recording
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from PIL import Image
from rosbags.rosbag1 import Writer as Bag1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

TOPIC = "/camera/image_raw"
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
FIRST, APART = 1_700_000_000_000_000_000, 33_333_333


def header(store, number, frame_id="camera"):
    seconds, nanoseconds = divmod(FIRST + APART * number, 1_000_000_000)
    time = store.types["builtin_interfaces/msg/Time"](seconds, nanoseconds)
    words = (number, time, frame_id) if store is OLD else (time, frame_id)
    return store.types["std_msgs/msg/Header"](*words)


STORE, OLD = get_typestore(Stores.ROS2_JAZZY), get_typestore(Stores.ROS1_NOETIC)


def image_message(frame, number, store=STORE, encoding="rgb8"):
    height, width = frame.shape[:2]
    step = frame.size // height
    return store.types[IMAGE](
        header(store, number), height, width, encoding, 0, step, frame.reshape(-1)
    )


def compressed_message(path, number, store=STORE):
    data = np.frombuffer(path.read_bytes(), np.uint8)
    return store.types[COMPRESSED](header(store, number), "rgb8; png compressed bgr8", data)


def write_rosbag2(path, messages, plugin=StoragePlugin.SQLITE3, mode=None, kind=IMAGE):
    writer = Writer(path, version=9, storage_plugin=plugin)
    if mode is not None:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        topic = writer.add_connection(TOPIC, kind, typestore=STORE)
        other = writer.add_connection("/odometry", "std_msgs/msg/String", typestore=STORE)
        for number, message in enumerate(messages):
            text = STORE.types["std_msgs/msg/String"](f"{number}")
            time = FIRST + APART * number + 5000
            writer.write(other, time, STORE.serialize_cdr(text, "std_msgs/msg/String"))
            writer.write(topic, time, STORE.serialize_cdr(message, kind))
    return path


def write_mcap(path, messages, kind=IMAGE, profile="", **options):
    with path.open("wb") as file:
        writer = McapWriter(file, **options)
        writer.start(profile=profile)
        text, _ = STORE.generate_msgdef(kind, ros_version=2)
        schema = writer.register_schema(kind, "ros2msg", text.encode())
        channel = writer.register_channel(TOPIC, "cdr", schema)
        for number, message in enumerate(messages):
            time = FIRST + APART * number + 5000
            data = bytes(STORE.serialize_cdr(message, kind))
            writer.add_message(channel, log_time=time, publish_time=time, data=data)
        writer.finish()
    return path


def write_bag1(path, messages):
    with Bag1Writer(path) as writer:
        topic = writer.add_connection(TOPIC, IMAGE, typestore=OLD)
        for number, message in enumerate(messages):
            data = OLD.serialize_ros1(message, IMAGE)
            writer.write(topic, FIRST + APART * number + 5000, data)
    return path


@pytest.fixture(scope="module")
def frames():
    paths = sorted((STREET / "frames").glob("*.png"))
    return paths, [np.asarray(Image.open(path).convert("RGB")) for path in paths]


KINDS = {
    "sqlite3": lambda at, messages: write_rosbag2(at / "bag", messages),
    "mcap bag": lambda at, messages: write_rosbag2(at / "bag", messages, StoragePlugin.MCAP),
    "compressed messages": lambda at, messages: write_rosbag2(
        at / "bag", messages, mode=CompressionMode.MESSAGE
    ),
    "compressed file": lambda at, messages: write_rosbag2(
        at / "bag", messages, mode=CompressionMode.FILE
    ),
    "one file of a bag": lambda at, messages: next(
        write_rosbag2(at / "bag", messages).glob("*.db3")
    ),
    "mcap": lambda at, messages: write_mcap(at / "drive.mcap", messages),
    "mcap of ros2": lambda at, messages: write_mcap(
        at / "drive.mcap", messages, profile="ros2", compression=CompressionType.LZ4
    ),
    "mcap without chunks": lambda at, messages: write_mcap(
        at / "drive.mcap", messages, use_chunking=False
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_each_kind(kind, frames, tmp_path):
    arrays = frames[1]
    path = KINDS[kind](tmp_path, [image_message(frame, at) for at, frame in enumerate(arrays)])
    assert is_recording(path)
    with Recording(path, TOPIC) as recording:
        assert len(recording) == len(arrays)
        messages = list(recording.messages())
        assert [message.stamp for message in messages] == [
            FIRST + APART * at for at in range(len(arrays))
        ]
        assert messages[0].log_time == FIRST + 5000 and messages[0].frame_id == "camera"
        for found, frame in zip(recording, arrays):
            assert np.array_equal(found, frame)
        for index in (3, 1, 1, 2, 7, 0, -1):
            assert np.array_equal(recording[index], arrays[index])
        with pytest.raises(IndexError):
            recording[len(arrays)]


def test_a_bag_of_ros_1(frames, tmp_path):
    messages = [image_message(frame, at, OLD) for at, frame in enumerate(frames[1])]
    with Recording(write_bag1(tmp_path / "old.bag", messages)) as recording:
        assert all(np.array_equal(found, frame) for found, frame in zip(recording, frames[1]))
        assert next(recording.messages()).stamp == FIRST


def test_compressed_images(frames, tmp_path):
    messages = [compressed_message(path, at) for at, path in enumerate(frames[0])]
    with Recording(write_mcap(tmp_path / "c.mcap", messages, COMPRESSED)) as recording:
        assert all(np.array_equal(found, frame) for found, frame in zip(recording, frames[1]))
    broken = STORE.types[COMPRESSED](header(STORE, 0), "jpeg", np.frombuffer(b"rubbish", np.uint8))
    with (
        Recording(write_mcap(tmp_path / "b.mcap", [broken], COMPRESSED)) as recording,
        pytest.raises(ValueError, match="'jpeg' cannot be read"),
    ):
        recording[0]


def test_equal_times(frames, tmp_path):
    """Images of one moment keep their order, and each is found by its number."""
    with Writer(tmp_path / "bag", version=9) as writer:
        topic = writer.add_connection(TOPIC, IMAGE, typestore=STORE)
        for frame in frames[1]:
            data = STORE.serialize_cdr(image_message(frame, 0), IMAGE)
            writer.write(topic, FIRST, data)
    with Recording(tmp_path / "bag") as recording:
        for index in (4, 2, 6):
            assert np.array_equal(recording[index], frames[1][index])


def test_refusals(frames, tmp_path):
    path = write_rosbag2(tmp_path / "bag", [image_message(frames[1][0], 0)])
    with pytest.raises(ValueError, match=r"no topic /lidar; .* has images in /camera/image_raw"):
        Recording(path, "/lidar")
    with pytest.raises(ValueError, match="is std_msgs/msg/String, not images"):
        Recording(path, "/odometry")
    with pytest.raises(FileNotFoundError):
        Recording(tmp_path / "nothing.mcap")
    with pytest.raises(ValueError, match="is no recording"):
        Recording(tmp_path)
    whole = write_mcap(tmp_path / "whole.mcap", [image_message(frame, 0) for frame in frames[1]])
    cut = tmp_path / "cut.mcap"
    cut.write_bytes(whole.read_bytes()[:-5000])
    with pytest.raises(ValueError, match="mcap recover"):
        Recording(cut)
    (tmp_path / "rubbish.mcap").write_bytes(b"rubbish" * 100)
    with pytest.raises(ValueError, match="cannot be read"):
        Recording(tmp_path / "rubbish.mcap")


def run(*words):
    command = [sys.executable, "-m", "das3", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600)


def test_adapt_is_bit_for_bit_that_of_the_images(model, frames, tmp_path):
    """The command line, and an adapter that reads the recording itself."""
    messages = [image_message(frame, at) for at, frame in enumerate(frames[1])]
    bag = write_rosbag2(tmp_path / "bag", messages)
    drive = write_mcap(tmp_path / "drive.mcap", messages)
    options = ["--model", STREET / "street.onnx", "--method", "tent", "--steps", "6"]
    options += ["--set", "guard=0", "--threads", 1]
    outputs = {name: tmp_path / f"{name}.onnx" for name in ("images", "bag", "drive")}
    for name, words in (
        ("images", ["--input", STREET / "frames"]),
        ("bag", [bag, "--topic", TOPIC]),
        ("drive", ["--input", drive, f"--topic={TOPIC}"]),
    ):
        result = run("adapt", *words, *options, "--output", outputs[name])
        assert result.returncode == 0, result.stderr
    assert len({path.read_bytes() for path in outputs.values()}) == 1

    results = []
    for source in (frames[1], Recording(bag)):
        with das3.Adapter(model, method="tent", steps_a=6, guard=0) as adapter:
            adapter.set_source(source)
            adapter.run()
            results.append(adapter.snapshot().get_parameters())
    assert np.array_equal(*results)


def test_stamps_go_along(frames, tmp_path):
    messages = [image_message(frame, at * at) for at, frame in enumerate(frames[1])]
    drive = write_mcap(tmp_path / "drive.mcap", messages)
    result = run("segment", STREET / "street.onnx", drive, "--json")
    assert result.returncode == 0, result.stderr

    events = [json.loads(line) for line in result.stdout.splitlines()]
    seconds = [event["seconds"] for event in events if event["event"] == "frame"]
    assert np.allclose(seconds, [at * at * APART / 1e9 for at in range(len(messages))], atol=2e-6)


def test_the_command_line_refuses(frames, tmp_path):
    drive = write_mcap(tmp_path / "drive.mcap", [image_message(frames[1][0], 0)])
    for words, text in [
        (["segment", STREET / "street.onnx", drive, "--topic", "/lidar"], "no topic /lidar"),
        (
            ["segment", STREET / "street.onnx", STREET / "frames", "--topic", "/x"],
            "needs a recording",
        ),
        (["segment", tmp_path / "none.onnx", drive], "none.onnx"),
        (["label", drive, "--model", STREET / "street.onnx", "--output", drive], "exists already"),
    ]:
        result = run(*words)
        assert result.returncode != 0 and text in result.stderr, result.stderr
    # What is no recording is das3-run's.
    assert run("--version").stdout.startswith("das3-run")


@pytest.mark.parametrize("name", ["labels.mcap", "labels_bag"])
def test_labels_beside_a_recording(frames, name, tmp_path):
    bag = write_rosbag2(
        tmp_path / "bag", [image_message(frame, at) for at, frame in enumerate(frames[1])]
    )
    words = ["--model", STREET / "street.onnx", "--output", tmp_path / name]
    result = run("label", bag, "--topic", TOPIC, *words)
    assert result.returncode == 0, result.stderr
    with das3.Model(STREET / "street.onnx") as model, das3.Segmenter(model) as segmenter:
        wanted = [segmenter.run(frame, confidence=True) for frame in frames[1]]
    for topic, values in (("mask", "labels"), ("confidence", "confidence")):
        with Recording(tmp_path / name, f"/camera/segmentation/{topic}") as recording:
            found = list(recording.messages())
            assert [message.stamp for message in found] == [
                FIRST + APART * at for at in range(len(found))
            ]
            assert found[0].frame_id == "camera" and found[0].log_time == FIRST + 5000
            for message, result in zip(found, wanted):
                assert np.array_equal(message.pixels, getattr(result, values))
            assert (
                recording.topics["/camera/segmentation/label_info"] == "vision_msgs/msg/LabelInfo"
            )


CONVERSIONS = STREET.parent / "ros2" / "test" / "conversions.txt"


@pytest.mark.parametrize("line", [x for x in CONVERSIONS.read_text().splitlines() if x[0] != "#"])
def test_images_of_every_encoding_in_a_recording(line, tmp_path):
    """What each becomes is known to examples/ros2; here it goes through a file."""
    encoding, *numbers = line.split()
    width, height, step, big, format, digest = map(int, numbers)
    index = np.arange(step * height * 3 // 2 + step)
    data = ((31 * index * index + 7 * index + 3) % 256).astype(np.uint8)
    message = STORE.types[IMAGE](header(STORE, 0), height, width, encoding, big, step, data)
    with Recording(write_mcap(tmp_path / "one.mcap", [message])) as recording:
        (found,) = recording.messages()
        shown = recording[0]
    assert found.format == format and fnv_1a(np.ascontiguousarray(found.pixels)) == digest
    assert shown.shape == ((height, width) if format == das3.Format.GRAY8 else (height, width, 3))


def fnv_1a(array):
    digest = 2166136261
    for byte in array.tobytes():
        digest = (digest ^ byte) * 16777619 % 2**32
    return digest


def test_images_that_are_refused(tmp_path):
    data = np.zeros(64, np.uint8)
    for encoding, size, step, words in [
        ("32FC1", 4, 16, r"\"32FC1\"; expected one of rgb8"),
        ("rgb8", 4, 8, "a step of 8 bytes; expected at least 12"),
        ("rgb8", 8, 24, "holds 64 bytes; expected at least 192"),
        ("yuyv", 5, 10, "even width"),
    ]:
        message = STORE.types[IMAGE](header(STORE, 0), size, size, encoding, 0, step, data)
        path = write_mcap(tmp_path / "one.mcap", [message])
        with Recording(path) as recording, pytest.raises(ValueError, match=words):
            recording[0]
