"""Models and a frame in, a table out: frame time of libdas3 against ONNX Runtime.

Both must give the same labels before either is timed. See README.md for what is compared.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime

from checkout import CHECKOUT
from png import read_png
from reference import Session, input_tensor, labels_of
from timing import compare

import das3

HERE = Path(__file__).resolve().parent
SHARED = CHECKOUT.parent / "shared"
LEAST_AGREEMENT = 0.999
FIRST_LABELS_RUNS = 5

COLUMNS = (  # title, key, format
    ("model", "model", "{}"), ("threads", "threads", "{}"),
    ("das3 ms", "das3_median_ms", "{:.2f}"), ("min", "das3_min_ms", "{:.2f}"),
    ("p95", "das3_p95_ms", "{:.2f}"),
    ("ORT ms", "ort_median_ms", "{:.2f}"), ("min", "ort_min_ms", "{:.2f}"),
    ("p95", "ort_p95_ms", "{:.2f}"),
    ("das3/ORT", "ratio", "{:.2f}"), ("quartiles", "ratio_quartiles", "{0[0]:.2f}-{0[1]:.2f}"),
    ("GFLOP/s", "gflops", "{:.1f}"), ("peak MB", "peak_mb", "{:.1f}"),
    ("first labels ms", "das3_first_labels_ms", "{:.0f}"),
    ("ORT's", "ort_first_labels_ms", "{:.0f}"), ("agreement", "agreement", "{:.3%}"),
)


def first_labels(engine: str, model: Path, size, threads: int) -> float:
    """Median milliseconds from a model file to labels, in a fresh process each time."""
    command = [sys.executable, str(HERE / "first_labels.py"), engine, str(model)]
    command += [str(number) for number in (*size, threads)]
    times = []
    for _ in range(FIRST_LABELS_RUNS):
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        times.append(float(done.stdout))
    return statistics.median(times)


def resampled(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """The nearest pixels: both engines get the same frame, so how does not matter."""
    rows = np.arange(height) * frame.shape[0] // height
    columns = np.arange(width) * frame.shape[1] // width
    return np.ascontiguousarray(frame[rows][:, columns])


def measure(path: Path, frame, threads: int, rounds: int) -> dict:
    """One row of the table; a row with "refused" where the engines disagree."""
    with contextlib.ExitStack() as stack:
        model = stack.enter_context(das3.Model(path))
        height, width = model.info.height or frame.shape[0], model.info.width or frame.shape[1]
        frame = resampled(frame, height, width)
        tensor = input_tensor(frame, model.info)
        session = stack.enter_context(contextlib.closing(Session(str(path), threads)))
        segmenter = stack.enter_context(
            das3.Segmenter(model, height=height, width=width, threads=threads))
        labels = np.empty((height, width), np.uint8)
        expected = labels_of(session.run(tensor), height, width)
        segmenter.run(frame, labels=labels)
        agreement = float((labels == expected).mean())
        row = {"model": path.stem, "threads": threads, "height": height, "width": width,
               "agreement": agreement}
        if agreement < LEAST_AGREEMENT:
            return row | {"refused": f"only {agreement:.3%} of the labels agree"}
        result = compare(
            lambda: segmenter.run(frame, labels=labels), lambda: session.run(tensor), rounds)
        info = segmenter.info
    for name, side in (("das3", result.first), ("ort", result.second)):
        row |= {f"{name}_{key}": value for key, value in dataclasses.asdict(side).items()}
    for name, engine in (("das3", "das3"), ("ort", "onnxruntime")):
        row[f"{name}_first_labels_ms"] = first_labels(engine, path, (height, width), threads)
    return row | {
        "ratio": result.ratio, "ratio_quartiles": (result.ratio_low, result.ratio_high),
        "gflops": 2e-6 * info.multiply_adds / result.first.median_ms,
        "peak_mb": info.peak_bytes / 1e6, "backend": info.backend,
    }


def measure_apart(path: Path, frame, threads: int, rounds: int) -> dict:
    """`measure` in a process of its own: nothing of earlier rows is left, a crash costs one row."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(measure, path, frame, threads, rounds).result()
        except RuntimeError as error:
            return {"model": path.stem, "threads": threads, "refused": str(error)}


def print_table(rows: list[dict]):
    timed = [row for row in rows if "ratio" in row]
    cells = [[title for title, _, _ in COLUMNS]]
    cells += [[form.format(row[key]) for _, key, form in COLUMNS] for row in timed]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    for line in cells:
        padded = [cell.rjust(width) for cell, width in zip(line, widths)]
        padded[0] = line[0].ljust(widths[0])
        print("  ".join(padded))
    for row in rows:
        if "ratio" not in row:
            print(f"{row['model']}, {row['threads']} threads: not timed, {row['refused']}")


def cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown"


def arguments():
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, default=[SHARED / "models"],
                        help="ONNX files or folders of them (default: %(default)s)")
    parser.add_argument("--frame", type=Path, help="8-bit RGB PNG (default: CamVid's first)")
    parser.add_argument("--size", default="480x360", help="WIDTHxHEIGHT (default: %(default)s)")
    parser.add_argument("--threads", type=int, action="append",
                        help=f"repeatable (default: 1 and {cores})")
    parser.add_argument("--rounds", type=int, default=8,
                        help="blocks of each engine (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    options.threads = options.threads or sorted({1, cores})
    if options.rounds < 2:
        parser.error("--rounds must be at least 2")
    return options


def main() -> int:
    options = arguments()
    width, height = map(int, options.size.split("x"))
    frame_path = options.frame or min((SHARED / "camvid" / "val").glob("*.png"))
    frame = resampled(read_png(frame_path), height, width)
    paths = []
    for path in options.models:
        paths += sorted(path.glob("*.onnx")) if path.is_dir() else [path]
    rows = []
    for path in paths:
        for threads in options.threads:
            print(f"{path.stem}, {threads} threads …", file=sys.stderr)
            rows.append(measure_apart(path, frame, threads, options.rounds))
    machine = {
        "cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)),
        "das3": das3.version(), "onnxruntime": onnxruntime.__version__,
    }
    if options.json:
        print(json.dumps({"machine": machine, "rows": rows}))
    else:
        print("{cpu}, {cores} cores, libdas3 {das3}, ONNX Runtime {onnxruntime}".format(**machine))
        print_table(rows)
    return 0 if all("ratio" in row for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
