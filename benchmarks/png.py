"""An 8-bit RGB PNG -> height x width x 3 bytes, so that the benchmarks need no image library."""

import struct
import zlib
from pathlib import Path

import numpy as np


def read_png(path: Path) -> np.ndarray:
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(f"{path} is no PNG")
    position, header, packed = 8, None, b""
    while position + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + size]
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        position += size + 12
    if header is None or header[2:4] != (8, 2) or header[6] != 0:
        raise ValueError(f"{path}: expected 8-bit RGB without interlacing")
    width, height = header[:2]
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 3 * width)
    pixels = np.empty((height, 3 * width), np.uint8)
    above = np.zeros(3 * width, np.uint8)
    for row, line in enumerate(lines):
        above = pixels[row] = unfiltered(int(line[0]), line[1:], above)
    return pixels.reshape(height, width, 3)


def unfiltered(kind: int, line: np.ndarray, above: np.ndarray) -> np.ndarray:
    """One line of a PNG with its prediction added back."""
    if kind == 0:
        return line
    if kind == 2:
        return line + above
    values, up = line.tolist(), above.tolist()
    for i in range(len(values)):
        left = values[i - 3] if i >= 3 else 0
        corner = up[i - 3] if i >= 3 else 0
        if kind == 1:
            prediction = left
        elif kind == 3:
            prediction = (left + up[i]) // 2
        else:
            prediction = paeth(left, up[i], corner)
        values[i] = (values[i] + prediction) & 255
    return np.array(values, np.uint8)


def paeth(left: int, up: int, corner: int) -> int:
    """Whichever of the three is nearest to left + up - corner."""
    estimate = left + up - corner
    to_left, to_up = abs(estimate - left), abs(estimate - up)
    to_corner = abs(estimate - corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner
