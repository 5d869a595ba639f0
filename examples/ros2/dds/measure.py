"""What one image costs on its way through Python: as a dataclass of cyclonedds, and as bytes.

    measure.py

Prints the median of writing and of taking an image, in a process of its own: no network, no node.
"""

import time
from collections.abc import Callable

import numpy as np
import processes  # noqa: F401 (sets the wire to loopback)
from camera import send
from cyclonedds.domain import DomainParticipant
from messages import DEFAULT_QOS, Header, Image, ImageWriter, reader_of, take_images
from processes import DOMAIN


def median_ms(action: Callable[[], object], prepare: Callable[[], object], count: int) -> float:
    times = []
    for _ in range(count):
        prepare()
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return float(1e3 * np.median(times))


def main() -> None:
    participant = DomainParticipant(DOMAIN)
    writer = ImageWriter(participant, "/image")
    reader = reader_of(participant, "/image", Image, DEFAULT_QOS)
    time.sleep(0.5)
    print("size        dataclass: write, take      bytes: write, take      (ms)")
    for height, width in ((480, 640), (1080, 1920)):
        pixels = np.zeros((height, width, 3), np.uint8)
        message = Image(
            Header(), height, width, "rgb8", 0, 3 * width, list(pixels.reshape(-1).tobytes())
        )

        def write(message: Image = message) -> object:
            return writer.writer.write(message)

        def write_bytes(pixels: np.ndarray = pixels) -> object:
            return send(writer, pixels, "rgb8", pixels.shape[:2])

        def take() -> object:
            return reader.take(8)

        def take_bytes() -> object:
            return list(take_images(reader))

        found = [
            median_ms(write, take_bytes, 9),
            median_ms(take, write_bytes, 9),
            median_ms(write_bytes, take_bytes, 99),
            median_ms(take_bytes, write_bytes, 99),
        ]
        slow, fast = found[:2], found[2:]
        print(
            f"{width:4}x{height:<4}   {slow[0]:9.2f}, {slow[1]:7.2f}      "
            f"{fast[0]:9.2f}, {fast[1]:7.2f}"
        )


if __name__ == "__main__":
    main()
