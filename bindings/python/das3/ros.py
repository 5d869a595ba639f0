"""Images of ROS -> arrays of das3: every encoding that drivers of cameras use.

Nothing of ROS is needed: an image is its fields, as `sensor_msgs/Image` has them. The encodings are
those of `sensor_msgs/image_encodings.hpp`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .errors import ArgumentError
from .frame import Format


class Image(NamedTuple):
    """A picture as das3 takes it: `segmenter.run(image.pixels, format=image.format)`."""

    pixels: npt.NDArray[np.uint8]
    format: Format


# Encodings that lie as das3 has them -> the format, and bytes of a pixel.
_DIRECT = {
    "rgb8": (Format.RGB8, 3),
    "bgr8": (Format.BGR8, 3),
    "8UC3": (Format.BGR8, 3),
    "rgba8": (Format.RGBA8, 4),
    "bgra8": (Format.BGRA8, 4),
    "8UC4": (Format.BGRA8, 4),
    "mono8": (Format.GRAY8, 1),
    "8UC1": (Format.GRAY8, 1),
    "yuv422_yuy2": (Format.YUYV, 2),
    "yuyv": (Format.YUYV, 2),
    "nv12": (Format.NV12, 1),
}
# Bytes in the other order of each pair.
_SWAPPED = ("yuv422", "uyvy")
# Of each square of four pixels: the place of red and of blue, row and column.
_MOSAICS = {
    "rggb": ((0, 0), (1, 1)),
    "bggr": ((1, 1), (0, 0)),
    "gbrg": ((1, 0), (0, 1)),
    "grbg": ((0, 1), (1, 0)),
}
ENCODINGS = (
    *_DIRECT,
    *_SWAPPED,
    "nv21",
    "mono16",
    "rgb16",
    "bgr16",
    *(f"bayer_{mosaic}{bits}" for mosaic in _MOSAICS for bits in (8, 16)),
)


def image(
    data: Any, *, encoding: str, height: int, width: int, step: int, is_bigendian: int = 0
) -> Image:
    """The pixels of a message, where they lie if das3 can take them so, else converted.

    data      the bytes, or an array of them: lent, and looked into for as long as the result lives
    step      bytes from one row to the next

    Colours of 16 bits keep their upper 8. Mosaics of Bayer become RGB by bilinear interpolation.
    Raises ArgumentError for other encodings and for data that does not fit its numbers.
    """
    if encoding not in ENCODINGS:
        raise ArgumentError(
            f"an image of encoding {encoding!r}; expected one of {', '.join(ENCODINGS)}"
        )
    memory = np.frombuffer(data, np.uint8)
    is_nv = encoding in ("nv12", "nv21")
    rows = height * 3 // 2 if is_nv else height
    row_bytes = width * _pixel_bytes(encoding)
    if height < 1 or width < 1 or step < row_bytes or memory.size < step * (rows - 1) + row_bytes:
        raise ArgumentError(
            f"an image of {width}x{height} {encoding} with {step} bytes a row and {memory.size} "
            f"in all; expected {row_bytes} a row at least, and {row_bytes * rows} in all"
        )
    has_pairs = is_nv or encoding in _SWAPPED or _DIRECT.get(encoding, ("",))[0] == Format.YUYV
    if (has_pairs and width % 2) or (is_nv and height % 2):
        raise ArgumentError(f"an image of {width}x{height} {encoding}; expected even sides")
    lines = np.lib.stride_tricks.as_strided(memory, (rows, row_bytes), (step, 1), writeable=False)
    if encoding in _DIRECT:
        format, size = _DIRECT[encoding]
        return Image(_pixels(lines, size), format)
    if encoding in _SWAPPED:
        pairs = _pixels(lines, 2)[..., ::-1]
        return Image(np.ascontiguousarray(pairs), Format.YUYV)
    if encoding == "nv21":
        planes = lines.copy()
        planes[height:, 0::2], planes[height:, 1::2] = lines[height:, 1::2], lines[height:, 0::2]
        return Image(planes, Format.NV12)
    if encoding.endswith("16"):
        lines = lines[:, (0 if is_bigendian else 1) :: 2]
    if encoding == "mono16":
        return Image(np.ascontiguousarray(lines), Format.GRAY8)
    if encoding in ("rgb16", "bgr16"):
        colours = np.ascontiguousarray(lines).reshape(height, width, 3)
        return Image(colours, Format.RGB8 if encoding == "rgb16" else Format.BGR8)
    return Image(_demosaiced(lines, *_MOSAICS[encoding[6:10]]), Format.RGB8)


def _pixel_bytes(encoding: str) -> int:
    if encoding in _DIRECT:
        return _DIRECT[encoding][1]
    channels = 3 if encoding in ("rgb16", "bgr16") else 1
    return 2 * channels if encoding.endswith("16") or encoding in _SWAPPED else 1


def _pixels(lines: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Rows of bytes as rows of pixels, in the same place."""
    if size == 1:
        return lines
    shape, strides = (len(lines), lines.shape[1] // size, size), (lines.strides[0], size, 1)
    return np.lib.stride_tricks.as_strided(lines, shape, strides, writeable=False)


def _demosaiced(
    mosaic: npt.NDArray[np.uint8], red: tuple[int, int], blue: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """RGB by bilinear interpolation: the mean of the neighbours that have a colour."""
    height, width = mosaic.shape
    colours = np.empty((height, width, 3), np.uint8)
    row, column = np.arange(height)[:, None] % 2, np.arange(width)[None] % 2
    has_red = (row == red[0]) & (column == red[1])
    has_blue = (row == blue[0]) & (column == blue[1])
    for channel, places in enumerate((has_red, ~(has_red | has_blue), has_blue)):
        # Sums of 3x3 neighbours with weights 1 2 1; what is outside counts for nothing.
        total = _smoothed(np.where(places, mosaic, 0).astype(np.uint16))
        count = _smoothed(places.astype(np.uint16))
        mean = (total + count // 2) // np.maximum(count, 1)
        colours[..., channel] = np.where(places, mosaic, mean)
    return colours


def _smoothed(values: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint16]:
    for axis in (0, 1):
        padded = np.pad(values, [(1, 1) if axis == this else (0, 0) for this in (0, 1)])
        size = values.shape[axis]
        before, here, after = (padded.take(range(start, start + size), axis) for start in range(3))
        values = (before + 2 * here + after).astype(np.uint16)
    return values
