"""A status and a message of the library -> an exception."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from ._ffi import library


class Status(IntEnum):
    """`das3_status`: what a function of the library answers."""

    OK = 0
    ARGUMENT = -1
    SHAPE = -2
    MEMORY = -3
    IO = -4
    FORMAT = -5
    UNSUPPORTED = -6
    LIMIT = -7
    CANCELLED = -8
    INTERNAL = -9


class Das3Error(Exception):
    """Anything that das3 refuses or fails at. The message says what was found and expected."""

    status: Status = Status.INTERNAL


class ArgumentError(Das3Error, ValueError):
    """An argument or option is missing or out of its range."""

    status = Status.ARGUMENT


class ShapeError(Das3Error, ValueError):
    """Sizes do not fit the network, or each other."""

    status = Status.SHAPE


class OutOfMemoryError(Das3Error, MemoryError):
    """Memory ran out, or the memory limit is too small."""

    status = Status.MEMORY


class FileError(Das3Error, OSError):
    """A file cannot be read or written."""

    status = Status.IO


class FormatError(Das3Error, ValueError):
    """A file is damaged, or not what it should be."""

    status = Status.FORMAT


class UnsupportedError(Das3Error, NotImplementedError):
    """Valid, but not something this library or this CPU does."""

    status = Status.UNSUPPORTED


class LimitError(Das3Error):
    """A declared limit (bytes, nodes, time) would be exceeded."""

    status = Status.LIMIT


class CancelledError(Das3Error):
    """Stopped on request."""

    status = Status.CANCELLED


class ForkError(Das3Error, RuntimeError):
    """das3 was used before this process was forked, and its threads did not come along."""

    status = Status.UNSUPPORTED


class InternalError(Das3Error, RuntimeError):
    """A mistake in the library; please report it with the message."""

    status = Status.INTERNAL


_BY_STATUS: dict[int, type[Das3Error]] = {
    kind.status: kind
    for kind in (
        ArgumentError,
        ShapeError,
        OutOfMemoryError,
        FileError,
        FormatError,
        UnsupportedError,
        LimitError,
        CancelledError,
        InternalError,
    )
}
_thread = threading.local()


def check(status: int) -> None:
    """Raises what a callback of the call has raised, else the error that the status stands for."""
    raised = kept()
    if raised is not None:
        _thread.error = None
        raise raised
    if status != Status.OK:
        raise _BY_STATUS.get(status, InternalError)(library.das3_last_error().decode())


def kept() -> BaseException | None:
    """What a callback of this thread's call has raised."""
    return getattr(_thread, "error", None)


def keep(error: BaseException) -> None:
    """Keeps the first exception until the call that ran the callback has returned to `check`."""
    if kept() is None:
        _thread.error = error


def guarded(function: Callable[..., object]) -> Callable[..., int]:
    """The function as C calls it: 0 to go on, 1 for a true result or an exception, then kept."""

    def call(*arguments: Any) -> int:
        try:
            result = function(*arguments)
        except BaseException as error:
            keep(error)
        return int(kept() is not None or bool(result))

    return call


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Keeps what Ctrl-C raises while C runs: at the first line of a callback it would be lost."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    handle = guarded(handler)
    signal.signal(signal.SIGINT, lambda number, frame: handle(number, frame))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
