"""Structs of das3.h <-> Python: options in, descriptions out."""

from __future__ import annotations

import ctypes
import difflib
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, get_type_hints

from ._ffi import library
from .errors import ArgumentError

_Record = TypeVar("_Record", bound=NamedTuple)
_Struct = TypeVar("_Struct", bound=ctypes.Structure)


def sized(struct: type[_Struct]) -> _Struct:
    """A zeroed struct that knows its size."""
    return struct(struct_size=ctypes.sizeof(struct))


def with_options(struct: type[_Struct], options: Mapping[str, Any]) -> _Struct:
    """The defaults of the library with these options in their place."""
    raw = struct()
    getattr(library, f"{struct.__name__}_init_sized")(ctypes.byref(raw), ctypes.sizeof(raw))
    own = ("struct_size", "reserved")
    types = {field[0]: field[1] for field in struct._fields_ if field[0] not in own}
    for option, value in options.items():
        name = option.rstrip("_")  # `lambda_`: the other name is a keyword of Python
        if name not in types:
            near = difflib.get_close_matches(option, types, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{option!r} is not among {struct.__name__}{hint}")
        is_text = types[name] is ctypes.c_char_p
        try:
            # ctypes takes a number for an address.
            setattr(raw, name, os.fsencode(value) if is_text and value is not None else value)
        except TypeError:
            expected = "str" if is_text else type(getattr(raw, name)).__name__
            raise TypeError(f"{option} is {value!r}; expected {expected}") from None
        # ctypes keeps the low bits of a number that does not fit.
        if isinstance(value, int) and getattr(raw, name) != value:
            raise ArgumentError(f"{option} is {value}, out of the range of its field")
    return raw


def described(kind: type[_Record], raw: ctypes.Structure) -> _Record:
    """The fields of a struct under the same names, as `kind` declares their types."""
    return kind(*[convert(getattr(raw, name)) for name, convert in _converters(kind)])


@lru_cache(None)
def _converters(kind: type[NamedTuple]) -> list[tuple[str, Callable[[Any], Any]]]:
    hints = get_type_hints(kind)
    return [(name, _text if hints[name] is str else hints[name]) for name in kind._fields]


def _text(value: bytes | int) -> str:
    """A string, or a stage: the number of a letter, 0 for none."""
    return value.decode() if isinstance(value, bytes) else chr(value) if value else ""
