"""What happened to the frames, and what was learned from them, as diagnostics say it."""

import math
import threading
import time
from collections import deque
from typing import NamedTuple, Optional

import das3

OK, WARN, ERROR = 0, 1, 2  # levels of diagnostic_msgs/DiagnosticStatus


class Diagnosis(NamedTuple):
    level: int
    message: str
    values: dict[str, str]


class Counts(NamedTuple):
    received: int = 0
    labelled: int = 0
    dropped: int = 0
    refused: int = 0


class Health:
    """Counts frames. Any thread may call any function."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = self._counts_before = Counts()
        self._before = time.monotonic()
        self._latencies: deque[float] = deque(maxlen=512)
        self._encoding = self._refusal = ""

    def received(self) -> None:
        self._count(received=1)

    def dropped(self) -> None:
        self._count(dropped=1)

    def refused(self, message: str) -> None:
        with self._lock:
            self._refusal = message
        self._count(refused=1)

    def labelled(self, encoding: str, latency_milliseconds: float) -> None:
        with self._lock:
            self._encoding = encoding
            self._latencies.append(latency_milliseconds)
        self._count(labelled=1)

    def _count(self, **more: int) -> None:
        with self._lock:
            found = self._counts._asdict()
            self._counts = Counts(**{name: found[name] + more.get(name, 0) for name in found})

    def diagnose(self, report: das3.OnlineReport, now: Optional[float] = None) -> Diagnosis:
        """Describes the time since the last diagnosis, and counts from the start."""
        now = time.monotonic() if now is None else now
        with self._lock:
            counts, latencies = self._counts, sorted(self._latencies)
            since = Counts(*(new - old for new, old in zip(counts, self._counts_before)))
            seconds = now - self._before
            self._counts_before, self._before = counts, now
            encoding, refusal = self._encoding, self._refusal
        rate = since.labelled / seconds if seconds > 0 else 0.0
        learning = _learning_of(report)
        if since.refused:
            level, message = ERROR, refusal
        elif not since.received:
            level, message = WARN, "no frame since the last diagnosis"
        elif report.status:
            level, message = WARN, f"learning has {learning}"
        elif since.dropped > since.labelled:
            level, message = WARN, "more frames are dropped than labelled"
        else:
            level, message = OK, f"labels {rate:.1f} frames a second"
        values = {
            "encoding": encoding,
            "rate_hz": f"{rate:.2f}",
            "latency_median_ms": f"{quantile(latencies, 0.5):.2f}",
            "latency_p99_ms": f"{quantile(latencies, 0.99):.2f}",
            "frames_received": str(counts.received),
            "frames_labelled": str(counts.labelled),
            "frames_dropped": str(counts.dropped),
            "frames_refused": str(counts.refused),
            "learning": learning,
            "weights": _weights_of(report),
            "steps": str(report.total_step),
            "accepted": str(report.accepted_count),
            "refused": str(report.held_count + report.rolled_back_count),
            "alarms": str(report.alarm_count),
            "swaps": str(report.swap_count),
            "score": f"{report.score:.4f}",
            "source_score": f"{report.source_score:.4f}",
        }
        return Diagnosis(level, message, values)


def quantile(ordered: list[float], share: float) -> float:
    """The value that `share` of the values do not exceed (nearest rank); 0 if there are none."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1] if ordered else 0.0


def _learning_of(report: das3.OnlineReport) -> str:
    if report.status:
        return f"ended: {das3.status_name(report.status)}"
    return "paused" if report.paused else "on"


def _weights_of(report: das3.OnlineReport) -> str:
    name = report.origin.name.lower()
    return f"stage {name}" if len(name) == 1 else name
