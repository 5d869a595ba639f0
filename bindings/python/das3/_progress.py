"""Reports -> a bar on the terminal, by tqdm where that is installed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .adapter import Report


@contextmanager
def progress_bar() -> Iterator[Callable[[Report], None]]:
    """A function that follows `Adapter.run` with a bar, else with a line for every stage."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield _follow_in_lines
        return
    with tqdm(unit="step") as bar:

        def follow(report: Report) -> None:
            bar.total = report.total_step_count
            bar.n = report.total_step
            bar.set_description(_what(report), refresh=False)
            bar.set_postfix(loss=f"{report.loss:.4f}", refresh=False)
            bar.update(0)
            if report.stage_done:
                bar.refresh()

        yield follow


def _follow_in_lines(report: Report) -> None:
    if report.stage_done:
        print(f"{_what(report)}: {report.step} steps, loss {report.loss:.4f}", file=sys.stderr)


def _what(report: Report) -> str:
    stage = f"stage {report.stage}" if report.stage else "adapting"
    if report.labelling:
        return f"{stage}, label {report.labels_done} of {report.label_count}"
    return stage
