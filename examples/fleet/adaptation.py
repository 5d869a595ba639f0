"""A network and the frames of a place -> a network that is better there.

The run writes checkpoints. If its process dies, the next call with the same network, frames and
options goes on from the last one and ends with the same bits.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import das3
import numpy as np


class Outcome(NamedTuple):
    model: das3.Model
    kept: str  # why the network is still the one that came, bit for bit; "" = it is another
    frame_count: int
    step_count: int  # of the whole run
    resumed_step_count: int  # of these, the steps that a checkpoint saved from being taken again
    seconds: float  # of this process
    cpu_seconds: float  # ... that processors have worked for it


def parser(text: str, inputs: str, each: str) -> argparse.ArgumentParser:
    """What the command lines of both programs have in common; `text` says what the program does."""
    result = argparse.ArgumentParser(
        description=text.split("\n")[0],
        epilog=text.split("\n\n", 2)[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("model", type=Path)
    result.add_argument(inputs, type=Path, nargs="+", metavar=each)
    result.add_argument("--output", type=Path, required=True)
    result.add_argument("--threads", type=int, default=1, help=f"of each {inputs[:-1]}")
    result.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="texts",
                        help="an option of das3.Adapter, such as steps_a=20")  # fmt: skip
    return result


def settings(texts: list[str]) -> dict[str, Any]:
    """Options of das3.Adapter from texts such as "steps_a=20" and "method=blend"."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is no setting; expected name=value, such as steps_a=20")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def check(model: das3.Model, options: dict[str, Any]) -> None:
    """Raises what is wrong with the options, before anything is done with them."""
    with das3.Adapter(model, **options):
        pass


def adapt(
    model: das3.Model,
    frames: das3.FrameSource,
    options: dict[str, Any],
    checkpoint: Path | None = None,
    checkpoint_seconds: float = 30.0,
) -> Outcome:
    """Runs an adapter to its end, from its checkpoint if there is one.

    The checkpoint stays, so that the same call made again has nothing left to do.
    """
    begin, worked = time.monotonic(), time.process_time()
    saved = begin
    resumed: int | None = None

    def follow(report: das3.Report) -> None:
        nonlocal saved, resumed
        if report.labelling:
            return
        if resumed is None:
            resumed = report.total_step - 1
        if checkpoint and time.monotonic() - saved >= checkpoint_seconds:
            adapter.save(checkpoint)
            saved = time.monotonic()

    with das3.Adapter(model, **options) as adapter:
        adapter.set_source(frames)
        if checkpoint and checkpoint.exists():
            resume(adapter, checkpoint)
        adapter.run(follow)
        last = adapter.step()  # takes no step any more; reports the end
        if checkpoint:
            adapter.save(checkpoint)
        better = adapter.snapshot()
    is_kept = np.array_equal(better.get_parameters(), model.get_parameters())
    reason = last.guard_reason.text or last.blend_reason.text or "The best share of a blend is 0."
    return Outcome(
        model=better,
        kept=reason if is_kept else "",
        frame_count=len(frames),
        step_count=last.total_step,
        resumed_step_count=last.total_step if resumed is None else resumed,
        seconds=time.monotonic() - begin,
        cpu_seconds=time.process_time() - worked,
    )


def resume(adapter: das3.Adapter, checkpoint: Path) -> None:
    try:
        adapter.resume(checkpoint)
    except das3.Das3Error as error:
        hint = "remove it to begin anew, or choose another output folder"
        raise RuntimeError(f"{checkpoint} cannot be continued: {error}; {hint}") from error


def write(path: Path, text: str) -> None:
    """Replaces a file at once: whoever reads it finds the old text or the new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
