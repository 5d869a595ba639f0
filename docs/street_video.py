"""Makes a short video of streets at dusk, for whoever has no dashcam at hand.

    python3 docs/street_video.py drive.mp4 [FRAMES]

`das3-run demo --draw` draws the streets, each another one; they are 320x240 and not yet compressed
much. Needs pillow.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile

from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "Tests" / "EndToEnd"))

import movie  # noqa: E402


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: street_video.py VIDEO [FRAMES]")
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 40
    program = os.environ.get("DAS3_RUN", str(ROOT / "build" / "das3-run"))
    with tempfile.TemporaryDirectory() as folder:
        draw = [program, "demo", "--draw", folder, "--look", "dusk", "--seed", "5000"]
        subprocess.run([*draw, "--count", str(count)], check=True, stdout=subprocess.DEVNULL)
        frames = pathlib.Path(folder, "frames")
        pictures = [Image.open(frames / f"street{index}.png") for index in range(count)]
        encoded = [movie.jpeg(picture) for picture in pictures]
        movie.write(pathlib.Path(sys.argv[1]), encoded, [100] * count, pictures[0].size)


if __name__ == "__main__":
    main()
