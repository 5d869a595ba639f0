"""Frames as networks of other engines take them."""

import numpy as np


def input_tensor(frame: np.ndarray, info) -> np.ndarray:
    """height x width x 3 bytes -> 1 x 3 x height x width floats, as a network of this das3.ModelInfo
    expects them: (pixel * scale - mean) / std in its order of colours."""
    pixels = frame[..., ::-1] if info.swaps_colours else frame
    values = pixels.astype(np.float32) * np.float32(info.scale)
    values -= np.float32(info.mean)
    values /= np.float32(info.std)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def resampled(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """The nearest pixels: all engines get the same frame, so how does not matter."""
    rows = np.arange(height) * frame.shape[0] // height
    columns = np.arange(width) * frame.shape[1] // width
    return np.ascontiguousarray(frame[rows][:, columns])
