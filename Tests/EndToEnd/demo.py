"""Runs das3-run demo: draws frames, and the short forms of the demo and of its training.

    python Tests/EndToEnd/demo.py DAS3_RUN STREET

STREET is examples/street, whose frames must be what --draw draws, to the last bit. Prints what it
checks and, last, how many checks passed.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

FRAME_COUNT = 8
CLASS_COUNT = 9
counts = {True: 0, False: 0}


def check(what, good, found=""):
    counts[bool(good)] += 1
    print(f"{'ok    ' if good else 'FAILED'}  {what}{'' if good else f': {found}'}", flush=True)


def pictures(folder):
    """Pixels, by the name of the file."""
    return {path.name: np.array(Image.open(path)) for path in sorted(folder.glob("*.png"))}


def same(some, others):
    return some.keys() == others.keys() and all((some[n] == others[n]).all() for n in some)


def drawing(run, street, scratch):
    for look in ("day", "dusk"):
        run("--draw", scratch / look, "--look", look)
        frames, truth = pictures(scratch / look / "frames"), pictures(scratch / look / "truth")
        check(f"{look}: {FRAME_COUNT} frames, each with its truth",
              len(frames) == FRAME_COUNT and frames.keys() == truth.keys(), frames.keys())
        shapes = {(f.shape, t.shape) for f, t in zip(frames.values(), truth.values())}
        check(f"{look}: of the same size", shapes == {((240, 320, 3), (240, 320))}, shapes)
        seen = np.unique(np.concatenate([t.ravel() for t in truth.values()]))
        check(f"{look}: every class is somewhere", list(seen) == list(range(CLASS_COUNT)), seen)
        run("--draw", scratch / "again", "--look", look)
        again = pictures(scratch / "again" / "frames")
        check(f"{look}: the same seed gives the same frames", same(frames, again))
        run("--draw", scratch / "one", "--look", look, "--count", 1, "--seed", 900_001)
        one = pictures(scratch / "one" / "frames")["street0.png"]
        check(f"{look}: the next seed gives the next frame", (one == frames["street1.png"]).all())
        check(f"{look}: and another one", (one != frames["street0.png"]).any())
    for part in ("frames", "truth"):
        drawn = pictures(scratch / "day" / part)
        check(f"{street.name}/{part} are drawn", same(drawn, pictures(street / part)))


def events(text):
    return [json.loads(line) for line in text.splitlines()]


def demo(run, scratch):
    output = scratch / "demo"
    found = events(run("--short", "--json", "--output", output))
    places = [(e["look"], e["stage"]) for e in found if e["event"] == "evaluation"]
    expected = [("day", None), *(("dusk", stage) for stage in (None, "blend", "a", "b", "c"))]
    check("mIoU by day, at dusk, of the blend, after each stage", places == expected, places)
    names = sorted(path.name for path in output.iterdir())
    check("a network and pictures", {"adapted.onnx", "demo.png"} < set(names), names)
    text = run("--short", "--output", output)
    check("a table for people", "\nmIoU " in text and "stage (c)" in text, text)


def training(run, scratch):
    output = scratch / "trained.onnx"
    found = events(run("--short", "--json", "--train", output))
    first, last = (e["miou"] for e in found if e["event"] == "evaluation")
    check("training from random weights writes a network", output.stat().st_size < 1 << 20)
    check("of some use", last > 15, f"{first}, {last}")


def main(program, street):
    def run(*arguments):
        words = [program, "demo", *arguments]
        result = subprocess.run(
            [str(word) for word in words], capture_output=True, text=True, timeout=600)
        if result.returncode:
            raise SystemExit(f"{arguments}: {result.stderr.strip()}")
        return result.stdout

    with tempfile.TemporaryDirectory() as scratch:
        drawing(run, street, pathlib.Path(scratch))
        demo(run, pathlib.Path(scratch))
        training(run, pathlib.Path(scratch))
    print(f"{counts[True]} passed, {counts[False]} failed")
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
