"""Runs das3-run segment on the street frames: its table, its overlays, Ctrl-C, and what it cannot write.

    python Tests/EndToEnd/segment.py DAS3_RUN STREET

STREET is examples/street. Prints what it checks and, last, how many checks passed.
"""

import pathlib
import sys
import tempfile

from PIL import Image

from client import Checks, Program, interrupt, rubbish


def table(das3, check):
    text = das3.run(None, command="segment").stdout
    check("every pixel has a class", "road" in text and "no class" not in text, text)


def overlays(das3, check):
    """The frame stays as large as it is, however much room the legend wants."""
    for width, height, expected in ((33, 17, 89), (320, 240, 320)):
        name, output = f"{width}x{height}", das3.scratch / "overlays"
        frame = Image.open(das3.frames / "street0.png").resize((width, height))
        frame.save(das3.scratch / f"{name}.png")
        options = {"command": "segment", "input": das3.scratch / f"{name}.png"}
        das3.run(output, "--overlay", **options)
        overlay = Image.open(output / "overlay" / f"{name}.png")
        check(f"{name}: overlay {expected} wide", overlay.width == expected, overlay.size)
        half = [int(value) // 2 for value in frame.tobytes()]
        drawn = overlay.crop((0, 0, width, height)).tobytes()
        good = all(0 <= value - least <= 128 for value, least in zip(drawn, half))
        check(f"{name}: half of each pixel is the frame's", good)


def unwritable(das3, check):
    """The system's reason is given."""
    output = das3.scratch / "full"
    (output / "overlay").mkdir(parents=True)
    (output / "overlay" / "street0.png").symlink_to("/dev/full")
    options = {"command": "segment", "limit": 1}
    for words, place in (("No space left", output), ("Not a directory", das3.model / "out")):
        rubbish(das3, check, 1, words, "--overlay", output=place, **options)


def interrupted(das3, check):
    """A whole video of the frames until Ctrl-C."""
    video, output = das3.scratch / "drive.gif", das3.scratch / "segmented"
    first, *others = [Image.open(path) for path in sorted(das3.frames.glob("*.png"))]
    first.save(video, save_all=True, append_images=others * 20)
    options = {"command": "segment", "input": video}
    events, code, text = das3.disturb(3, interrupt, output, "--overlay", **options)
    check("interrupted: exit code 130", code == 130, text)
    last = events[-1]
    check("interrupted: a summary", last["done"] is False and last["frames"] < 141, last)
    options["input"] = output / "drive_overlay.mp4"
    found = das3.events(None, **options)[-1]["frames"]
    check("interrupted: a whole video", found == last["frames"], found)


def main(program, street):
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        das3 = Program(program, street, pathlib.Path(scratch))
        table(das3, check)
        overlays(das3, check)
        unwritable(das3, check)
        interrupted(das3, check)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
