"""An image of ROS -> an array that libdas3 reads; what else the pixels are drawn or judged by."""

from typing import Any, NamedTuple

import das3
import numpy as np
import numpy.typing as npt
from messages import Bytes, ImageView

Floats = npt.NDArray[np.float32]


class FrameError(ValueError):
    """A frame that cannot be read: what was found, and what was expected."""


class Encoding(NamedTuple):
    kind: str  # what is done to it, or "direct" for libdas3's own formats
    format: das3.Format  # of what comes out
    pixel_bytes: int
    red: tuple[int, int] = (0, 0)  # row and column where a Bayer pattern has its red pixel


_F = das3.Format
_BAYER = {"rggb": (0, 0), "grbg": (0, 1), "gbrg": (1, 0), "bggr": (1, 1)}
ENCODINGS = {
    "rgb8": Encoding("direct", _F.RGB8, 3),
    "bgr8": Encoding("direct", _F.BGR8, 3),
    "rgba8": Encoding("direct", _F.RGBA8, 4),
    "bgra8": Encoding("direct", _F.BGRA8, 4),
    "mono8": Encoding("direct", _F.GRAY8, 1),
    "mono16": Encoding("high byte", _F.GRAY8, 2),
    "yuyv": Encoding("direct", _F.YUYV, 2),
    "yuv422_yuy2": Encoding("direct", _F.YUYV, 2),
    "uyvy": Encoding("uyvy", _F.YUYV, 2),
    "yuv422": Encoding("uyvy", _F.YUYV, 2),
    "nv12": Encoding("direct", _F.NV12, 1),
    "nv21": Encoding("nv21", _F.NV12, 1),
    **{f"bayer_{name}8": Encoding("bayer", _F.RGB8, 1, red) for name, red in _BAYER.items()},
    **{f"bayer_{name}16": Encoding("bayer", _F.RGB8, 2, red) for name, red in _BAYER.items()},
}


def row_count(encoding: Encoding, height: int) -> int:
    """Rows of a frame, with those of the chroma below NV12 and NV21."""
    return height + (height + 1) // 2 if encoding.format is _F.NV12 else height


class FrameReader:
    """Describes frames to libdas3.

    A frame in one of its own formats is not copied; another one is converted into a buffer, which
    keeps its memory from one frame to the next.
    """

    def __init__(self) -> None:
        self._buffer = np.empty(0, np.uint8)

    def read(self, image: ImageView) -> tuple[Bytes, das3.Format]:
        """The array points into the image, or into the buffer until the next call."""
        encoding = ENCODINGS.get(image.encoding)
        if encoding is None:
            known = ", ".join(ENCODINGS)
            raise FrameError(f'the encoding is "{image.encoding}"; expected one of {known}')
        _check(image, encoding)
        rows, width, size = row_count(encoding, image.height), image.width, encoding.pixel_bytes
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
            demosaic(
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


def _check(image: ImageView, encoding: Encoding) -> None:
    """Refuses what does not hold the pixels that it says."""
    height, width, step = image.height, image.width, image.step
    shown = f"a frame of {width}x{height} {image.encoding}"
    largest = 2**31 - 1
    if not (0 < width <= largest and 0 < height <= largest):
        raise FrameError(f"{shown}; expected a width and a height from 1 to {largest}")
    if encoding.format in (_F.YUYV, _F.NV12) and width % 2:
        raise FrameError(f"{shown}; expected an even width, for two pixels share their colour")
    if encoding.kind == "bayer" and min(height, width) < 2:
        raise FrameError(f"{shown}; expected at least 2x2, the size of the pattern")
    row = width * encoding.pixel_bytes
    if step < row:
        raise FrameError(f"{shown} has a step of {step} bytes; expected at least {row}")
    # The padding of the last row may be missing.
    expected = (row_count(encoding, height) - 1) * step + row
    if image.data.size < expected:
        raise FrameError(
            f"{shown} with a step of {step} holds {image.data.size} bytes; "
            f"expected at least {expected}"
        )


def _high_byte(view: Bytes, is_bigendian: bool) -> Bytes:
    return view[:, :, 0 if is_bigendian else 1]


def demosaic(mosaic: Bytes, red_y: int, red_x: int, rgb: Bytes) -> None:
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


def margin(probabilities: Floats, confidence: Bytes) -> None:
    """255 * (the largest probability less the second largest), rounded."""
    best = np.zeros(confidence.shape, np.float32)
    second = np.zeros(confidence.shape, np.float32)
    for plane in probabilities:
        np.maximum(second, np.minimum(best, plane), out=second)
        np.maximum(best, plane, out=best)
    confidence[:] = 255 * np.clip(best - second, 0, 1) + np.float32(0.5)


def certainty(entropy: Floats, confidence: Bytes) -> None:
    """255 * (1 - entropy), rounded."""
    confidence[:] = 255 * np.clip(1 - entropy, 0, 1) + np.float32(0.5)


def draw_overlay(
    frame: Bytes, format: das3.Format, labels: Bytes, colours: Bytes, opacity: float, rgb: Bytes
) -> None:
    """Draws the colours of the labels over a frame; opacity from 0 to 1."""
    share = round(256 * min(max(opacity, 0), 1))
    pixels = to_rgb(frame, format, labels.shape[0])
    painted = (share * colours.astype(np.int32) + 128)[labels]
    painted += (256 - share) * pixels.astype(np.int32)
    rgb[:] = painted >> 8


def to_rgb(frame: Bytes, format: das3.Format, height: int) -> npt.NDArray[np.integer[Any]]:
    """The pixels as red, green and blue, whatever the format; YUV is BT.601, video range."""
    if format in (_F.RGB8, _F.RGBA8):
        return frame[:, :, :3]
    if format in (_F.BGR8, _F.BGRA8):
        return frame[:, :, 2::-1]
    if format is _F.GRAY8:
        return np.broadcast_to(frame[:, :, None], (*frame.shape, 3))
    if format is _F.YUYV:
        luma = frame[:, :, 0]
        u, v = (np.repeat(frame[:, at::2, 1], 2, axis=1) for at in (0, 1))
    else:
        luma, pairs = frame[:height], frame[height:]
        u, v = (
            np.repeat(np.repeat(pairs[:, at::2], 2, axis=0)[:height], 2, axis=1) for at in (0, 1)
        )
    y = 298 * (luma.astype(np.int32) - 16) + 128
    blue, red = u.astype(np.int32) - 128, v.astype(np.int32) - 128
    scaled = (y + 409 * red, y - 100 * blue - 208 * red, y + 516 * blue)
    rgb: Bytes = np.clip(np.stack(scaled, axis=2) >> 8, 0, 255).astype(np.uint8)
    return rgb
