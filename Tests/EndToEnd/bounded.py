"""Sends frames without end through stages (a) and (b) of an adapter whose memory is limited.

    python Tests/EndToEnd/bounded.py MODEL

10,000 frames come from a callback, one at a time, and go through (a) and (b) once each, with 300 MB for
everything, so that all labels are on disk; then as many with 160 MB as have their labels in memory. The
resident memory of the process, Python and all, must stay within the limit.
Prints what it checks and, last, how many checks passed.
"""

import collections
import multiprocessing
import os
import pathlib
import random
import sys
import tempfile

import das3
import numpy as np

from client import Checks

WIDTH, HEIGHT = 96, 72
SHAPE = HEIGHT, WIDTH, 3
RUNS = ((10_000, 300_000_000), (3_500, 160_000_000))


class Noise:
    """Frames without end, no two neighbours alike; how often each was read."""

    def __init__(self, count):
        self.bytes = np.frombuffer(random.Random(7).randbytes(int(np.prod(SHAPE)) + 97 * 1009), np.uint8)
        self.reads = bytearray(count)

    def __len__(self):
        return len(self.reads)

    def __getitem__(self, index):
        self.reads[index] += 1
        start = 97 * (index % 1009)
        return self.bytes[start : start + int(np.prod(SHAPE))].reshape(SHAPE)


def resident_bytes():
    """The most that this process has ever had."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def disk_bytes(folder):
    """Of open files without a name."""
    total = 0
    for link in pathlib.Path("/proc/self/fd").iterdir():
        try:
            if os.readlink(link).startswith(folder):
                total += link.stat().st_size
        except FileNotFoundError:
            pass
    return total


def adapt(model, count, limit, folder):
    """Runs an adapter in a process of its own; what was seen of it."""
    noise, seen = Noise(count), collections.Counter()

    def follow(report):
        seen["labels" if report.labelling else report.stage] += 1
        seen["reported"] = max(seen["reported"], report.memory_bytes)
        if report.labelling and report.labels_done % 500 == 0 or report.step == 1:
            seen["disk"] = max(seen["disk"], disk_bytes(folder))

    # A drift would be measured on frames, and end the stages.
    adapter = das3.Adapter(
        das3.Model(model), method="das3", threads=1, width=WIDTH, height=HEIGHT, stages="ab",
        epochs_a=1, epochs_b=1, label_rounds=1, flip=False, drift_a=0, drift_b=0, memory_limit=limit, scratch_directory=folder)
    adapter.set_source(noise)
    adapter.run(follow)
    return seen | {"resident": resident_bytes(), "reads": set(noise.reads)}


def main(model):
    check = Checks()
    for count, limit in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seen = pool.apply(adapt, (model, count, limit, folder))
            left = os.listdir(folder)
        name = f"{count} frames in {limit // 1_000_000} MB"
        passes = [seen["a"], seen["labels"], seen["b"]]
        check(f"{name}: all go through (a) and (b)", passes == [count] * 3, passes)
        check(f"{name}: each is read three times, no more", seen["reads"] == {3}, seen["reads"])
        megabytes = {key: seen[key] / 1e6 for key in ("reported", "resident", "disk")}
        check(f"{name}: {megabytes['disk']:.0f} MB of labels on disk", seen["disk"] > 0)
        check(f"{name}: {megabytes['reported']:.0f} MB reported", seen["reported"] <= limit)
        check(f"{name}: {megabytes['resident']:.0f} MB resident", seen["resident"] <= limit)
        check(f"{name}: nothing is left behind", left == [], left)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
