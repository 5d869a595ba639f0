"""Street frames by day -> three folders of the same street, each darker than the one before.

evenings.py FRAMES OUTPUT
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from frames import Folder
from PIL import Image

# How bright it is, 1 = by day, and how often each frame occurs.
EVENINGS = {"dusk": (0.3, 2), "evening": (0.25, 3), "night": (0.2, 4)}


def record(day: Path, folder: Path, light: float, rounds: int) -> Path:
    """A folder of all frames in some light, so many times, a little brighter each time."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = Folder(day)
    for index in range(rounds * len(frames)):
        brighter = frames[index % len(frames)].astype(np.float32) + index // len(frames)
        dark = np.clip(brighter * light, 0, 255).astype(np.uint8)
        Image.fromarray(dark).save(folder / f"frame{index}.png")
    return folder


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    for name, (light, rounds) in EVENINGS.items():
        record(Path(sys.argv[1]), Path(sys.argv[2]) / name, light, rounds)
