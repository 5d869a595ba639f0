"""Labels and truth -> mIoU, IoU of each class, pixel accuracy."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import _ffi
from ._ffi import library
from ._handle import Handle
from ._records import sized
from .errors import check
from .frame import output, values


class Evaluation(NamedTuple):
    """Of the pixels counted so far; parts from 0 to 1.

    iou  float64 (classes,), NaN for a class in neither truth nor labels; `miou` is the mean of the
         others.
    """

    miou: float
    pixel_accuracy: float
    pixel_count: int
    iou: npt.NDArray[np.float64]


class Evaluator(Handle):
    """One confusion matrix over any number of frames.

    One thread at a time; different evaluators run side by side.

        with das3.Evaluator(model.info.class_count) as evaluator:
            evaluator.add(labels, truth)
            print(evaluator.get_result().miou)
    """

    _free = "das3_evaluator_free"

    def __init__(self, class_count: int, ignore_label: int = 255) -> None:
        """1 to 255 classes; truth that is `ignore_label` or no class is not counted."""
        self._class_count = class_count
        self._create(library.das3_evaluator_create, class_count, ignore_label)

    def add(self, labels: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8]) -> None:
        """Counts the pixels of two uint8 arrays of the same shape, any shape."""
        truth = values("truth", truth, None, np.uint8)
        labels = values("labels", labels, truth.shape, np.uint8)
        add = library.das3_evaluator_add
        with self._use() as pointer:
            check(add(pointer, labels.ctypes.data, truth.ctypes.data, truth.size))

    def get_result(self, iou: npt.NDArray[np.float64] | None = None) -> Evaluation:
        """The measures so far; those of the classes in `iou`, float64 (classes,), if given."""
        ious = output("iou", iou, (self._class_count,), np.float64)
        raw = sized(_ffi.das3_evaluation)
        raw.iou, raw.class_capacity = ious.ctypes.data, ious.size
        with self._use() as pointer:
            check(library.das3_evaluator_get_result(pointer, ctypes.byref(raw)))
        ious[ious < 0] = np.nan
        return Evaluation(raw.miou, raw.pixel_accuracy, raw.pixel_count, ious)

    def _shown(self) -> str:
        result = self.get_result()
        miou = f", mIoU {result.miou:.4f}" if result.pixel_count else ""
        return f"{self._class_count} classes, {result.pixel_count} pixels{miou}"
