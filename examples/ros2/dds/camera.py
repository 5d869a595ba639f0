"""A folder of pictures -> a camera of ROS 2, for whoever has none at hand.

    camera.py --frames FOLDER [--topic /camera/image_raw] [--rate 30] [--count 300]

Begins once somebody listens. With --sent it writes a line for each image: seconds, nanoseconds
and the name of the picture.
"""

import argparse
import os
import sys
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from cyclonedds.domain import DomainParticipant
from messages import SENSOR_QOS, Bytes, ImageWriter, is_heard
from PIL import Image as Picture


def send(
    writer: ImageWriter, rows: Bytes, encoding: str, size: tuple[int, int], frame_id: str = "camera"
) -> tuple[int, int]:
    """Publishes a picture of height x width with the time as its stamp, which is returned.

    rows  as they lie in memory: with their padding, and with the chroma below NV12's.
    """
    sec, nanosec = divmod(time.time_ns(), 10**9)
    height, width = size
    step = rows.nbytes // len(rows)
    room = writer.begin(
        (sec, nanosec), frame_id, height, width, encoding, step=step, count=rows.nbytes
    )
    room[:] = rows.reshape(-1)
    writer.publish()
    return sec, nanosec


def wait_for_listeners(writer: ImageWriter, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not is_heard(writer.writer) and time.monotonic() < end:
        time.sleep(0.02)
    return is_heard(writer.writer)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=30, help="images in a second")
    parser.add_argument("--count", type=int, default=300, help="the pictures come again and again")
    parser.add_argument("--encoding", choices=("rgb8", "bgr8"), default="bgr8")
    parser.add_argument("--topic", default="/camera/image_raw")
    parser.add_argument("--frame-id", default="camera")
    parser.add_argument("--domain", type=int, default=int(os.environ.get("ROS_DOMAIN_ID") or 0))
    parser.add_argument("--patience", type=float, default=10, help="seconds to wait for listeners")
    parser.add_argument("--sent", type=Path, help="file of what was sent")
    options = parser.parse_args()
    order = 1 if options.encoding == "rgb8" else -1
    paths = sorted(path for path in options.frames.glob("*") if path.suffix in (".png", ".jpg"))
    if not paths:
        print(f"{options.frames} holds no .png or .jpg; expected pictures", file=sys.stderr)
        return 1
    pictures = [
        (
            path.name,
            np.ascontiguousarray(np.asarray(Picture.open(path).convert("RGB"))[..., ::order]),
        )
        for path in paths[: options.count]
    ]

    writer = ImageWriter(DomainParticipant(options.domain), options.topic, SENSOR_QOS)
    if not wait_for_listeners(writer, options.patience):
        print(f"nobody listens to {options.topic} in domain {options.domain}", file=sys.stderr)
        return 1
    print("begins", flush=True)
    sent = []
    begin = time.monotonic()
    for index, (name, pixels) in enumerate(islice(cycle(pictures), options.count)):
        time.sleep(max(0, begin + index / options.rate - time.monotonic()))
        sec, nanosec = send(writer, pixels, options.encoding, pixels.shape[:2], options.frame_id)
        sent.append(f"{sec} {nanosec} {name}\n")
    if options.sent:
        options.sent.write_text("".join(sent))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
