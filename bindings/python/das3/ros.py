"""Images of ROS -> arrays of das3: every encoding that drivers of cameras use.

Nothing of ROS is needed: whatever has the fields of `sensor_msgs/Image` is an image.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .errors import ArgumentError
from .frame import Format

Bytes = npt.NDArray[np.uint8]


class RosImage(Protocol):
    """`sensor_msgs/Image`, by whatever library it was read."""

    @property
    def encoding(self) -> str: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def step(self) -> int: ...  # bytes from one row to the next
    @property
    def is_bigendian(self) -> Any: ...
    @property
    def data(self) -> Bytes: ...


class Encoding(NamedTuple):
    kind: str  # what is done to it, or "direct" for das3's own formats
    format: Format  # of what comes out
    pixel_bytes: int
    red: tuple[int, int] = (0, 0)  # row and column where a Bayer pattern has its red pixel


_BAYER = {"rggb": (0, 0), "grbg": (0, 1), "gbrg": (1, 0), "bggr": (1, 1)}
ENCODINGS = {
    "rgb8": Encoding("direct", Format.RGB8, 3),
    "bgr8": Encoding("direct", Format.BGR8, 3),
    "rgba8": Encoding("direct", Format.RGBA8, 4),
    "bgra8": Encoding("direct", Format.BGRA8, 4),
    "mono8": Encoding("direct", Format.GRAY8, 1),
    "mono16": Encoding("high byte", Format.GRAY8, 2),
    "yuyv": Encoding("direct", Format.YUYV, 2),
    "yuv422_yuy2": Encoding("direct", Format.YUYV, 2),
    "uyvy": Encoding("uyvy", Format.YUYV, 2),
    "yuv422": Encoding("uyvy", Format.YUYV, 2),
    "nv12": Encoding("direct", Format.NV12, 1),
    "nv21": Encoding("nv21", Format.NV12, 1),
    **{f"bayer_{name}8": Encoding("bayer", Format.RGB8, 1, red) for name, red in _BAYER.items()},
    **{f"bayer_{name}16": Encoding("bayer", Format.RGB8, 2, red) for name, red in _BAYER.items()},
}


def _row_count(encoding: Encoding, height: int) -> int:
    """Rows of a frame, with those of the chroma below NV12 and NV21."""
    return height + (height + 1) // 2 if encoding.format is Format.NV12 else height


class ImageReader:
    """Gives images as das3 takes them: `segmenter.run(pixels, format=format)`.

    An image in one of das3's own formats is not copied; another one is converted into a buffer,
    which keeps its memory from one image to the next.
    """

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.uint8)

    def read(self, image: RosImage) -> tuple[Bytes, Format]:
        """The array points into the image, or into the buffer until the next call."""
        encoding = ENCODINGS.get(image.encoding)
        if encoding is None:
            known = ", ".join(ENCODINGS)
            raise ArgumentError(f'the encoding is "{image.encoding}"; expected one of {known}')
        _check(image, encoding)
        rows, width, size = _row_count(encoding, image.height), image.width, encoding.pixel_bytes
        shape = (rows, width) if size == 1 else (rows, width, size)
        strides = (image.step, size, 1)[: len(shape)]
        view: Bytes = np.ndarray(shape, np.uint8, image.data, 0, strides)
        if encoding.kind == "high byte":
            frame = self._room((rows, width))
            frame[:] = _high_byte(view, image.is_bigendian)
        elif encoding.kind == "uyvy":
            frame = self._room(shape)
            frame[:, :, 0], frame[:, :, 1] = view[:, :, 1], view[:, :, 0]
        elif encoding.kind == "nv21":
            frame, height = self._room(shape), image.height
            frame[:height] = view[:height]
            frame[height:, ::2], frame[height:, 1::2] = view[height:, 1::2], view[height:, ::2]
        elif encoding.kind == "bayer":
            frame = self._room((rows, width, 3))
            _demosaic(
                view if size == 1 else _high_byte(view, image.is_bigendian), *encoding.red, frame
            )
        else:
            frame = view
        return frame, encoding.format

    def _room(self, shape: tuple[int, ...]) -> Bytes:
        count = int(np.prod(shape))
        if self._buffer.size < count:
            self._buffer = np.empty(count, np.uint8)
        return self._buffer[:count].reshape(shape)


def _check(image: RosImage, encoding: Encoding) -> None:
    """Refuses what does not hold the pixels that it says."""
    height, width, step = image.height, image.width, image.step
    shown = f"a frame of {width}x{height} {image.encoding}"
    largest = 2**31 - 1
    if not (0 < width <= largest and 0 < height <= largest):
        raise ArgumentError(f"{shown}; expected a width and a height from 1 to {largest}")
    if encoding.format in (Format.YUYV, Format.NV12) and width % 2:
        raise ArgumentError(f"{shown}; expected an even width, for two pixels share their colour")
    if encoding.kind == "bayer" and min(height, width) < 2:
        raise ArgumentError(f"{shown}; expected at least 2x2, the size of the pattern")
    row = width * encoding.pixel_bytes
    if step < row:
        raise ArgumentError(f"{shown} has a step of {step} bytes; expected at least {row}")
    # The padding of the last row may be missing.
    expected = (_row_count(encoding, height) - 1) * step + row
    if image.data.size < expected:
        raise ArgumentError(
            f"{shown} with a step of {step} holds {image.data.size} bytes; "
            f"expected at least {expected}"
        )


def _high_byte(view: Bytes, is_bigendian: bool) -> Bytes:
    return view[:, :, 0 if is_bigendian else 1]


def _demosaic(mosaic: Bytes, red_y: int, red_x: int, rgb: Bytes) -> None:
    """The colours that a pixel lacks are means of its neighbours, rounded.

    The rows and columns beyond the edge are those inside it in the mirror, where the pattern goes
    on.
    """
    height, width = mosaic.shape
    wide = np.pad(mosaic, 1, mode="reflect").astype(np.uint16)

    def neighbour(y: int, x: int) -> npt.NDArray[np.uint16]:
        return wide[1 + y : 1 + y + height, 1 + x : 1 + x + width]

    above, below, left, right = neighbour(-1, 0), neighbour(1, 0), neighbour(0, -1), neighbour(0, 1)
    corners = neighbour(-1, -1) + neighbour(-1, 1) + neighbour(1, -1) + neighbour(1, 1)
    cross, diagonal = (above + below + left + right + 2) // 4, (corners + 2) // 4
    across, along = (left + right + 1) // 2, (above + below + 1) // 2

    def place(y: int, x: int) -> tuple[slice, slice]:
        return slice((red_y + y) % 2, None, 2), slice((red_x + x) % 2, None, 2)

    for at, red, green, blue in (
        (place(0, 0), mosaic, cross, diagonal),
        (place(0, 1), across, mosaic, along),
        (place(1, 0), along, mosaic, across),
        (place(1, 1), diagonal, cross, mosaic),
    ):
        for channel, plane in enumerate((red, green, blue)):
            rgb[(*at, channel)] = plane[at]


def to_rgb(frame: Bytes, format: Format) -> Bytes:
    """The pixels as red, green and blue, whatever the format; YUV is BT.601, video range."""
    if format in (Format.RGB8, Format.RGBA8):
        return frame[:, :, :3]
    if format in (Format.BGR8, Format.BGRA8):
        return frame[:, :, 2::-1]
    if format is Format.GRAY8:
        return np.broadcast_to(frame[:, :, None], (*frame.shape, 3))
    if format is Format.YUYV:
        luma = frame[:, :, 0]
        u, v = (np.repeat(frame[:, at::2, 1], 2, axis=1) for at in (0, 1))
    else:
        height = len(frame) * 2 // 3
        luma, pairs = frame[:height], frame[height:]
        u, v = (
            np.repeat(np.repeat(pairs[:, at::2], 2, axis=0)[:height], 2, axis=1) for at in (0, 1)
        )
    y = 298 * (luma.astype(np.int32) - 16) + 128
    blue, red = u.astype(np.int32) - 128, v.astype(np.int32) - 128
    scaled = (y + 409 * red, y - 100 * blue - 208 * red, y + 516 * blue)
    rgb: Bytes = np.clip(np.stack(scaled, axis=2) >> 8, 0, 255).astype(np.uint8)
    return rgb
