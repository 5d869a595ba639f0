"""numpy arrays <-> images and buffers of das3.h. Only rows that are not packed are copied."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple, Protocol, Union

import numpy as np
import numpy.typing as npt

from ._ffi import das3_image
from ._records import member
from .errors import ArgumentError, ShapeError


class HasArray(Protocol):
    """What numpy can look into: a tensor of torch in the memory of the CPU."""

    def __array__(self, *arguments: Any, **keywords: Any) -> npt.NDArray[Any]: ...


class HasArrayInterface(Protocol):
    """The same by other means: an image of PIL."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


# uint8 or float32, as a Format says.
Frame = Union[npt.NDArray[Any], HasArray, HasArrayInterface]


class Format(IntEnum):
    """`das3_format`: how pixels lie in an array. Names do too, such as "bgr8".

    Rows may lie any distance apart. An array whose pixels lie in another order, such as
    `frame[:, ::-1]`, is copied first.

    =========  =======  ============  =========================================================
    RGB8       uint8    (H, W, 3)     what uint8 arrays of this shape are taken for
    BGR8       uint8    (H, W, 3)     as OpenCV has it
    RGBA8      uint8    (H, W, 4)     alpha unused; what uint8 arrays of this shape are taken for
    BGRA8      uint8    (H, W, 4)     alpha unused
    GRAY8      uint8    (H, W)        what uint8 arrays of this shape are taken for
    NV12       uint8    (H * 3/2, W)  Y, then rows of interleaved UV; BT.601, video range
    YUYV       uint8    (H, W, 2)     even width; BT.601, video range
    FLOAT32    float32  (C, H, W)     planes, normalised as the network expects
    =========  =======  ============  =========================================================
    """

    RGB8 = 1
    BGR8 = 2
    RGBA8 = 3
    BGRA8 = 4
    GRAY8 = 5
    NV12 = 6
    YUYV = 7
    FLOAT32 = 8


class _Layout(NamedTuple):
    dtype: Any
    rank: int
    pixel_bytes: int  # of one element of a row: the last axis of three, or a number
    shape: str


_UINT8, _FLOAT32 = np.dtype(np.uint8), np.dtype(np.float32)
_LAYOUTS = {
    Format.RGB8: _Layout(_UINT8, 3, 3, "(H, W, 3)"),
    Format.BGR8: _Layout(_UINT8, 3, 3, "(H, W, 3)"),
    Format.RGBA8: _Layout(_UINT8, 3, 4, "(H, W, 4)"),
    Format.BGRA8: _Layout(_UINT8, 3, 4, "(H, W, 4)"),
    Format.GRAY8: _Layout(_UINT8, 2, 1, "(H, W)"),
    Format.NV12: _Layout(_UINT8, 2, 1, "(H * 3/2, W), W even"),
    Format.YUYV: _Layout(_UINT8, 3, 2, "(H, W, 2)"),
    Format.FLOAT32: _Layout(_FLOAT32, 3, 4, "(C, H, W)"),
}
_GUESSES = {3: Format.RGB8, 4: Format.RGBA8}
# Modes of PIL whose numbers are what Format takes them for; those of "P" are indices of colours.
_PIL_MODES = ("RGB", "RGBX", "RGBA", "L")


def lent(
    frame: Frame, format: Format | str | None, channel_count: int
) -> tuple[npt.NDArray[Any], das3_image]:
    """The array that holds a frame's pixels, and an image of it, which the array must outlive."""
    array = _array_of("a frame", frame)
    # An array that lies in a file has a mode of another kind.
    mode = None if isinstance(frame, np.ndarray) else getattr(frame, "mode", None)
    if isinstance(mode, str) and mode not in _PIL_MODES:
        raise ArgumentError(
            f"a frame is an image of mode {mode!r}; "
            "expected RGB, RGBA or L: image.convert('RGB') makes one"
        )
    format = _guess(array) if format is None else member(Format, "format", format)
    layout = _LAYOUTS[format]
    if array.dtype != layout.dtype or array.ndim != layout.rank:
        raise _unfit(array, format)
    if format is Format.FLOAT32:
        planes, height, width = array.shape
        if planes != channel_count:
            taken = f"the network takes {channel_count} of them first: (C, H, W)"
            raise ShapeError(f"a frame of float32 {array.shape} has {planes} planes; {taken}")
    else:
        height, width = array.shape[:2]
        if layout.rank == 3 and array.shape[2] != layout.pixel_bytes:
            raise _unfit(array, format)
        if format is Format.NV12:
            rows, height = height, height * 2 // 3
            if rows != height + (height + 1) // 2 or width % 2:
                raise _unfit(array, format)
    if not _is_packed(array, format):
        array = np.ascontiguousarray(array)
    stride = array.strides[1 if format is Format.FLOAT32 else 0] if height > 1 else 0
    return array, das3_image(array.ctypes.data, width, height, stride, format)


def _array_of(name: str, given: Any) -> npt.NDArray[Any]:
    """An array, or what numpy sees in an object that offers one: without a copy where it can."""
    if isinstance(given, np.ndarray):
        return given
    offers = hasattr(given, "__array__") or hasattr(given, "__array_interface__")
    if not offers or isinstance(given, np.generic):
        raise TypeError(f"{name} is a numpy array or offers one, not {type(given).__name__}")
    return np.asarray(given)


def _is_packed(array: npt.NDArray[Any], format: Format) -> bool:
    """Whether pixels of a row lie side by side, and rows downwards, as das3.h wants them."""
    layout = _LAYOUTS[format]
    rows = slice(1, 3) if format is Format.FLOAT32 else slice(0, 2)
    (height, width), (stride, step) = array.shape[rows], array.strides[rows]
    if format is Format.FLOAT32:
        is_packed = array.shape[0] == 1 or array.strides[0] == height * stride
    else:
        is_packed = layout.rank == 2 or array.strides[2] == 1
    is_packed = is_packed and (step == layout.pixel_bytes or width == 1)
    return bool(is_packed and (stride >= width * layout.pixel_bytes or height == 1))


def frame_of(image: das3_image, channel_count: int) -> npt.NDArray[Any]:
    """The array that an image describes, read-only and lent like the image."""
    format = Format(image.format)
    layout = _LAYOUTS[format]
    height, width, size = image.height, image.width, layout.pixel_bytes
    stride = image.stride_bytes or width * size
    shape: tuple[int, ...] = height, width
    strides: tuple[int, ...] = stride, size
    if format is Format.FLOAT32:
        shape, strides = (channel_count, *shape), (height * stride, *strides)
    elif format is Format.NV12:
        shape = height + (height + 1) // 2, width
    elif layout.rank == 3:
        shape, strides = (*shape, size), (*strides, 1)
    reach = sum((count - 1) * step for count, step in zip(shape, strides))
    memory = (ctypes.c_uint8 * (reach + layout.dtype.itemsize)).from_address(image.data)
    frame: npt.NDArray[Any] = np.ndarray(shape, layout.dtype, memory, 0, strides)
    frame.flags.writeable = False
    return frame


def output(name: str, given: Any, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """The caller's array once it is known to fit, or a new one where the caller gives none."""
    if given is None or given is True:
        return np.empty(shape, dtype)
    if not isinstance(given, np.ndarray):
        raise TypeError(f"{name} is a {type(given).__name__}; expected a numpy array")
    _check_fit(name, given, shape, dtype)
    if not given.flags.c_contiguous or not given.flags.writeable:
        raise ArgumentError(f"{name} must be contiguous and writeable")
    return given


def values(
    name: str, given: Any, shape: tuple[int, ...] | None, dtype: npt.DTypeLike
) -> npt.NDArray[Any]:
    """The caller's numbers side by side, to be read; None takes any shape."""
    array = _array_of(name, given)
    _check_fit(name, array, array.shape if shape is None else shape, dtype)
    return np.ascontiguousarray(array)


def check_source(source: object, format: Format | str | None) -> None:
    """Refuses what is no set of frames."""
    if isinstance(source, (str, bytes, os.PathLike)):
        raise TypeError(
            f"source is the path {source!r}; expected frames, such as [PIL.Image.open(path) …]"
        )
    if not isinstance(source, Iterable) and not hasattr(source, "__getitem__"):
        raise TypeError(f"source is a {type(source).__name__}; expected frames")
    rank = getattr(source, "ndim", None)
    # The rows of a frame would pass for gray frames.
    if isinstance(rank, int) and (rank < 3 or (rank == 3 and format is None)):
        raise ArgumentError(
            f"source is one array {getattr(source, 'shape', '')}; expected (N, H, W, 3), "
            "a list of frames, or the format of each of N"
        )


def _check_fit(
    name: str, array: npt.NDArray[Any], shape: tuple[int, ...], dtype: npt.DTypeLike
) -> None:
    if array.dtype != dtype or array.shape != shape:
        expected = f"{np.dtype(dtype)} {shape}"
        raise ShapeError(f"{name} is {array.dtype} {array.shape}; expected {expected}")


def _guess(frame: npt.NDArray[Any]) -> Format:
    if frame.dtype == _FLOAT32:
        return Format.FLOAT32
    if frame.dtype == _UINT8 and frame.ndim == 3 and frame.shape[2] == 2:
        raise ArgumentError(
            f"a frame of uint8 {frame.shape} may be YUYV, or gray with alpha; "
            "expected format=das3.Format.YUYV for the one, frame[:, :, 0] for the other"
        )
    format = Format.GRAY8 if frame.ndim == 2 else _GUESSES.get(frame.shape[-1] if frame.ndim else 0)
    if frame.dtype != _UINT8 or format is None:
        is_planar = frame.ndim == 3 and frame.shape[0] in (1, 3, 4)
        hint = "; channels last: numpy.moveaxis(frame, 0, 2)" if is_planar else ""
        raise ArgumentError(
            f"a frame of {frame.dtype} {frame.shape}; expected uint8 (H, W, 3), "
            f"or another array that das3.Format lists{hint}"
        )
    return format


def _unfit(frame: npt.NDArray[Any], format: Format) -> ArgumentError:
    layout = _LAYOUTS[format]
    expected = f"{format.name} is {layout.dtype} {layout.shape}"
    return ArgumentError(f"a frame of {frame.dtype} {frame.shape}; {expected}")
