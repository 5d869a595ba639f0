"""Two functions -> their times per call, measured in turns so that noise hits both alike."""

import gc
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

PAUSE_SECONDS = 0.05  # lets the waiting threads of the other side fall asleep
BLOCK_SECONDS = 0.3
MINIMUM_CALLS, MAXIMUM_CALLS = 3, 50


@dataclass(frozen=True)
class Summary:
    median_ms: float
    min_ms: float
    p95_ms: float
    calls: int


@dataclass(frozen=True)
class Comparison:
    first: Summary
    second: Summary
    ratio: float          # first / second: median over the rounds of the ratio of block medians
    ratio_low: float      # the quartiles of that ratio over the rounds
    ratio_high: float


def block(call: Callable[[], object], count: int) -> list[float]:
    """Milliseconds of `count` calls after two that are not counted."""
    time.sleep(PAUSE_SECONDS)
    call()
    call()
    times = []
    for _ in range(count):
        begin = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begin))
    return times


def calls_per_block(call: Callable[[], object]) -> int:
    milliseconds = statistics.median(block(call, MINIMUM_CALLS))
    return max(MINIMUM_CALLS, min(MAXIMUM_CALLS, int(1000 * BLOCK_SECONDS / milliseconds)))


def summary(blocks: list[list[float]]) -> Summary:
    times = sorted(time for block in blocks for time in block)
    p95 = times[math.ceil(0.95 * len(times)) - 1]
    return Summary(statistics.median(times), times[0], p95, len(times))


def compare(first: Callable[[], object], second: Callable[[], object], rounds: int) -> Comparison:
    counts = calls_per_block(first), calls_per_block(second)
    blocks: tuple[list, list] = ([], [])
    gc.disable()
    try:
        for _ in range(rounds):
            for side, call in enumerate((first, second)):
                blocks[side].append(block(call, counts[side]))
    finally:
        gc.enable()
    ratios = [statistics.median(a) / statistics.median(b) for a, b in zip(*blocks)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Comparison(summary(blocks[0]), summary(blocks[1]), middle, low, high)
