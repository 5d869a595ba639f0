"""Calls of das3-run adapt, each kept by what it was told, and what they have printed."""

import argparse
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cached_property
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent


class Refused(RuntimeError):
    """das3-run did not begin, because what it was told is wrong."""


class Run:
    """One call of das3-run adapt, and the events it has printed once it is done."""

    def __init__(self, options, pair: str, name: str, seed: int, command: list[str],
                 inputs: tuple[str, ...] = ()):
        """inputs: what else decides the result, such as a digest of the files."""
        self.pair, self.name, self.seed = pair, name, seed
        self.command = [*command, "--seed", str(seed)]
        decisive = [self.command, options.program_hash, *inputs]
        key = hashlib.sha256(json.dumps(decisive).encode()).hexdigest()
        self.path = options.cache / f"{pair}-{name}-{seed}-{key[:16]}.jsonl"
        self.is_cached_only = options.cached
        self.process = None
        self.reason, self.is_refused = "", False

    def __str__(self) -> str:
        return f"{self.pair}, {self.name}, seed {self.seed}"

    def finish(self):
        """Runs unless an earlier call did; a run that was interrupted leaves nothing behind."""
        if self.path.exists():
            return
        if self.is_cached_only:
            raise RuntimeError("not run yet")
        # Beside the results, so that a finished one only gets its name.
        parent = self.path.parent.resolve()
        with tempfile.TemporaryDirectory(dir=parent, prefix="run-") as folder:
            printed = Path(folder) / "events.jsonl"
            command = [*self.command, "--output", f"{folder}/adapted.onnx"]
            with printed.open("w") as output:
                self.process = subprocess.Popen(
                    command, stdout=output, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT)
                errors = self.process.communicate()[1].strip().splitlines()
            status, events = self.process.returncode, printed.read_text().splitlines()
            if status == 2 and errors:
                raise Refused(errors[0])  # how it should be follows
            # 3 = the guard kept the source network.
            if status not in (0, 3) or not events or not json.loads(events[-1]).get("done"):
                raise RuntimeError(errors[-1] if errors else f"status {status}")
            printed.rename(self.path)

    def stop(self):
        if self.process:
            self.process.terminate()

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


def run_all(options, runs: list[Run]):
    """So many side by side; those that fail know why. An interruption ends the program."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    pool = ThreadPoolExecutor(options.jobs)
    futures = {pool.submit(run.finish): run for run in runs}
    try:
        for count, future in enumerate(as_completed(futures), 1):
            run = futures[future]
            run.reason = str(future.exception() or "")
            run.is_refused = isinstance(future.exception(), Refused)
            found = run.reason or f"mIoU {run.miou('start'):.2f} → {run.curve()[-1][1]:.2f}"
            print(f"{count}/{len(runs)} {run}: {found}", file=sys.stderr)
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        for run in runs:
            run.stop()
        print("interrupted; the same line goes on", file=sys.stderr)
        sys.exit(130)
    finally:
        pool.shutdown(cancel_futures=True)


def made_by(script: str, options, runs: list[Run]) -> str:
    """A paragraph: how a page was made, when and where."""
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
    day = time.strftime("%Y-%m-%d", time.gmtime(latest))
    return (f"Made by `python3 benchmarks/{script}`, last run\n{day}, {version or 'no commit'}: "
            f"{processor},\n{os.cpu_count()} cores, {system}; {options.jobs} runs side by side, "
            f"{options.threads} threads each.")


def add_options(parser: argparse.ArgumentParser, cache: str, out: str, folder: str = "docs"):
    """What every page of results can be told."""
    parser.add_argument("--seeds", default=[0, 1, 2],
                        type=lambda text: [int(word) for word in text.split(",")],
                        help="numbers (default: 0,1,2)")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side (default: 1)")
    parser.add_argument("--threads", type=int, help="of each run (default: cores / jobs)")
    parser.add_argument("--out", type=Path, default=CHECKOUT / folder / out,
                        help=f"Markdown; pictures go beside it (default: {folder}/{out})")
    parser.add_argument("--cache", type=Path, default=CHECKOUT / ".build" / cache,
                        help=f"what finished runs have printed (default: .build/{cache})")
    parser.add_argument("--cached", action="store_true",
                        help="run nothing: make the page of what finished runs have printed")
    parser.add_argument("--program", type=Path, default=CHECKOUT / "build" / "das3-run")
    parser.add_argument("--shared", type=Path, default=CHECKOUT.parent / "shared",
                        help="models, frames and labels (default: beside the checkout)")


def parsed(parser: argparse.ArgumentParser, words: list[str] | None = None):
    """The options among the words, which are those of the command line where none are given."""
    options = parser.parse_args(words)
    options.threads = options.threads or max(1, len(os.sched_getaffinity(0)) // options.jobs)
    if not options.program.is_file():
        parser.error(f"{options.program} is not there; make builds it")
    options.program_hash = hashlib.sha256(options.program.read_bytes()).hexdigest()
    # Commands are the same on every machine.
    options.program = os.path.relpath(options.program, CHECKOUT)
    options.shared = os.path.relpath(options.shared, CHECKOUT)
    for folder in (options.cache, options.out.parent):
        folder.mkdir(parents=True, exist_ok=True)
    return options
