"""What Model, Segmenter, Adapter and Evaluator share: a handle of the library with an owner."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, TypeVar

from ._ffi import library
from .errors import ArgumentError, Das3Error, ForkError, check

_Self = TypeVar("_Self", bound="Handle")

_process: int | None = None  # that first used the library


def enter() -> None:
    """Refuses to work in a child of the process that started the library's threads."""
    global _process
    here = os.getpid()
    if _process is None:
        _process = here
    elif _process != here:
        raise ForkError(
            "das3 was used before this process was forked, and its threads did not come along; "
            "use multiprocessing's 'spawn', or das3 only after the fork"
        )


class Handle:
    """Owns one handle from its making to `close`; guards it against use that C leaves undefined.

    An exception tells of use after `close`, after a fork, or by two threads at once.
    """

    _free: ClassVar[str]  # the function of das3.h that ends the handle
    _is_shared: ClassVar[bool] = False  # many threads at the same time
    _pointer: int | None = None
    _user: int | None = None  # thread that used it last
    _failure: Das3Error | None = None  # why there is no handle; raised at the first use

    def _create(self, function: Any, *arguments: Any) -> None:
        """Takes the handle that a function of das3.h gives through its first parameter."""
        enter()
        self._lock = threading.Lock()
        self._users = 0
        self._guests = 0
        out = ctypes.c_void_p()
        status = function(ctypes.byref(out), *arguments)
        self._pointer = out.value
        check(status)

    @contextmanager
    def _use(self, nests: bool = False, beside: bool = False) -> Iterator[int]:
        """Lends the handle to one call of the library.

        nests   the library itself knows inside which callbacks of the handle it may be called.
        beside  the call may go on beside those of other threads.
        """
        enter()
        here = threading.get_ident()
        with self._lock:
            pointer = self._lent()
            is_nested = nests and self._user == here
            if self._users and not (self._is_shared or is_nested or beside):
                raise ArgumentError(
                    f"this {type(self).__name__} is in use: "
                    "by another thread, or by the call whose callback this is"
                )
            if beside:
                self._guests += 1
            else:
                self._users += 1
                self._user = here
        try:
            yield pointer
        finally:
            with self._lock:
                if beside:
                    self._guests -= 1
                else:
                    self._users -= 1

    def _lent(self) -> int:
        if self._failure is not None:
            raise self._failure
        if self._pointer is None:
            raise ArgumentError(f"this {type(self).__name__} is closed")
        return self._pointer

    def close(self) -> None:
        """Ends the handle; what was made from it lives on. A second call does nothing."""
        if self._pointer is None:
            return
        with self._lock:
            if self._users or self._guests:
                raise ArgumentError(f"this {type(self).__name__} is in use and cannot be closed")
            self._end()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self._end()

    def _end(self) -> None:
        pointer, self._pointer = self._pointer, None
        # In a forked child the handle is still the parent's.
        if pointer is not None and _process == os.getpid():
            getattr(library, self._free)(pointer)

    def __repr__(self) -> str:
        try:
            shown = self._shown()
        except Das3Error as error:
            shown = str(error)
        return f"<das3.{type(self).__name__} {shown}>"

    def _shown(self) -> str:
        """What it is, in a few words."""
        raise NotImplementedError

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} cannot be pickled; pickle the Model instead")
