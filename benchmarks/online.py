"""A network and frames in, what learning costs the camera's thread out: das3.Online against das3.Segmenter.

See README.md for what is measured.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from checkout import CHECKOUT
from png import read_png

import das3

BLOCK = 50  # calls of one side before the other has its turn


def resident_mb() -> float:
    """Memory that the process has, without what it only reserved and without pages of files."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024 / 1e6


def percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def timed(label, frame) -> float:
    begin = time.perf_counter()
    label(frame)
    return 1000 * (time.perf_counter() - begin)


def compare(online, segmenter, frames, rounds: int) -> None:
    """Blocks in turns; nothing is learned while the segmenter has its block."""
    times: dict[str, list[float]] = {"segmenter": [], "online": []}
    swaps = []
    for turn in range(rounds):
        online.pause()
        time.sleep(0.5)  # the step that is going on ends
        times["segmenter"] += [timed(segmenter.run, frames[i % len(frames)]) for i in range(BLOCK)]
        online.go_on()
        for i in range(BLOCK):
            before = online.report.swap_count
            times["online"].append(timed(online.run, frames[(turn * BLOCK + i) % len(frames)]))
            if online.report.swap_count > before:
                swaps.append(times["online"][-1])
    alone, beside = times["segmenter"], times["online"]
    print(f"{'':12}{'median, ms':>12}{'p99, ms':>12}")
    for name, values in times.items():
        print(f"{name:12}{statistics.median(values):12.2f}{percentile(values, 0.99):12.2f}")
    print(f"{'ratio':12}{statistics.median(beside) / statistics.median(alone):12.3f}"
          f"{percentile(beside, 0.99) / percentile(alone, 0.99):12.3f}")
    if swaps:
        extra = 1000 * (statistics.median(swaps) - statistics.median(beside))
        print(f"{len(swaps)} frames that took other weights: {extra:+.0f} µs in the median")


def on_disk(frames: list[np.ndarray], folder: str) -> list[np.ndarray]:
    """The same frames in a file, so that they do not count as memory."""
    path = Path(folder) / "frames.npy"
    np.save(path, np.stack(frames))
    return list(np.load(path, mmap_mode="r"))


def endure(online, frames, count: int) -> None:
    """Memory at 500 frames and at the end."""
    begin, settled = time.perf_counter(), None
    for index in range(count):
        online.run(frames[index * 7 % len(frames)])
        if index == 500:
            settled = resident_mb()
        if index % 1000 == 0:
            report = online.report
            print(f"frame {index}: {resident_mb():.1f} MB, {report.total_step} steps, "
                  f"{report.judged_count} judgements, {report.swap_count} swaps", flush=True)
    now = resident_mb()
    if settled:
        print(f"{count} frames in {time.perf_counter() - begin:.0f} s: {settled:.1f} MB at 500, "
              f"{now:.1f} MB at the end, {100 * (now / settled - 1):+.2f} %")


def main() -> int:
    shared = CHECKOUT.parent / "shared"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", type=Path,
                        default=shared / "models" / "espnet_q8_dynamic.onnx")
    parser.add_argument("--frames", type=Path, default=shared / "camvid" / "train",
                        help="a directory of PNGs (default: ../shared/camvid/train)")
    parser.add_argument("--size", default="480x360", help="WIDTHxHEIGHT (default: 480x360)")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=200,
                        help="frames before anything is timed (default: 200)")
    parser.add_argument("--endurance", type=int, default=0, metavar="N",
                        help="instead: memory over so many frames")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    frames = [read_png(path) for path in sorted(options.frames.glob("*.png"))]
    if not frames:
        parser.error(f"{options.frames} has no PNGs")
    size = {"width": width, "height": height, "threads": 1}
    with das3.Model(options.model) as model, das3.Online(model, segmenter=size) as online:
        if options.endurance:
            with tempfile.TemporaryDirectory() as folder:
                frames = on_disk(frames, folder)
                endure(online, frames, options.endurance)
            return 0
        for index in range(options.warm_up):
            online.run(frames[index % len(frames)])
        with das3.Segmenter(model, **size) as segmenter:
            compare(online, segmenter, frames, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
