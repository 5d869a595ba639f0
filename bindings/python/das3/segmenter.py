"""Frames -> labels, confidence, entropy and probabilities of every pixel."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, TypedDict

import numpy as np
import numpy.typing as npt

from . import _ffi
from ._ffi import library
from ._handle import Handle
from ._records import described, profiled, sized, with_options
from .errors import check
from .frame import Format, Frame, lent, output
from .model import Model, model_info

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Precision(IntEnum):
    """`das3_precision`: of convolutions and matrix products."""

    F32 = 0
    BF16 = 1
    F32_DIRECT = 2


class SegmenterOptions(TypedDict, total=False):
    """Options of a Segmenter; das3.h says what each does and which value it has otherwise."""

    threads: int
    height: int
    width: int
    format: Format | str
    precision: Precision | str
    memory_limit: int
    ignore_scenes: bool


_ENUMERATIONS: dict[str, type[IntEnum]] = {"format": Format, "precision": Precision}


def segmenter_request(options: SegmenterOptions) -> Any:
    """The options as C takes them."""
    return with_options(_ffi.das3_segmenter_options, options, _ENUMERATIONS)


class SegmenterInfo(NamedTuple):
    """How a segmenter works. Sizes in pixels, 0 before the first frame decides.

    scene_count  scenes whose statistics are in use; 0 = all frames have the same.
    scene        of the last frame; -1 = none.
    """

    height: int
    width: int
    threads: int
    precision: Precision
    peak_bytes: int
    multiply_adds: float
    backend: str
    scene_count: int
    scene: int


class Segmentation:
    """What a network says of a frame of H x W pixels: as much of it as was asked for.

    labels         uint8 (H, W), class numbers
    confidence     uint8 (H, W), 255 * the winning probability, rounded
    entropy        float32 (H, W), of the probabilities over log(classes): 0 to 1
    probabilities  float32 (classes, H, W)
    """

    __slots__ = ("labels", "confidence", "entropy", "probabilities")

    labels: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.uint8]
    entropy: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]

    def __repr__(self) -> str:
        arrays = [(name, getattr(self, name)) for name in self.__slots__ if hasattr(self, name)]
        shown = ", ".join(f"{name}={array.dtype} {array.shape}" for name, array in arrays)
        return f"<das3.Segmentation {shown}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            if name in self.__slots__:
                raise AttributeError(f"not asked for: pass {name}=True to Segmenter.run")
            raise AttributeError(name)


class Camera(Handle):
    """What labels the frames of one camera."""

    _runs: ClassVar[str]  # the function of das3.h that labels a frame

    def _describe(self, model: Model) -> None:
        info = model_info(model)
        self._channel_count, self._class_count = info.channel_count, info.class_count

    def run(
        self,
        frame: Frame,
        *,
        format: Format | str | None = None,
        labels: bool | npt.NDArray[np.uint8] = True,
        confidence: bool | npt.NDArray[np.uint8] = False,
        entropy: bool | npt.NDArray[np.float32] = False,
        probabilities: bool | npt.NDArray[np.float32] = False,
    ) -> Segmentation:
        """Labels one frame, which is not copied where its rows are packed.

        frame   uint8 (H, W, 3) or any other array that Format lists, or what offers one by
                `__array__`, as images of PIL and tensors of torch do; rows may be padded.
        format  how its pixels lie; None = what its type and shape say.
        The others are results: True for a new array, an array of yours to be filled, or False.
        """
        array, image = lent(frame, format, self._channel_count)
        size = image.height, image.width
        result, raw = Segmentation(), sized(_ffi.das3_segmentation)
        if labels is not False:
            result.labels = output("labels", labels, size, np.uint8)
            raw.labels = result.labels.ctypes.data
        if confidence is not False:
            result.confidence = output("confidence", confidence, size, np.uint8)
            raw.confidence = result.confidence.ctypes.data
        if entropy is not False:
            result.entropy = output("entropy", entropy, size, np.float32)
            raw.entropy = result.entropy.ctypes.data
        if probabilities is not False:
            planes = self._class_count, *size
            result.probabilities = output("probabilities", probabilities, planes, np.float32)
            raw.probabilities = result.probabilities.ctypes.data
        with self._use() as pointer:
            check(getattr(library, self._runs)(pointer, ctypes.byref(image), ctypes.byref(raw)))
        del array  # It had to live until here.
        return result


class Segmenter(Camera):
    """One camera: a model prepared for one input size, with the memory that a frame needs.

    One thread at a time; different segmenters run side by side, and Python goes on meanwhile.

        with das3.Model("network.onnx") as model, das3.Segmenter(model) as segmenter:
            labels = segmenter.run(frame).labels
    """

    _free = "das3_segmenter_free"
    _runs = "das3_segmenter_run"

    def __init__(self, model: Model, **options: Unpack[SegmenterOptions]) -> None:
        raw = segmenter_request(options)
        self._describe(model)
        with model._use() as pointer:
            self._create(library.das3_segmenter_create, pointer, ctypes.byref(raw))

    def _shown(self) -> str:
        info = self.info
        size = f"{info.width}x{info.height}" if info.width else "size of the first frame"
        return f"{size}, {self._class_count} classes, {info.threads} threads"

    def prepare_model(self, model: Model) -> None:
        """Makes `set_model` of that model cost next to nothing. Any thread, also beside `run`."""
        with self._use(beside=True) as pointer, model._use() as other:
            check(library.das3_segmenter_prepare_model(pointer, other))

    def set_model(self, model: Model) -> None:
        """Takes the weights of another model of the same graph, from the next frame on."""
        with self._use() as pointer, model._use() as other:
            check(library.das3_segmenter_set_model(pointer, other))

    def set_profile(self, is_on: bool) -> None:
        """Measures each step of the network from now on, or no longer."""
        with self._use() as pointer:
            check(library.das3_segmenter_set_profile(pointer, is_on))

    @property
    def profile(self) -> dict[str, Any]:
        """What the steps took: the JSON of `das3_segmenter_get_profile`."""
        with self._use() as pointer:
            return profiled(library.das3_segmenter_get_profile, pointer)

    @property
    def info(self) -> SegmenterInfo:
        raw = sized(_ffi.das3_segmenter_info)
        with self._use() as pointer:
            check(library.das3_segmenter_get_info(pointer, ctypes.byref(raw)))
            return described(SegmenterInfo, raw)
