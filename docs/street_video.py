"""Makes a short video of streets at dusk, for whoever has no dashcam at hand.

    python3 docs/street_video.py drive.mp4 [--frames N] [--size WxH]

`das3-run demo --draw` draws the streets, each another one. Needs pillow.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))

import movie  # noqa: E402


def sides(text: str) -> tuple[int, int]:
    width, height = map(int, text.split("x"))
    return width, height


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("video", type=pathlib.Path)
    parser.add_argument("--frames", type=int, default=40, help="default: %(default)s")
    parser.add_argument(
        "--size", type=sides, default="320x240", metavar="WxH", help="default: %(default)s"
    )
    options = parser.parse_args()
    count, size = options.frames, options.size
    program = os.environ.get("DAS3_RUN", str(ROOT / "build" / "das3-run"))
    with tempfile.TemporaryDirectory() as folder:
        draw = [program, "demo", "--draw", folder, "--look", "dusk", "--seed", "5000"]
        subprocess.run([*draw, "--count", str(count)], check=True, stdout=subprocess.DEVNULL)
        frames = pathlib.Path(folder, "frames")
        pictures = [
            Image.open(frames / f"street{index}.png").resize(size) for index in range(count)
        ]
        encoded = [movie.jpeg(picture) for picture in pictures]
        movie.write(options.video, encoded, [100] * count, size)


if __name__ == "__main__":
    main()
