"""Sends frames without end through stages (a) and (b) of an adapter whose memory is limited.

    python Tests/bounded.py LIBRARY MODEL

10,000 frames come from a callback, one at a time, and go through (a) and (b) once each, with 300 MB for
everything, so that all labels are on disk; then as many with 160 MB as have their labels in memory. The
resident memory of the process, Python and all, must stay within the limit.
Prints what it checks and, last, how many checks passed.
"""

import collections
import ctypes
import multiprocessing
import os
import pathlib
import random
import sys
import tempfile

from client import Checks, Library, struct

WIDTH, HEIGHT = 96, 72
FRAME_BYTES = WIDTH * HEIGHT * 3
RUNS = ((10_000, 300_000_000), (3_500, 160_000_000))
RGB8 = 1

das3_image = struct("das3_image")
das3_frame_source = struct("das3_frame_source")
das3_adapter_options = struct("das3_adapter_options")
das3_adapter_report = struct("das3_adapter_report")
READ = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_int64, ctypes.POINTER(das3_image), ctypes.c_void_p
)
PROGRESS = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.POINTER(das3_adapter_report), ctypes.c_void_p
)


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


def adapt(library, model, count, limit, folder):
    """Runs an adapter in a process of its own; what was seen of it."""
    das3 = Library(library)
    noise = random.Random(7).randbytes(FRAME_BYTES + 97 * 1009)
    pixels = ctypes.create_string_buffer(FRAME_BYTES)
    reads = bytearray(count)
    seen = collections.Counter()

    @READ
    def read(index, image, payload):
        reads[index] += 1
        start = 97 * (index % 1009)
        ctypes.memmove(pixels, noise[start : start + FRAME_BYTES], FRAME_BYTES)
        address = ctypes.cast(pixels, ctypes.c_void_p)
        image[0] = das3_image(address, WIDTH, HEIGHT, 0, RGB8)
        return 0

    @PROGRESS
    def follow(report, payload):
        report = report[0]
        seen["labels" if report.labelling else chr(report.stage)] += 1
        seen["reported"] = max(seen["reported"], report.memory_bytes)
        if report.labelling and report.labels_done % 500 == 0 or report.step == 1:
            seen["disk"] = max(seen["disk"], disk_bytes(folder))
        return 0

    adapter, options = ctypes.c_void_p(), das3_adapter_options()
    das3.c.das3_adapter_options_init(ctypes.byref(options))
    options.threads, options.width, options.height = 1, WIDTH, HEIGHT
    options.stages, options.epochs_a, options.epochs_b, options.label_rounds = b"ab", 1, 1, 1
    # A drift would be measured on frames, and end the stages.
    options.flip = options.drift_a = options.drift_b = 0
    options.memory_limit, options.scratch_directory = limit, folder.encode()
    das3.check(das3.c.das3_adapter_create(ctypes.byref(adapter), das3.load(model), ctypes.byref(options)))
    source = das3_frame_source(count=count, read=ctypes.cast(read, ctypes.c_void_p))
    source.struct_size = ctypes.sizeof(source)
    das3.check(das3.c.das3_adapter_set_source(adapter, ctypes.byref(source)))
    das3.check(das3.c.das3_adapter_run(adapter, follow, None))
    return seen | {"resident": resident_bytes(), "reads": set(reads)}


def main(library, model):
    check = Checks()
    for count, limit in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                seen = pool.apply(adapt, (library, model, count, limit, folder))
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
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()))
