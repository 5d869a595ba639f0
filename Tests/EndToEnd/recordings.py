"""Kills a worker of Ray in the middle of examples/fleet/recordings.py: nothing may be different.

    python Tests/EndToEnd/recordings.py STREET

STREET is examples/street; the Python has das3, ray and pillow. Six recordings, the street frames
in six kinds of light, are adapted by two workers. One worker is killed with SIGKILL when its
checkpoint exists and its recording is not done. The parameters of all six networks must be those
of runs one after the other without Ray, byte for byte. Then: the same command once more, recordings
that cannot be read, frames that show nothing, and wrong options.
Prints what it checks and, last, how many checks passed.
"""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import das3
import numpy as np
from client import Checks
from PIL import Image
from processes import descendants

FLEET = pathlib.Path(__file__).resolve().parents[2] / "examples/fleet"
sys.path.insert(0, str(FLEET))
from evenings import record  # noqa: E402

OPTIONS = {"steps_a": 6, "steps_b": 6, "steps_c": 6, "width": 160, "height": 120, "seed": 3}
ROUNDS = 3  # times the eight frames of the street


def digest(model):
    return hashlib.sha256(model.get_parameters().tobytes()).hexdigest()


def without_ray(model, folder):
    """What an adapter makes of a recording that nothing disturbs."""
    paths = sorted(folder.iterdir(), key=lambda path: int(path.stem.removeprefix("frame")))
    with das3.Adapter(model, threads=1, **OPTIONS) as adapter:
        adapter.set_source([np.asarray(Image.open(path)) for path in paths])
        adapter.run()
        return digest(adapter.snapshot())


def command(model, recordings, output, *more):
    words = [sys.executable, FLEET / "recordings.py", model, *recordings, "--output", output]
    words += ["--workers", "2", "--checkpoint-seconds", "0", *more]
    for name, value in OPTIONS.items():
        words += ["--set", f"{name}={value}"]
    return [str(word) for word in words]


def run(*arguments):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=300)


def kill_worker(process, output, name):
    """Kills the worker of a recording some steps after its first checkpoint; whether it could."""
    saved = set()
    while process.poll() is None and not (output / f"{name}.onnx").exists():
        checkpoint = output / f"{name}.das3"
        if checkpoint.exists():
            saved.add(checkpoint.stat().st_mtime_ns)
        workers = [
            each for each, title in descendants(process.pid).items() if title == f"ray::{name}"
        ]
        if len(saved) > 10 and workers:
            os.kill(workers[0], signal.SIGKILL)
            return not (output / f"{name}.onnx").exists()
        time.sleep(0.02)
    return False


def main():
    street = pathlib.Path(sys.argv[1]).resolve()
    check, begin = Checks(), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        places = [scratch / f"place{index}" for index in range(6)]
        for index, place in enumerate(places):
            record(street / "frames", place, 0.3 + 0.1 * index, ROUNDS + index % 2)
        counts = [len(list(place.iterdir())) for place in places]
        source = street / "street.onnx"
        model, output = das3.Model(source), scratch / "output"
        expected = [without_ray(model, place) for place in places]

        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(command(source, places, output, "--merge"), **pipes) as process:
            check("a worker is killed in the middle", kill_worker(process, output, "place1"))
            log = process.communicate(timeout=300)[0]
        check("all recordings are done nevertheless", process.returncode == 0, log)
        models = [das3.Model(output / f"{place.name}.onnx") for place in places]
        check(
            "all six are those of runs without Ray", [digest(each) for each in models] == expected
        )
        entries = json.loads((output / "summary.json").read_text())
        killed = entries[1]
        check("the retry went on from the checkpoint", killed["resumed_steps"] >= 10, killed)
        print(f"        {killed['resumed_steps']} of {killed['steps']} steps were not taken again")
        check("the others had no checkpoint", not any(e["resumed_steps"] for e in entries[::2]))
        mean = np.average([each.get_parameters() for each in models], axis=0, weights=counts)
        merged = das3.Model(output / "merged.onnx").get_parameters()
        check("the network for all is their mean", np.allclose(merged, mean, rtol=1e-6, atol=1e-7))
        check("no partial files are left", not list(output.glob(".*")), list(output.glob(".*")))

        again = run(source, places, output)
        entries = json.loads((output / "summary.json").read_text())
        finished = all(entry["resumed_steps"] == entry["steps"] for entry in entries)
        check("once more, nothing is left to do", again.returncode == 0 and finished, again.stdout)

        damaged, empty, black = (scratch / name for name in ("damaged", "empty", "black"))
        record(street / "frames", damaged, 0.5, ROUNDS)
        (damaged / "frame20.png").write_bytes((damaged / "frame20.png").read_bytes()[:200])
        empty.mkdir()
        mixed = run(source, [damaged, empty, places[0]], scratch / "mixed")
        check("one recording of three is adapted: 4", mixed.returncode == 4, mixed.stderr)
        for said in ("damaged: failed", "frame20.png cannot be read", "empty has no images"):
            check(f"it says '{said}'", said in mixed.stdout, mixed.stdout)
        record(street / "frames", black, 0, ROUNDS)
        kept = run(source, [black], scratch / "kept")
        check("frames that show nothing keep the network: 3", kept.returncode == 3, kept.stdout)
        same = digest(das3.Model(scratch / "kept/black.onnx")) == digest(model)
        check(
            "it is the source, and why is said", same and "as it was:" in kept.stdout, kept.stdout
        )
        none = run(source, [empty, scratch / "missing"], scratch / "none")
        check("no recording is adapted: 1", none.returncode == 1, none.stdout)
        for more in (["--set", "step_a=1"], ["--set", "steps_a"], ["--threads", "0"]):
            wrong = run(source, places, scratch / "wrong", *more)
            check(f"{' '.join(more)} is refused: 2", wrong.returncode == 2, wrong.stderr)
    print(f"{time.monotonic() - begin:.0f} s")
    return check.end()


if __name__ == "__main__":
    sys.exit(main())
