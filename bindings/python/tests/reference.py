"""What the library computes, once more in numpy and float64: frames, resizing, losses."""

import numpy as np
from das3 import Format


def rgb(frame, format):
    """A frame as RGB, float64 (H, W, 3)."""
    x = frame.astype(float)
    if format in (Format.RGB8, Format.RGBA8):
        return x[..., :3]
    if format in (Format.BGR8, Format.BGRA8):
        return x[..., 2::-1]
    if format is Format.GRAY8:
        return np.repeat(x[..., None], 3, -1)
    if format is Format.YUYV:
        y, u, v = x[..., 0], x[:, ::2, 1], x[:, 1::2, 1]
        u, v = (np.repeat(plane, 2, 1) for plane in (u, v))
    else:
        height = x.shape[0] * 2 // 3
        y, pairs = x[:height], x[height:].reshape(-1, x.shape[1] // 2, 2)
        u, v = (
            np.repeat(np.repeat(plane, 2, 0)[:height], 2, 1) for plane in np.moveaxis(pairs, 2, 0)
        )
    return bt601(y, u, v)


def bt601(y, u, v):
    """Video range: Y from 16 to 235, U and V from 16 to 240."""
    y, u, v = (y - 16) * 255 / 219, (u - 128) * 255 / 224, (v - 128) * 255 / 224
    red, blue = y + 1.402 * v, y + 1.772 * u
    green = (y - 0.299 * red - 0.114 * blue) / 0.587
    return np.clip(np.stack([red, green, blue], -1), 0, 255)


def planes(image, info):
    """RGB as the network takes it: float32 (3, H, W), contiguous."""
    if info.swaps_colours:
        image = image[..., ::-1]
    image = (image * info.scale - np.array(info.mean)) / np.array(info.std)
    return np.ascontiguousarray(np.moveaxis(image, 2, 0), np.float32)


def resized(x, height, width):
    """Bilinear, half-pixel centres, no antialiasing; rows and columns are the first two axes."""
    for axis, size in enumerate((height, width)):
        old = x.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        weight = (at - low).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        x = x.take(low, axis) * (1 - weight) + x.take(np.minimum(low + 1, old - 1), axis) * weight
    return x


def softmax(scores):
    """Over the first axis."""
    powers = np.exp(scores - scores.max(0))
    return powers / powers.sum(0)


def entropy(p):
    """Of every pixel over log(classes): 0 to 1."""
    return -(p * np.log(np.maximum(p, 1e-30))).sum(0) / np.log(len(p))


def focal_entropy(p, gamma):
    h = entropy(p)
    return ((1 - h) ** gamma * h).mean()


def diversity(p, strength):
    q = (np.exp(-strength * entropy(p)) * p).mean((1, 2))
    return (q * np.log(q)).sum() / np.log(len(p))


def max_square(p):
    return -0.5 * (p**2).sum(0).mean()


def cross_entropy(p, labels):
    """Mean over the pixels whose label is not 255."""
    rows, columns = np.nonzero(labels != 255)
    return -np.log(p[labels[rows, columns], rows, columns]).mean()


def positive_labels(p, share):
    """The winning class where it wins by more than this share of its pixels does; else 255."""
    labels, confidence = p.argmax(0), p.max(0)
    result = np.full(labels.shape, 255, np.uint8)
    for c in np.unique(labels):
        values = np.sort(confidence[labels == c])[::-1]
        kept = (labels == c) & (confidence > values[int(share * len(values))])
        result[kept] = c
    return result


def negative(p, threshold):
    """-log(1 - p) of the classes that a pixel certainly is not, mean over the pixels."""
    return np.where(p < threshold, -np.log(1 - np.minimum(p, 0.5)), 0).sum(0).mean()
