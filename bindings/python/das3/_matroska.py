"""Pictures and their times -> a Matroska stream of raw pixels, which das3-run reads from a pipe."""

from __future__ import annotations

import struct
from typing import IO

import numpy as np
import numpy.typing as npt

from .frame import Format

# Pixels as FourCC codes, by which FFmpeg knows them.
_CODES = {
    Format.RGB8: b"RGB\x18",
    Format.BGR8: b"BGR\x18",
    Format.RGBA8: b"RGBA",
    Format.BGRA8: b"BGRA",
    Format.GRAY8: b"Y800",
    Format.NV12: b"NV12",
    Format.YUYV: b"YUY2",
}


def _element(name: int, body: bytes) -> bytes:
    """An element of EBML (RFC 8794): its name, its size in eight bytes, its body."""
    head = name.to_bytes((name.bit_length() + 7) // 8, "big")
    return head + struct.pack(">Q", len(body) | 1 << 56) + body


def _number(name: int, value: int) -> bytes:
    return _element(name, struct.pack(">Q", value))


class MatroskaWriter:
    """Writes pictures of one size and format; times are in microseconds."""

    def __init__(self, target: IO[bytes], width: int, height: int, format: Format) -> None:
        self._target = target
        video = _number(0xB0, width) + _number(0xBA, height) + _element(0x2EB524, _CODES[format])
        entry = _number(0xD7, 1) + _number(0x73C5, 1) + _number(0x83, 1) + _number(0x9C, 0)
        entry += _element(0x86, b"V_UNCOMPRESSED") + _element(0xE0, video)
        head = _number(0x4286, 1) + _number(0x42F7, 1) + _number(0x42F2, 4) + _number(0x42F3, 8)
        head += _element(0x4282, b"matroska") + _number(0x4287, 4) + _number(0x4285, 2)
        # A tick is a microsecond: 1000 ns.
        info = _number(0x2AD7B1, 1000) + _element(0x4D80, b"das3") + _element(0x5741, b"das3")
        segment = b"\x18\x53\x80\x67" + b"\x01" + b"\xff" * 7  # of unknown size
        body = _element(0x1549A966, info) + _element(0x1654AE6B, _element(0xAE, entry))
        target.write(_element(0x1A45DFA3, head) + segment + body)

    def write(self, picture: npt.NDArray[np.uint8], time: int) -> None:
        """Adds a picture, in a cluster of its own."""
        pixels = np.ascontiguousarray(picture)
        head = _number(0xE7, time)
        block = b"\x81\x00\x00\x80"  # of track 1, at the cluster's time, a key frame
        size = len(block) + pixels.nbytes
        block_head = b"\xa3" + struct.pack(">Q", size | 1 << 56) + block
        cluster = len(head) + len(block_head) + pixels.nbytes
        self._target.write(
            b"\x1f\x43\xb6\x75" + struct.pack(">Q", cluster | 1 << 56) + head + block_head
        )
        self._target.write(pixels.data)
