"""The command line: das3-run, and recordings of ROS as its input.

    python -m das3 adapt drive.mcap --topic /camera/image_raw --model net.onnx --output better.onnx
    python -m das3 segment drive_bag --model net.onnx --json
    python -m das3 label drive.mcap --model better.onnx --output drive_labels.mcap

Every command of das3-run that reads a video takes a recording in its place: frames go to das3-run
through a pipe, with their stamps. All other words are das3-run's. `label` writes labels as topics
of a recording beside the first.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import suppress
from typing import IO

from . import _program
from ._matroska import MatroskaWriter
from ._results import label
from .errors import ArgumentError, Das3Error
from .frame import Format
from .model import Model
from .recordings import Recording, is_recording
from .segmenter import Segmenter


def main(words: list[str]) -> int:
    """Runs the command line; the exit code."""
    try:
        return _label(words[1:]) if words[:1] == ["label"] else _run(words)
    except (Das3Error, OSError, ImportError) as error:
        print(f"das3: {error}", file=sys.stderr)
        return 1


def _run(words: list[str]) -> int:
    """Runs das3-run; if its input is a recording, with the frames of that on stdin."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--topic")
    options, words = parser.parse_known_args(words)
    paths = [word.partition("--input=")[2] or word for word in words]
    places = [place for place, path in enumerate(paths) if is_recording(path)]
    if not places:
        if options.topic is not None:
            raise ArgumentError("'--topic' needs a recording: a bag of ROS, or a file of MCAP")
        _program.become(words)
    if len(places) > 1:
        raise ArgumentError(f"{len(places)} recordings; expected one as the input")
    place = places[0]
    words[place] = "-" if words[place] == paths[place] else "--input=-"
    with Recording(paths[place], options.topic) as recording:
        process = subprocess.Popen([_program.path(), *words], stdin=subprocess.PIPE)
        assert process.stdin is not None
        try:
            # das3-run may have seen enough, or have failed, and says so itself.
            with suppress(BrokenPipeError), process.stdin:
                _send(recording, process.stdin)
        except KeyboardInterrupt:
            pass  # das3-run was told as well, and finishes what it has begun.
        finally:
            code = _waited(process)
    return code if code >= 0 else 128 - code


def _send(recording: Recording, target: IO[bytes]) -> None:
    writer, first, last, shape = None, 0, -1, None
    for message in recording.messages():
        height, width = message.pixels.shape[:2]
        if writer is None:
            first, shape = message.stamp, message.pixels.shape
            rows = height * 2 // 3 if message.format == Format.NV12 else height
            writer = MatroskaWriter(target, width, rows, message.format)
        if message.pixels.shape != shape:
            raise ArgumentError(
                f"{recording.topic}: images are of shape {shape}, then {message.pixels.shape}; "
                "expected one size"
            )
        # Clocks may be set back; the times of a video grow.
        last = max((message.stamp - first) // 1000, last + 1)
        writer.write(message.pixels, last)
    if writer is None:
        raise ArgumentError(f"{recording.path}: {recording.topic} has no images")


def _waited(process: subprocess.Popen[bytes]) -> int:
    while True:
        with suppress(KeyboardInterrupt):
            return process.wait()


def _label(words: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m das3 label", description="Label the images of a recording into another one."
    )
    parser.add_argument("recording", help="rosbag2, .mcap, .db3 or .bag")
    parser.add_argument("--topic", help="of the images; may be left out where there is only one")
    parser.add_argument("--model", required=True, help="the network, an ONNX file")
    parser.add_argument("--output", required=True, help="NAME.mcap, or a directory of rosbag2")
    parser.add_argument("--size", help="WIDTHxHEIGHT that the network works on")
    parser.add_argument("--threads", type=int, default=0, help="0 = one per core")
    options = parser.parse_args(words)
    width, height = 0, 0
    if options.size is not None:
        sides = options.size.split("x")
        if len(sides) != 2 or not all(side.isdigit() for side in sides):
            parser.error(f"'--size {options.size}': expected WIDTHxHEIGHT such as 480x360")
        width, height = map(int, sides)

    def progress(done: int, count: int) -> None:
        if sys.stderr.isatty():
            print(f"\rlabel {done} of {count}", end="" if done < count else "\n", file=sys.stderr)

    with Recording(options.recording, options.topic) as recording, Model(options.model) as model:
        size = {"height": height, "width": width, "threads": options.threads}
        with Segmenter(model, **size) as segmenter:
            topics = label(recording, model, segmenter, options.output, progress)
        print(f"{len(recording)} images labelled into {options.output}: {', '.join(topics)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
