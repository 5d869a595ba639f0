"""Many recordings and one network -> a better network for each recording, or one for all, by Ray.

    recordings.py MODEL RECORDING... --output FOLDER [--merge] [--workers N] [--threads N]
        [--set NAME=VALUE]... [--checkpoint-seconds N] [--retries N] [--address ADDRESS]

A recording is a folder of frames, or one of ROS (rosbag2, MCAP: pip install das3[ros]). Each is one
task of Ray. The output folder gets NAME.onnx and NAME.das3, a checkpoint, for each recording;
summary.json; and with --merge merged.onnx. A task whose worker dies is tried again and goes on from
its checkpoint. So does the whole command: given once more, it does what is left to do.

Exit codes: 0 all is done; 1 no recording could be adapted; 2 wrong usage; 3 all is done, and the
guard has kept the network as it was everywhere; 4 some recordings failed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

import das3
import ray
from adaptation import adapt, check, settings, write
from adaptation import parser as shared_parser
from frames import frames_of


def adapt_recording(
    model: das3.Model,
    recording: Path,
    output: Path,
    options: dict[str, Any],
    checkpoint_seconds: float,
) -> dict[str, Any]:
    """The task: adapts a network to one recording, saves it, and says what was done."""
    name = recording.name
    checkpoint = output / f"{name}.das3"
    outcome = adapt(model, frames_of(recording), options, checkpoint, checkpoint_seconds)
    outcome.model.save(output / f"{name}.onnx")  # replaces a file at once
    return {
        "recording": name,
        "frames": outcome.frame_count,
        "steps": outcome.step_count,
        "resumed_steps": outcome.resumed_step_count,
        "seconds": round(outcome.seconds, 1),
        "cpu_seconds": round(outcome.cpu_seconds, 1),
        "kept": outcome.kept,
    }


def adapt_all(arguments: argparse.Namespace, model: das3.Model) -> list[dict[str, Any]]:
    """What became of each recording, in the order in which they were given."""
    # A task reserves as many processors as its adapter has threads.
    task = ray.remote(num_cpus=arguments.threads, max_retries=arguments.retries)(adapt_recording)
    lent = ray.put(model)  # once, not with every task
    options = arguments.settings | {"threads": arguments.threads}
    pending = {
        task.options(name=recording.name).remote(
            lent, recording, arguments.output, options, arguments.checkpoint_seconds
        ): recording.name
        for recording in arguments.recordings
    }
    order = list(pending.values())
    found: dict[str, dict[str, Any]] = {}
    while pending:
        ready, _ = ray.wait(list(pending))
        name = pending.pop(ready[0])
        try:
            found[name] = ray.get(ready[0])
        except ray.exceptions.RayError as error:
            found[name] = {"recording": name, "error": cause(error)}
        print(line(found[name]), flush=True)
    return [found[name] for name in order]


def cause(error: Exception) -> str:
    """One line of what a task raised, without Ray's account of where; or why it had no end."""
    inner = getattr(error, "cause", None) or error
    text = str(inner).strip() or type(inner).__name__
    return text.splitlines()[0]


def line(entry: dict[str, Any]) -> str:
    if "error" in entry:
        return f"{entry['recording']}: failed: {entry['error']}"
    resumed = f", {entry['resumed_steps']} of them resumed" if entry["resumed_steps"] else ""
    kept = f"; as it was: {entry['kept']}" if entry["kept"] else ""
    return (
        f"{entry['recording']}: {entry['frames']} frames, {entry['steps']} steps{resumed}, "
        f"{entry['seconds']} s{kept}"
    )


def merge(output: Path, done: list[dict[str, Any]]) -> None:
    """Writes one network for all: the mean of their parameters, weighted by frames.

    A network that was kept as it came counts, too: it votes for staying there.
    """
    models = [das3.Model(output / f"{entry['recording']}.onnx") for entry in done]
    with das3.Model.merge(models, [entry["frames"] for entry in done]) as merged:
        merged.save(output / "merged.onnx")
    for model in models:
        model.close()


def parse() -> argparse.Namespace:
    parser = shared_parser(__doc__, "recordings", "recording")
    parser.add_argument("--merge", action="store_true", help="also write one network for all")
    parser.add_argument("--workers", type=int, default=1, help="tasks at a time on this machine")
    parser.add_argument("--checkpoint-seconds", type=float, default=30.0,
                        help="at most so much work is lost")  # fmt: skip
    parser.add_argument("--retries", type=int, default=3, help="when the worker of a task dies")
    parser.add_argument("--address", help="of a Ray cluster; workers counts for nothing then")
    arguments = parser.parse_args()
    names = [recording.resolve().name for recording in arguments.recordings]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        parser.error(f"two recordings are named {twice[0]}; expected names that differ")
    if arguments.workers < 1 or arguments.threads < 1:
        parser.error("--workers and --threads are numbers from 1")
    # Workers have other directories of their own.
    arguments.recordings = [recording.resolve() for recording in arguments.recordings]
    arguments.output = arguments.output.resolve()
    try:
        arguments.settings = settings(arguments.texts)
    except ValueError as error:
        parser.error(str(error))
    return arguments


def main() -> int:
    arguments = parse()
    try:
        model = das3.Model(arguments.model)
        check(model, arguments.settings)
        arguments.output.mkdir(parents=True, exist_ok=True)
    except (das3.Das3Error, TypeError, OSError) as error:
        print(f"recordings.py: {error}", file=sys.stderr)
        return 2
    processors = None if arguments.address else arguments.workers * arguments.threads
    ray.init(address=arguments.address or "local", num_cpus=processors, include_dashboard=False,
             logging_level=logging.WARNING)  # fmt: skip
    try:
        entries = adapt_all(arguments, model)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the checkpoints", file=sys.stderr)
        return 130
    finally:
        ray.shutdown()
    write(arguments.output / "summary.json", json.dumps(entries, indent=2) + "\n")
    done = [entry for entry in entries if "error" not in entry]
    if done and arguments.merge:
        merge(arguments.output, done)
    if len(done) < len(entries):
        return 4 if done else 1
    return 3 if all(entry["kept"] for entry in done) else 0


if __name__ == "__main__":
    sys.exit(main())
