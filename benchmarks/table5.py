"""Networks and frames in, docs/results.md out: what each part of the method does to mIoU.

See README.md for the rows.
"""

import argparse
import hashlib
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from curves import draw_curves

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent
EVALUATE_EVERY = 80


class Pair(NamedTuple):
    """A network and the place it comes to; paths are those below shared/."""

    title: str
    model: str
    data: str
    frames: str
    size: str
    teacher: str | None = None

    def command(self, options) -> list[str]:
        """What all its runs have in common."""
        models, data = f"{options.shared}/models", f"{options.shared}/{self.data}"
        labels = f"{options.shared}/labels/cityscapes_to_{self.data}.json"
        words = [options.program, "adapt", "--json", "--model", f"{models}/{self.model}.onnx"]
        words += ["--input", f"{data}/{self.frames}", "--size", self.size]
        words += ["--val", f"{data}/val", "--truth", f"{data}/val_labels", "--class-map", labels]
        words += ["--teacher", f"{models}/{self.teacher}.onnx"] if self.teacher else []
        words += ["--evaluate-every", str(EVALUATE_EVERY), "--threads", str(options.threads)]
        return words + options.more


class Row(NamedTuple):
    """A line of the table: where in which run its mIoU stands."""

    name: str
    title: str
    run: str
    stage: str | None  # whose end it is; "start" = before the first, None = a method without

    @property
    def label(self) -> str:
        return f"({self.name})" if len(self.name) == 1 else self.name


ESPNETV2, ESPNET = "espnetv2_s1.0_dynamic", "espnet_q8_dynamic"
PAIRS = {
    "kitti": Pair("ESPNetv2 → KITTI", ESPNETV2, "kitti", "adapt", "832x256"),
    "camvid": Pair("ESPNet → CamVid", ESPNET, "camvid", "train", "480x360"),
    "blackbox": Pair("Black box: ESPNet taught by ESPNetv2 → CamVid", ESPNET, "camvid", "train",
                     "480x360", teacher=ESPNETV2),
}
BASELINES = {
    "bn": "BatchNorm statistics alone", "tent": "entropy, BatchNorm alone",
    "entropy": "entropy", "maxsquare": "maximum squares", "selftrain": "positive labels alone",
}
RUNS = {  # what das3-run adapt is told beside the pair and the seed
    "whole": [],
    "focal": ["--stages", "a", "--set", "beta=0"],
    "positive": ["--stages", "ab", "--set", "negative_weight=0"],
    "augmented": ["--set", "augment=1"],
} | {method: ["--method", method] for method in BASELINES}
ROWS = (
    Row("source", "the network as it came", "whole", "start"),
    Row("a", "focal entropy", "focal", "a"),
    Row("b", "+ diversity: all of stage a", "whole", "a"),
    Row("c", "+ positive labels", "positive", "b"),
    Row("d", "+ negative labels: all of stage b", "whole", "b"),
    Row("e", "+ easy frames and ClassMix: all of stage c", "whole", "c"),
    Row("f", "+ augmentation in stage c", "augmented", "c"),
    *(Row(method, title, method, None) for method, title in BASELINES.items()),
)
TAUGHT_ROWS = ("source", "c", "d", "e", "f", "selftrain")


class Run:
    """One call of das3-run adapt, and the events it has printed once it is done."""

    def __init__(self, options, pair: str, name: str, seed: int):
        self.pair, self.name, self.seed = pair, name, seed
        self.command = [*PAIRS[pair].command(options), "--seed", str(seed), *RUNS[name]]
        key = hashlib.sha256(json.dumps([self.command, options.program_hash]).encode()).hexdigest()
        self.path = options.cache / f"{pair}-{name}-{seed}-{key[:16]}.jsonl"
        self.reason = ""

    def __str__(self) -> str:
        return f"{self.pair}, {self.name}, seed {self.seed}"

    def finish(self):
        """Runs unless an earlier call did; a run that was interrupted leaves nothing behind."""
        if self.path.exists():
            return
        part = self.path.with_suffix(".part")
        with tempfile.TemporaryDirectory() as folder, part.open("w") as output:
            command = [*self.command, "--output", f"{folder}/adapted.onnx"]
            process = subprocess.run(
                command, stdout=output, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT)
        events = part.read_text().splitlines()
        if process.returncode or not events or not json.loads(events[-1]).get("done"):
            part.unlink()
            errors = process.stderr.strip().splitlines() or [f"status {process.returncode}"]
            raise RuntimeError(errors[-1])
        part.rename(self.path)

    @cached_property
    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    @property
    def evaluations(self) -> list[dict]:
        return [event for event in self.events if event["event"] == "evaluation"]

    def miou(self, stage: str | None) -> float:
        """At the end of a stage."""
        if stage == "start":
            return self.evaluations[0]["miou"]
        return [found["miou"] for found in self.evaluations if found["stage"] == stage][-1]

    def curve(self) -> list[tuple[int, float]]:
        return [(found["step"], found["miou"]) for found in self.evaluations]

    def stages(self, last: str | None) -> dict[str, dict]:
        """Steps, seconds and those in the network of each stage up to the last."""
        sums = defaultdict(lambda: defaultdict(float))
        for event in self.events:
            if event["event"] == "step" and (last is None or event["stage"] <= last):
                sums[event["stage"]]["steps"] += 1
                for key in ("seconds", "network_seconds"):
                    sums[event["stage"]][key] += event[key]
        return sums


def cells(row: Row, runs: list[Run]) -> list[str]:
    """mIoU, gain, steps, seconds, bookkeeping: means over the seeds."""
    values = [run.miou(row.stage) for run in runs]
    if not values:
        return ["–"] * 5
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    miou = f"{statistics.fmean(values):.2f}{spread}"
    if row.stage == "start":
        return [miou, "", "", "", ""]
    gain = statistics.fmean(run.miou(row.stage) - run.miou("start") for run in runs)
    stages = [run.stages(row.stage) for run in runs]

    def means(key: str) -> dict:
        return {name: statistics.fmean(seed[name][key] for seed in stages) for name in stages[0]}

    def sum_of(key: str) -> str:
        return " + ".join(f"{value:.0f}" for value in means(key).values())

    share = 100 * (1 - means("network_seconds")[row.stage] / means("seconds")[row.stage])
    # What a teacher takes is neither the network's nor ours.
    bookkeeping = "–" if PAIRS[runs[0].pair].teacher else f"{share:.1f} %"
    return [miou, f"{gain:+.2f}", sum_of("steps"), sum_of("seconds"), bookkeeping]


def section(options, pair: str, rows: list[Row], runs: list[Run]) -> str:
    """The table, the picture and the commands of a pair."""
    done = {name: [run for run in runs if run.name == name and not run.reason] for name in RUNS}
    lines = [f"## {PAIRS[pair].title}", ""]
    lines += ["| row | | options | mIoU | gain | steps | seconds | bookkeeping |"]
    lines += ["|---" * 8 + "|"]
    for row in rows:
        values = cells(row, done[row.run])
        given = f"`{shlex.join(RUNS[row.run])}`" if RUNS[row.run] else ""
        lines.append("| " + " | ".join([row.label, row.title, given, *values]) + " |")
    command = shlex.join(PAIRS[pair].command(options))
    lines += ["", f"![mIoU over steps](curves-{pair}.svg)", ""]
    lines += [f"    {command} --output adapted.onnx --seed $seed $options"]
    lines += [f"\n{run}: not run, {run.reason}" for run in runs if run.reason]
    curves = {}
    for name in RUNS:
        labels = [row.label for row in ROWS if row.run == name and row.stage != "start"]
        curves[" ".join(labels)] = [run.curve() for run in done[name]]
    picture = draw_curves(PAIRS[pair].title, curves)
    (options.out.parent / f"curves-{pair}.svg").write_text(picture)
    return "\n".join(lines) + "\n"


def heading(options, runs: list[Run]) -> str:
    processor = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    version = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--tags"], cwd=CHECKOUT, text=True,
        capture_output=True).stdout.strip()
    latest = max((run.path.stat().st_mtime for run in runs if not run.reason), default=time.time())
    seeds = ", ".join(map(str, options.seeds))
    return f"""# Results

mIoU in percent on labelled frames that were not adapted to: mean ± standard deviation over the
seeds {seeds}. Settings are the library's defaults, the same for all networks and places, but
for what a row says. Steps and seconds are those of the stages, one after the other; a stage may
end before its last step. Seconds are those of the steps and their labels, not of measuring.
Bookkeeping is the part of the last stage's seconds that was not spent in passes of the network:
frames, labels, losses, new weights.

Made by `{shlex.join(["python3", "benchmarks/table5.py", *sys.argv[1:]])}`, last run
{time.strftime("%Y-%m-%d", time.gmtime(latest))}, {version or "no commit"}: {processor},
{os.cpu_count()} cores, {system}; {options.jobs} runs side by side, {options.threads} threads each.
[benchmarks/README.md](../benchmarks/README.md) says what the rows are.
"""


def run_all(options, runs: list[Run]):
    """So many side by side; those that fail know why."""
    pool = ThreadPoolExecutor(options.jobs)
    futures = {pool.submit(run.finish): run for run in runs}
    try:
        for count, future in enumerate(as_completed(futures), 1):
            run = futures[future]
            run.reason = str(future.exception() or "")
            found = run.reason or f"mIoU {run.miou('start'):.2f} → {run.curve()[-1][1]:.2f}"
            print(f"{count}/{len(runs)} {run}: {found}", file=sys.stderr)
    finally:
        pool.shutdown(cancel_futures=True)


def arguments():
    def names(known):
        def chosen(text: str) -> list[str]:
            words = text.split(",")
            if unknown := [word for word in words if word not in known]:
                raise argparse.ArgumentTypeError(
                    f"'{unknown[0]}' is unknown; expected some of {','.join(known)}")
            return [name for name in known if name in words]
        return chosen

    cores = len(os.sched_getaffinity(0))
    rows = [row.name for row in ROWS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=names(PAIRS), default=[*PAIRS],
                        help=f"some of {','.join(PAIRS)} (default: all)")
    parser.add_argument("--rows", type=names(rows), default=rows,
                        help=f"some of {','.join(rows)} (default: all)")
    parser.add_argument("--seeds", default=[0, 1, 2],
                        type=lambda text: [int(word) for word in text.split(",")],
                        help="numbers (default: 0,1,2)")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side (default: 1)")
    parser.add_argument("--threads", type=int, help="of each run (default: cores / jobs)")
    parser.add_argument("--out", type=Path, default=CHECKOUT / "docs" / "results.md",
                        help="Markdown; curves-PAIR.svg go beside it (default: docs/results.md)")
    parser.add_argument("--cache", type=Path, default=CHECKOUT / ".build" / "table5",
                        help="what finished runs have printed (default: .build/table5)")
    parser.add_argument("--program", type=Path, default=CHECKOUT / "build" / "das3-run")
    parser.add_argument("--shared", type=Path, default=CHECKOUT.parent / "shared",
                        help="models, frames and labels (default: beside the checkout)")
    parser.add_argument("more", nargs="*", help="after --: for every das3-run adapt")
    options = parser.parse_args()
    options.threads = options.threads or max(1, cores // options.jobs)
    if not options.program.is_file():
        parser.error(f"{options.program} is not there; make builds it")
    options.program_hash = hashlib.sha256(options.program.read_bytes()).hexdigest()
    # Commands are the same on every machine.
    options.program = os.path.relpath(options.program, CHECKOUT)
    options.shared = os.path.relpath(options.shared, CHECKOUT)
    for folder in (options.cache, options.out.parent):
        folder.mkdir(parents=True, exist_ok=True)
    return options


def main() -> int:
    options = arguments()
    tables = {}
    for pair in options.pairs:
        rows = [row for row in ROWS if row.name in options.rows
                and (not PAIRS[pair].teacher or row.name in TAUGHT_ROWS)]
        runs = [Run(options, pair, name, seed) for seed in options.seeds
                for name in dict.fromkeys(row.run for row in rows)]
        tables[pair] = (rows, runs)
    runs = [run for _, runs in tables.values() for run in runs]
    try:
        run_all(options, runs)
    except KeyboardInterrupt:
        print("interrupted; the same line goes on", file=sys.stderr)
        return 130
    text = [heading(options, runs)]
    text += [section(options, pair, *table) for pair, table in tables.items()]
    options.out.write_text("\n".join(text))
    return 1 if any(run.reason for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
