"""A folder of images, or a recording of ROS -> the frames of one place, read when wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from das3.recordings import Recording, is_recording
from PIL import Image, ImageOps

Frame = npt.NDArray[np.uint8]
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


def frames_of(path: Path) -> Folder | Recording:
    """The frames of a folder, or of a recording that has one topic of images."""
    return Recording(path) if is_recording(path) else Folder(path)


class Folder(Sequence[Frame]):
    """The images of a folder, in the order of the numbers in their names.

    das3 asks for a length and for the frame at an index, so anything else that has these can take
    its place.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_dir():
            raise FileNotFoundError(f"{path} is no folder; expected a folder of images")
        self.paths = sorted(
            (entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES), key=_numbers
        )
        if not self.paths:
            kinds = ", ".join(sorted(SUFFIXES))
            raise FileNotFoundError(f"{path} has no images; expected files that end in {kinds}")

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Frame: ...
    @overload
    def __getitem__(self, index: slice) -> list[Frame]: ...
    def __getitem__(self, index: int | slice) -> Frame | list[Frame]:
        if isinstance(index, slice):
            return [self._read(path) for path in self.paths[index]]
        return self._read(self.paths[index])

    def _read(self, path: Path) -> Frame:
        try:
            with Image.open(path) as image:
                return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        except (OSError, SyntaxError) as error:  # what PIL raises for damaged files
            raise OSError(f"{path} cannot be read as an image: {error}") from error


def _numbers(path: Path) -> list[Any]:
    """The name in parts that compare as texts and as numbers by turns."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if part.isdigit() else part for part in parts]
