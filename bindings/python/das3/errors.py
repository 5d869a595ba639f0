"""A status and a message of the library -> an exception."""

from __future__ import annotations

import errno
import os
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
    """A file cannot be read or written: `errno` says why, where the system said so."""

    status = Status.IO

    def __str__(self) -> str:
        return str(self.args[-1])


class FileMissingError(FileError, FileNotFoundError):
    """There is no such file or folder."""


class FileDeniedError(FileError, PermissionError):
    """The file may not be read or written."""


class FileIsFolderError(FileError, IsADirectoryError):
    """A folder is where a file was expected."""


class FileNotFolderError(FileError, NotADirectoryError):
    """A file is where a folder was expected."""


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
_FILE_ERRORS: dict[int, type[FileError]] = {
    errno.ENOENT: FileMissingError,
    errno.EACCES: FileDeniedError,
    errno.EPERM: FileDeniedError,
    errno.EISDIR: FileIsFolderError,
    errno.ENOTDIR: FileNotFolderError,
}
_thread = threading.local()


def check(status: int) -> None:
    """Raises what a callback of the call has raised, else the error that the status stands for."""
    raised = kept()
    if raised is not None:
        _thread.error = None
        raise raised
    if status != Status.OK:
        raise _error(status, library.das3_last_error().decode())


def _error(status: int, message: str) -> Das3Error:
    if status != Status.IO:
        return _BY_STATUS.get(status, InternalError)(message)
    # What the system said of a file ends the message.
    reason = message.rsplit(": ", 1)[-1]
    number = next((n for n in errno.errorcode if os.strerror(n) == reason), None)
    if number is None and " is a directory" in message:
        number = errno.EISDIR
    if number is None:
        return FileError(message)
    return _FILE_ERRORS.get(number, FileError)(number, message)


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
