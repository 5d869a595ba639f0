"""Models in, a table out: time and memory of one adaptation step, libdas3 against PyTorch.

See README.md for what is compared.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
SHARED = CHECKOUT.parent / "shared"
DEEPLAB = "deeplab_v2_r101"
MODELS = [SHARED / "models" / f"{name}.onnx" for name in (
    "espnetv2_s0.5_dynamic", "espnetv2_s1.0_dynamic", "espnet_q8_dynamic", "segformer_b0_random")]
LAYOUTS = ("contiguous", "channels_last")

COLUMNS = (  # title, key, format
    ("model", "model", "{}"), ("threads", "threads", "{}"),
    ("das3 ms", "das3_ms", "{:.0f}"), ("torch ms", "torch_ms", "{:.0f}"),
    ("layout", "torch_layout", "{}"),
    ("das3/torch", "time_ratio", "{:.2f}"), ("range", "time_range", "{0[0]:.2f}–{0[1]:.2f}"),
    ("das3 MB", "das3_mb", "{:.0f}"), ("torch net MB", "torch_net_mb", "{:.0f}"),
    ("das3/torch", "memory_ratio", "{:.2f}"),
    ("bookkeeping", "bookkeeping", "{:.1f} %"),
    ("das3 RSS MB", "das3_rss_mb", "{:.0f}"), ("torch RSS MB", "torch_rss_mb", "{:.0f}"),
)


def run(command: list, threads: int) -> tuple[dict, int]:
    """A program's JSON object and the most memory that its process had resident, in bytes."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [str(word) for word in command], stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            reason = (errors.read().strip().splitlines() or [f"status {process.returncode}"])[-1]
            raise RuntimeError(f"{Path(command[0]).name}: {reason}")
        return json.loads(output.read()), usage.ru_maxrss * 1024


class Case:
    """One model on one number of threads: the answers of both sides, round by round."""

    def __init__(self, options, name: str, path: Path, torch_model, threads: int):
        self.options, self.name, self.threads = options, name, threads
        self.path, self.torch_model = path, torch_model
        self.das3: list[dict] = []
        self.torch: dict[str, list[dict]] = {layout: [] for layout in LAYOUTS}

    def run_das3(self):
        command = [self.options.program, "bench", "--mode", "adapt", "--json"]
        command += ["--model", self.path, "--size", self.options.size, "--threads", self.threads]
        command += ["--precision", self.options.precision]
        if self.options.memory_limit:
            command += ["--memory-limit", self.options.memory_limit]
        answer, resident = run(command, self.threads)
        self.das3.append(answer | {"rss_bytes": resident})

    def run_torch(self, layout: str):
        command = [sys.executable, HERE / "torch_step.py", self.torch_model, self.options.frame]
        command += [self.options.size, self.threads, layout, self.options.seconds,
                    self.options.precision]
        self.torch[layout].append(run(command, self.threads)[0])

    def run_all(self) -> dict:
        """Alternately, so that what else happens on the machine hits both alike."""
        row = {"model": self.name, "threads": self.threads}
        for _ in range(self.options.rounds):
            if not self.options.torch_only and "das3_refused" not in row:
                try:
                    self.run_das3()
                except RuntimeError as error:
                    row["das3_refused"] = str(error)
            for layout in LAYOUTS:
                self.run_torch(layout)
        return row | self.summary()

    def summary(self) -> dict:
        def median(answers, key):
            return statistics.median(answer[key] for answer in answers)

        times = {layout: median(answers, "median_ms") for layout, answers in self.torch.items()}
        layout = min(times, key=times.get)
        best = self.torch[layout]
        net = statistics.median(answer["peak_bytes"] - answer["start_bytes"] for answer in best)
        row = {
            "torch_ms": times[layout], "torch_layout": layout, "torch_layouts_ms": times,
            "torch_min_ms": min(answer["min_ms"] for answer in best),
            "torch_cpu_ms": median(best, "cpu_ms"),
            "torch_net_mb": net / 1e6, "torch_rss_mb": median(best, "peak_bytes") / 1e6,
            "torch_start_mb": median(best, "start_bytes") / 1e6,
            "torch": best[0]["torch"], "parameters": best[0]["parameters"],
        }
        if len(self.das3) == len(best):
            ratios = [a["median_ms"] / b["median_ms"] for a, b in zip(self.das3, best)]
            row |= {
                "das3_ms": median(self.das3, "median_ms"),
                "das3_min_ms": min(answer["min_ms"] for answer in self.das3),
                "das3_mb": median(self.das3, "peak_bytes") / 1e6,
                "bookkeeping": median(self.das3, "bookkeeping"),
                "das3_rss_mb": median(self.das3, "rss_bytes") / 1e6,
                "time_ratio": statistics.median(ratios), "time_range": (min(ratios), max(ratios)),
                "memory_ratio": median(self.das3, "peak_bytes") / net,
            }
        return row


def prepared(options, model: str, folder: Path) -> tuple[str, Path, object]:
    """A model as named on the command line -> its name, its ONNX file, what PyTorch reads."""
    width, height = options.size.split("x")
    if model == DEEPLAB:
        path = folder / f"{DEEPLAB}.onnx"
        command = [sys.executable, HERE / "deeplab.py", path, height, width]
        subprocess.run(command, check=True, capture_output=True)
        return DEEPLAB, path, DEEPLAB
    path = Path(model)
    readable = folder / path.name
    script = CHECKOUT / "Tests" / "Golden" / "onnx_torch.py"
    command = [sys.executable, script, path, readable, height, width]
    subprocess.run(command, check=True, capture_output=True)
    return path.stem, path, readable


def print_table(rows: list[dict]):
    print("| " + " | ".join(title for title, _, _ in COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for row in rows:
        cells = [form.format(row[key]) if key in row else "–" for _, key, form in COLUMNS]
        print("| " + " | ".join(cells) + " |")
    timed = [row["time_ratio"] for row in rows if "time_ratio" in row]
    if timed:
        mean = math.exp(statistics.fmean(map(math.log, timed)))
        print(f"\nGeometric mean of the time ratios: {mean:.2f}")
    for row in rows:
        if "das3_refused" in row:
            print(f"\n{row['model']}, {row['threads']} threads: not timed, {row['das3_refused']}")


def arguments():
    cores = len(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=[*MODELS, DEEPLAB],
                        help=f"ONNX files; {DEEPLAB} is made here (default: shared ones and it)")
    parser.add_argument("--frame", type=Path, help="8-bit RGB PNG (default: CamVid's first)")
    parser.add_argument("--size", default="480x360", help="WIDTHxHEIGHT (default: %(default)s)")
    parser.add_argument("--threads", type=int, action="append",
                        help=f"repeatable (default: 1 and {cores})")
    parser.add_argument("--rounds", type=int, default=3,
                        help="processes of each side (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=5,
                        help="of timed steps in each of PyTorch's processes (default: %(default)s)")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32",
                        help="bf16: of das3-run, and autocast in PyTorch (default: f32)")
    parser.add_argument("--memory-limit", help="for das3-run; without, it takes what it needs")
    parser.add_argument("--program", type=Path, default=CHECKOUT / "build" / "das3-run")
    parser.add_argument("--torch-only", action="store_true", help="leave libdas3 out")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args()
    options.threads = options.threads or sorted({1, cores})
    options.frame = options.frame or min((SHARED / "camvid" / "val").glob("*.png"))
    return options


def main() -> int:
    options = arguments()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for model in options.models:
            name, path, torch_model = prepared(options, str(model), Path(folder))
            for threads in options.threads:
                print(f"{name}, {threads} threads …", file=sys.stderr)
                rows.append(Case(options, name, path, torch_model, threads).run_all())
    if options.json:
        print(json.dumps({"size": options.size, "rows": rows}))
    else:
        print(f"{options.size}, {rows[0]['torch']}, {len(os.sched_getaffinity(0))} cores\n")
        print_table(rows)
    return 1 if any("das3_refused" in row for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
