"""Runs das3-run drive on views of the street: labels, learning, what it leaves, what it refuses.

    python Tests/EndToEnd/drive.py DAS3_RUN STREET

STREET is examples/street. Prints what it checks and, last, how many checks passed.
"""

import functools
import http.server
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from PIL import Image

from client import Checks, Program
from report import Page


def views(street, folder, count):
    """The frames of the street moved sideways: all different."""
    folder.mkdir()
    frames = [np.asarray(Image.open(path)) for path in sorted((street / "frames").glob("*.png"))]
    for index in range(count):
        view = np.roll(frames[index % len(frames)][::2, ::2], 5 * index, axis=1)
        Image.fromarray(view).save(folder / f"{index:03}.png")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def learns(check, program, folder):
    """A drive over images: every frame labelled, the same input gives the same network."""
    options = dict(command="drive", input=folder / "views", steps_per_frame=2)
    results = []
    for name in ("one", "two"):
        words = program.command(
            folder / f"{name}.onnx", "--json", report=folder / f"{name}-page", overlay=folder / f"{name}.mp4",
            checkpoint=folder / f"{name}.das3", **options)
        results.append(subprocess.run(words, capture_output=True, text=True, timeout=600))
    first = results[0]
    events = [json.loads(line) for line in first.stdout.splitlines()]
    summary = events[-1]
    frames = [event for event in events if event["event"] == "frame"]
    check("an event a frame", len(frames) == 60 and summary["frames"] == 60, first.stderr)
    check("frames are named", frames[7]["frame"] == "007.png", frames[7])
    check("it learns", summary["steps"] > 60 and summary["judged"] > 1, summary)
    wanted = 3 if summary["weights"] == "source" else 0
    check("the exit code says whose weights label", first.returncode == wanted, first.returncode)
    changes = [event["weights"] for event in events if event["event"] == "weights"]
    check("changes are told", (changes or ["source"])[-1] == summary["weights"], changes)
    check("the same network", (folder / "one.onnx").read_bytes() == (folder / "two.onnx").read_bytes())
    check("a whole overlay", program_ok(program, "segment", folder / "one.mp4") == 60)

    page = Page(folder / "one-page" / "index.html")
    titles = ["Settings", "Weights in use", "Curves", "Classes", "Frames", "Times and memory"]
    check("a page with all sections", [h for h in page.headings if h in titles] == titles,
          page.headings)
    check("that stands alone", "script" not in page.tags and all(
        link.startswith(("data:", "#")) for link in page.links), page.links[:9])
    check("and shows frames", len(page.images) >= 12, len(page.images))
    words = program.command(
        folder / "more.onnx", "--json", "--resume", checkpoint=folder / "one.das3",
        **(options | {"input": folder / "few"}))
    again = subprocess.run(words, capture_output=True, text=True, timeout=600)
    more = json.loads(again.stdout.splitlines()[-1])
    check("a checkpoint is gone on with", 0 < more["steps"] <= summary["steps"], more)
    check("the weights are kept", more["weights"] == summary["weights"], more)
    text = subprocess.run(
        program.command(folder / "text.onnx", command="drive", input=folder / "few"),
        capture_output=True, text=True, timeout=600)
    check("text for people", "5 frames in" in text.stdout and "as it came" in text.stdout, text.stdout)
    check("the source stays", text.returncode == 3 and "too few frames" in text.stderr, text.stderr)


def program_ok(program, command, path):
    """Frames that a command finds in a video; its error where it fails."""
    words = [str(program.program), command, "--json", "--model", str(program.model), "--input", str(path)]
    result = subprocess.run(words, capture_output=True, text=True, timeout=600)
    return json.loads(result.stdout.splitlines()[-1])["frames"] if result.returncode == 0 else result.stderr


def streams(check, program, folder):
    """An address, and a video at its own pace that is interrupted."""
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Gray pictures of YUV4MPEG2, which can be read without going back.
    with (folder / "views.y4m").open("wb") as video:
        video.write(b"YUV4MPEG2 W160 H120 F25:1 Cmono\n")
        for path in sorted((folder / "views").iterdir())[:12]:
            video.write(b"FRAME\n" + Image.open(path).convert("L").resize((160, 120)).tobytes())
    address = f"http://127.0.0.1:{server.server_port}/views.y4m"
    words = program.command(folder / "http.onnx", "--json", command="drive", input=address, limit=9)
    result = subprocess.run(words, capture_output=True, text=True, timeout=600)
    frames = json.loads(result.stdout.splitlines()[-1])["frames"] if result.stdout else result.stderr
    check("a video from an address", frames == 9, frames)
    server.shutdown()

    def interrupt(process):
        process.send_signal(signal.SIGINT)

    events, code, errors = program.disturb(
        5, interrupt, folder / "stopped.onnx", "--realtime", command="drive",
        input=folder / "one.mp4", checkpoint=folder / "stopped.das3")
    check("Ctrl-C ends it after the frame", code == 130, (code, errors))
    check("and says so", events[-1]["event"] == "summary" and not events[-1]["done"], events[-1])
    kept = (folder / "stopped.onnx").exists() and (folder / "stopped.das3").exists()
    check("and keeps what there is", kept)


def killed(check, program, folder):
    """A process that dies at any moment leaves a whole checkpoint, and another goes on from it."""
    moments, place = random.Random(7), folder / "killed"
    place.mkdir()
    options = dict(command="drive", input=folder / "views", checkpoint=place / "c.das3")
    words = program.command(None, "--json", "--checkpoint-every", "0", **options)
    for number in range(5):
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(moments.randrange(1, 60)):
                process.stdout.readline()
            time.sleep(moments.uniform(0, 0.02))
            process.kill()
        words += ["--resume"] * (number == 0)
    result = program.run(None, "--json", "--resume", "--limit", "3", **options)
    last = json.loads(result.stdout.splitlines()[-1]) if result.stdout else {"steps": 0}
    check("killed five times: it goes on", result.returncode in (0, 3) and last["steps"] > 0, result)
    check("and leaves one file", [path.name for path in place.iterdir()] == ["c.das3"])


def ignores(check, program, folder):
    """A bonnet and a bar are found by themselves; what is named is ignored, too."""
    (folder / "bonnet").mkdir()
    for path in sorted((folder / "views").iterdir())[:30]:
        view = np.asarray(Image.open(path)).copy()
        height, width = view.shape[:2]
        view[height - height // 4 :, width // 4 :] = (70, 80, 90)
        Image.fromarray(view).save(folder / "bonnet" / path.name)

    def events(name, *more, **options):
        """The JSON of a run over them, whatever becomes of its weights."""
        words = program.command(folder / name, "--json", *more, input=folder / "bonnet", **options)
        result = subprocess.run(words, capture_output=True, text=True, timeout=600)
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        return lines or [{"event": "", "error": result.stderr}]

    blend = dict(method="blend", set="guard=2")
    found = events("found.onnx", report=folder / "found-page", **blend)
    part = [event for event in found if event["event"] == "ignored"]
    check("a bonnet is found", len(part) == 1 and abs(part[0]["share"] - 0.1875) < 0.03, found[-1])
    check("and said to be", found[-1].get("found_share") == part[0]["share"], found[-1])
    page = (folder / "found-page" / "index.html").read_text()
    check("on the page", "found: they never change" in page)
    off = events("off.onnx", "--set", "find_ignored=0", **blend)[-1]
    check("unless that is off", off.get("ignored_share") == 0, off)
    both = events("both.onnx", command="drive", ignore="0-3")[-1]
    good = 0 < both.get("found_share", 0) < both["ignored_share"] < 0.35
    check("what is named and what is found is ignored", good, both)


def refuses(check, program, folder):
    few = folder / "few"
    for what, code, text, options in [
        ("a method that has no stages", 2, "auto or das3", dict(method="tent")),
        ("a budget above 1", 2, "expected 0 to 1", dict(budget=2)),
        ("one file for two things", 2, "are both", dict(overlay=folder / "x.onnx")),
        ("an interval without a checkpoint", 2, "needs '--checkpoint", dict(checkpoint_every=3)),
        ("a checkpoint that is there", 2, "is there already", dict(checkpoint=folder / "one.das3")),
        ("a camera that is not there", 1, "cannot read /dev/video99|libavdevice",
         dict(input="/dev/video99")),
        ("an address that nobody answers", 1, "refused", dict(input="rtsp://127.0.0.1:1/x")),
        ("an address that is a file", 1, "it is an address", dict(input="file:///etc/passwd")),
        ("rows that the frame has not", 1, "the frame has rows 0 to", dict(ignore="900-999")),
        ("a mask that is not there", 1, "no such image", dict(ignore="bonnet.png")),
        ("everything ignored", 2, "every pixel", dict(ignore="0-999")),
        ("a directory that is not there", 1, "no directory",
         dict(overlay=folder / "missing" / "x.mp4")),
    ]:
        options = dict(command="drive", input=few) | options
        result = program.run(folder / "x.onnx", **options)
        good = result.returncode == code and any(part in result.stderr for part in text.split("|"))
        check(f"refused: {what}", good, (result.returncode, result.stderr))
    check("nothing is written", not (folder / "x.onnx").exists())


def main():
    program, street = map(pathlib.Path, sys.argv[1:3])
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        program = Program(program.resolve(), street, folder)
        views(street, folder / "views", 60)
        (folder / "few").mkdir()
        for path in sorted((folder / "views").iterdir())[:5]:
            shutil.copy(path, folder / "few")
        learns(check, program, folder)
        streams(check, program, folder)
        killed(check, program, folder)
        ignores(check, program, folder)
        refuses(check, program, folder)
    return check.end()


if __name__ == "__main__":
    sys.exit(main())
