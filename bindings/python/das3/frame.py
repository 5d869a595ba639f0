"""numpy arrays <-> images and buffers of das3.h. No pixel is copied."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ._ffi import das3_image
from .errors import ArgumentError, ShapeError

Frame = npt.NDArray[Any]  # uint8 or float32, as a Format says


class Format(IntEnum):
    """`das3_format`: how pixels lie in an array. Rows lie downwards, any distance apart.

    =========  =======  ============  =========================================================
    RGB8       uint8    (H, W, 3)     what uint8 arrays of this shape are taken for
    BGR8       uint8    (H, W, 3)     as OpenCV has it
    RGBA8      uint8    (H, W, 4)     alpha unused; what uint8 arrays of this shape are taken for
    BGRA8      uint8    (H, W, 4)     alpha unused
    GRAY8      uint8    (H, W)        what uint8 arrays of this shape are taken for
    NV12       uint8    (H * 3/2, W)  Y, then rows of interleaved UV; BT.601, video range
    YUYV       uint8    (H, W, 2)     what uint8 arrays of this shape are taken for; even width
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
_GUESSES = {2: Format.YUYV, 3: Format.RGB8, 4: Format.RGBA8}


def image_of(frame: Frame, format: Format | None, channel_count: int) -> das3_image:
    """Describes a frame where it lies; the array must outlive the image."""
    if not isinstance(frame, np.ndarray):
        raise TypeError(f"a frame is a numpy array, not {type(frame).__name__}")
    if format is None:
        format = _guess(frame)
    if format not in _LAYOUTS:
        raise ArgumentError(f"format is {format!r}; expected a das3.Format")
    layout = _LAYOUTS[format]
    shape, strides = frame.shape, frame.strides
    if frame.dtype != layout.dtype or len(shape) != layout.rank:
        raise _unfit(frame, format)
    if format is Format.FLOAT32:
        planes, height, width = shape
        plane_stride, stride, step = strides
        if planes != channel_count:
            taken = f"the network takes {channel_count} of them first: (C, H, W)"
            raise ShapeError(f"a frame of float32 {shape} has {planes} planes; {taken}")
        is_packed = planes == 1 or plane_stride == height * stride
    else:
        height, width = shape[:2]
        stride, step = strides[:2]
        is_packed = layout.rank == 2 or (shape[2] == layout.pixel_bytes and strides[2] == 1)
        if format is Format.NV12:
            rows, height = height, height * 2 // 3
            if rows != height + (height + 1) // 2 or width % 2:
                raise _unfit(frame, format)
    row = width * layout.pixel_bytes
    is_packed = is_packed and (step == layout.pixel_bytes or width == 1)
    if not is_packed or (stride < row and height > 1):
        raise _unfit(frame, format)
    return das3_image(frame.ctypes.data, width, height, stride if height > 1 else 0, format)


def frame_of(image: das3_image, channel_count: int) -> Frame:
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
    frame: Frame = np.ndarray(shape, layout.dtype, memory, 0, strides)
    frame.flags.writeable = False
    return frame


def buffer(
    name: str, given: Any, shape: tuple[int, ...], dtype: npt.DTypeLike, is_output: bool = True
) -> npt.NDArray[Any]:
    """The caller's array once it is known to fit, or a new one where the caller gives none."""
    if given is None or given is True:
        return np.empty(shape, dtype)
    if not isinstance(given, np.ndarray):
        raise TypeError(f"{name} is a {type(given).__name__}; expected a numpy array")
    if given.dtype != dtype or given.shape != shape:
        expected = f"{np.dtype(dtype)} {shape}"
        raise ShapeError(f"{name} is {given.dtype} {given.shape}; expected {expected}")
    if not given.flags.c_contiguous or (is_output and not given.flags.writeable):
        raise ArgumentError(f"{name} must be contiguous{' and writeable' if is_output else ''}")
    return given


def _guess(frame: Frame) -> Format:
    if frame.dtype == _FLOAT32:
        return Format.FLOAT32
    format = Format.GRAY8 if frame.ndim == 2 else _GUESSES.get(frame.shape[-1] if frame.ndim else 0)
    if frame.dtype != _UINT8 or format is None:
        raise ArgumentError(
            f"a frame of {frame.dtype} {frame.shape}; expected uint8 (H, W, 3), "
            "or another array that das3.Format lists"
        )
    return format


def _unfit(frame: Frame, format: Format) -> ArgumentError:
    layout = _LAYOUTS[format]
    expected = f"{Format(format).name} is {layout.dtype} {layout.shape}"
    if frame.flags.c_contiguous:
        return ArgumentError(f"a frame of {frame.dtype} {frame.shape}; {expected}")
    return ArgumentError(
        f"a frame of {frame.dtype} {frame.shape} with strides {frame.strides}; {expected}, the "
        "pixels of a row side by side and rows downwards (numpy.ascontiguousarray makes a copy "
        "that is)"
    )
