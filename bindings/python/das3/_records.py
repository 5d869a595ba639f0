"""Structs of das3.h <-> Python: options in, descriptions out."""

from __future__ import annotations

import ctypes
import difflib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, get_type_hints

from ._ffi import library
from .errors import ArgumentError, check

_Enum = TypeVar("_Enum", bound=IntEnum)
_Record = TypeVar("_Record", bound=NamedTuple)
_Struct = TypeVar("_Struct", bound=ctypes.Structure)


def sized(struct: type[_Struct]) -> _Struct:
    """A zeroed struct that knows its size."""
    return struct(struct_size=ctypes.sizeof(struct))


def member(kind: type[_Enum], name: str, value: int | str) -> _Enum:
    """A member of an enumeration by itself, its number, or its name in any case."""
    if isinstance(value, str) and value.upper() in kind.__members__:
        return kind[value.upper()]
    if not isinstance(value, str):
        with suppress(ValueError):
            return kind(value)
    known = [entry.lower() for entry in kind.__members__]
    near = difflib.get_close_matches(str(value).lower(), known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ArgumentError(
        f"{name} is {value!r}; expected a das3.{kind.__name__}, or one of {', '.join(known)}{hint}"
    )


def file_path(path: str | os.PathLike[str]) -> bytes:
    """A path as C takes it, which ends at the first NUL."""
    return _text_of("path", path)


def _text_of(name: str, value: str | os.PathLike[str]) -> bytes:
    text = os.fsencode(value)
    if b"\0" in text:
        raise ArgumentError(f"{name} is {value!r}; expected a text without a NUL")
    return text


def with_options(
    struct: type[_Struct],
    options: Mapping[str, Any],
    enumerations: Mapping[str, type[IntEnum]] = {},
) -> _Struct:
    """The defaults of the library with these options in their place.

    enumerations  of the options that have one.
    """
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
        if name in enumerations and isinstance(value, str):
            value = member(enumerations[name], name, value)
        try:
            # ctypes takes a number for an address.
            setattr(raw, name, _text_of(name, value) if is_text and value is not None else value)
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


def profiled(get: Callable[[Any, Any], int], handle: Any) -> dict[str, Any]:
    """What a function of das3.h lends as JSON."""
    text = ctypes.c_char_p()
    check(get(handle, ctypes.byref(text)))
    found: dict[str, Any] = json.loads(text.value or b"{}")
    return found


@lru_cache(None)
def _converters(kind: type[NamedTuple]) -> list[tuple[str, Callable[[Any], Any]]]:
    hints = get_type_hints(kind)
    return [(name, _text if hints[name] is str else hints[name]) for name in kind._fields]


def _text(value: bytes | int) -> str:
    """A string, or a stage: the number of a letter, 0 for none."""
    return value.decode() if isinstance(value, bytes) else chr(value) if value else ""
