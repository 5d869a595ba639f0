"""Writes PNGs of every kind, which Pillow does not: 16 bits in several channels, 1 to 4 bits."""

import struct
import zlib

import numpy as np

# Kinds of pixel of a PNG.
GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGB_ALPHA: 4}


def png(path, values, kind=GRAY, bits=8):
    """Writes numbers, height x width, the same in each channel and alpha 100; or height x width x channels."""
    height, width = values.shape[:2]
    count = CHANNELS[kind]
    if values.ndim == 3:
        pixels = values.astype(np.uint16)
    else:
        pixels = np.repeat(values[:, :, None], count, axis=2).astype(np.uint16)
        if kind in (GRAY_ALPHA, RGB_ALPHA):
            pixels[:, :, -1] = 100
    samples = pixels.reshape(height, width * count)
    if bits == 16:
        rows = samples.astype(">u2").view(np.uint8).reshape(height, -1)
    elif bits == 8:
        rows = samples.astype(np.uint8)
    else:
        places = np.arange(bits - 1, -1, -1)
        rows = np.packbits((samples[:, :, None] >> places & 1).reshape(height, -1).astype(np.uint8), axis=1)
    lines = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    colours = bytes(number * 7 % 256 for number in range(3 * (1 << min(bits, 8))))
    header = struct.pack(">2I5B", width, height, bits, kind, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + (chunk(b"PLTE", colours) if kind == PALETTE else b"")
        + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))
