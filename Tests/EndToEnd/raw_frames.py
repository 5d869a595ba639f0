"""Pictures in, one raw video stream of yuyv or nv12 frames out, as `ffmpeg -f rawvideo` would write it.

    python Tests/EndToEnd/raw_frames.py yuyv|nv12 WIDTHxHEIGHT PICTURE... >frames.yuyv

BT.601, video range. Pictures of another size are resized.
"""

import sys

import numpy
from PIL import Image

TO_YUV = numpy.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])


def yuyv(y, uv):
    height, width = y.shape
    uv = uv.reshape(height, width // 2, 2, 2).mean(axis=2)
    return numpy.stack([y[:, 0::2], uv[..., 0], y[:, 1::2], uv[..., 1]], axis=2)


def nv12(y, uv):
    height, width = y.shape
    uv = uv.reshape(height // 2, 2, width // 2, 2, 2).mean(axis=(1, 3))
    return numpy.concatenate([y.ravel(), uv.ravel()])


def main(layout, size, *pictures):
    layout = {"yuyv": yuyv, "nv12": nv12}[layout]
    width, height = map(int, size.split("x"))
    for path in pictures:
        picture = Image.open(path).convert("RGB").resize((width, height))
        yuv = numpy.asarray(picture) / 255.0 @ TO_YUV.T + [16, 128, 128]
        frame = layout(yuv[..., 0], yuv[..., 1:])
        sys.stdout.buffer.write(numpy.rint(frame).astype(numpy.uint8).tobytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
