"""What a mask and an overlay are drawn or judged by."""

from __future__ import annotations

import das3
import numpy as np
import numpy.typing as npt
from das3.ros import to_rgb
from messages import Bytes

Floats = npt.NDArray[np.float32]


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
    pixels = to_rgb(frame, format)
    painted = (share * colours.astype(np.int32) + 128)[labels]
    painted += (256 - share) * pixels.astype(np.int32)
    rgb[:] = painted >> 8
