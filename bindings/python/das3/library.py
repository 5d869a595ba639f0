"""What belongs to no handle: versions, names of statuses, the library's messages."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from . import _ffi
from ._ffi import library
from ._records import member
from .errors import check, guarded


class LogLevel(IntEnum):
    """`das3_log_level`."""

    DEBUG = 0
    INFO = 1
    WARNING = 2


def version() -> str:
    """The version of the library that is loaded, "major.minor.patch"."""
    return str(library.das3_version().decode())


def abi_version() -> int:
    """The ABI of the library that is loaded."""
    return int(library.das3_abi_version())


def status_name(status: int) -> str:
    """The name that das3.h gives a status, such as "DAS3_E_SHAPE"; "unknown" for others."""
    return str(library.das3_status_name(status).decode())


def last_error() -> str:
    """Why the last call on this thread failed; "" after a success. Exceptions carry it too."""
    return str(library.das3_last_error().decode())


_receiver = _ffi.LogCallback()  # kept alive while the library may call it


def set_log_callback(
    callback: Callable[[LogLevel, str], object] | None,
    minimum_level: LogLevel | str = LogLevel.INFO,
) -> None:
    """Sends messages of this level and above to `callback`; None ends it.

    It runs on the thread whose call has something to say; what it calls itself is silent. What it
    raises comes out of that call.
    """
    global _receiver

    @guarded
    def receive(level: int, message: bytes, payload: int | None) -> None:
        if callback is not None:
            callback(LogLevel(level), message.decode())

    receiver = _ffi.LogCallback() if callback is None else _ffi.LogCallback(receive)
    level = member(LogLevel, "minimum_level", minimum_level)
    check(library.das3_set_log_callback(receiver, level, None))
    _receiver = receiver
