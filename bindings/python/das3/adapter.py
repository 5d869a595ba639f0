"""A model and frames of the place it is used in -> a model that is better there."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypedDict, Union, cast

import numpy as np
import numpy.typing as npt

from . import _ffi
from ._ffi import library
from ._handle import Handle, enter
from ._progress import progress_bar
from ._records import described, file_path, profiled, sized, with_options
from .errors import ArgumentError, ShapeError, check, guarded, interrupts_kept, kept
from .frame import Format, Frame, check_source, frame_of, lent, values
from .model import Model, model_info
from .segmenter import Precision

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Method(IntEnum):
    """`das3_method`: how the adapter learns."""

    DAS3 = 0
    BN = 1
    TENT = 2
    ENTROPY = 3
    MAXSQUARE = 4
    SELFTRAIN = 5
    SUPERVISED = 6
    BLEND = 7
    AUTO = 8
    ATP = 9
    LD = 10
    HCL = 11
    DINE = 12
    URMA = 13


class Start(IntEnum):
    """`das3_start`: where a method that trains begins."""

    SOURCE = 0
    BLEND = 1


class Mixing(IntEnum):
    """`das3_mixing`: how stage (c) mixes hard frames."""

    CLASSES = 0
    PLACES = 1
    BOTH = 2


class _Reason(IntEnum):
    @property
    def text(self) -> str:
        """What it means and what would help, in one sentence; "" for NONE."""
        kind = type(self).__name__.removesuffix("Reason").lower()
        return str(getattr(library, f"das3_{kind}_reason_text")(self).decode())


class BlendReason(_Reason):
    """`das3_blend_reason`: why a blend of statistics has left the source as it is."""

    NONE = 0
    NO_STATISTICS = 1
    FEW_FRAMES = 2
    SAME_FRAMES = 3
    FEW_CLASSES = 4


class GuardOrigin(IntEnum):
    """`das3_guard_origin`: where a set of weights comes from that the guard has judged."""

    SOURCE = 0
    BLEND = 1
    TRAINING = 2
    A = 97
    B = 98
    C = 99


class GuardVeto(IntEnum):
    """`das3_guard_veto`: why the guard has refused a set of weights."""

    NONE = 0
    NOT_FINITE = 1
    COLLAPSED = 2
    LOST_CLASSES = 3
    SHIFTED = 4


class GuardReason(_Reason):
    """`das3_guard_reason`: why the result of a guarded run is the source as it was."""

    NONE = 0
    FEW_FRAMES = 1
    SAME_FRAMES = 2
    FEW_CLASSES = 3
    REFUSED = 4
    NOT_BETTER = 5


class BatchNorm(IntEnum):
    """`das3_batch_norm`: what becomes of BatchNormalization."""

    DEFAULT = 0
    FROZEN = 1
    BATCH = 2
    STATISTICS = 3


class Optimizer(IntEnum):
    """`das3_optimizer`: how a gradient moves the weights."""

    DEFAULT = 0
    RELATIVE = 1
    SGD = 2
    ADAMW = 3
    LARS = 4


class AdapterOptions(TypedDict, total=False):
    """Options of an Adapter; das3.h says what each does and which value it has otherwise."""

    method: Method | str
    stages: str
    seed: int
    threads: int
    precision: Precision | str
    height: int
    width: int
    memory_limit: int
    scratch_directory: str | os.PathLike[str]
    trained: str
    frozen: str
    classifier: str
    steps_a: int
    steps_b: int
    steps_c: int
    epochs_a: int
    epochs_b: int
    epochs_c: int
    label_rounds: int
    batch_size: int
    augment: bool
    flip: bool
    filter_mixed: bool
    balance_classes: bool
    optimizer: Optimizer | str
    batch_norm: BatchNorm | str
    rate_a: float
    rate_b: float
    rate_c: float
    drift_a: float
    drift_b: float
    drift_c: float
    classifier_rate: float
    power: float
    momentum: float
    weight_decay: float
    clip_norm: float
    statistics_momentum: float
    teacher_momentum: float
    alpha: float
    beta: float
    gamma: float
    lambda_: float
    positive_weight: float
    negative_weight: float
    easy_weight: float
    mixed_weight: float
    positive_share: float
    negative_threshold: float
    easy_share: float
    start: Start | str
    guard: int
    blend_limit: float
    guard_entropy: float
    guard_class_share: float
    guard_shift: float
    guard_certainty: float
    find_ignored: bool
    zoom: bool
    mixing: Mixing | str
    enlarge: bool
    label_weight: float
    rare_patches: int
    scenes: int


_ENUMERATIONS: dict[str, type[IntEnum]] = {
    "method": Method,
    "precision": Precision,
    "optimizer": Optimizer,
    "batch_norm": BatchNorm,
    "start": Start,
    "mixing": Mixing,
}


def adapter_request(options: AdapterOptions) -> Any:
    """The options as C takes them."""
    return with_options(_ffi.das3_adapter_options, options, _ENUMERATIONS)


class Option(NamedTuple):
    """What the loaded library says of an option of an Adapter."""

    name: str
    words: str  # of a choice, such as "source|blend"; "" for other options
    range: str  # what is accepted, such as "0 to 1"; "" = any value
    meaning: str


def adapter_options() -> tuple[Option, ...]:
    """The options of an Adapter, in the order of das3.h."""
    return tuple(described(Option, raw) for raw in _ffi.adapter_options(library))


class BlendCandidate(NamedTuple):
    """One network on the line from the source's statistics to the target's; das3.h has more."""

    share: float  # of the way to the target's statistics; 0 = the source
    information: float  # IM: entropy of the mean prediction less the mean entropy, in nats
    agreement: float  # F: pixels with the same label in a frame and in its mirror image
    divergence: float  # V: mean Jensen-Shannon divergence of the two, in nats
    score: float  # M = IM x F
    miou: float  # of the labelled frames, 0 to 1; -1 = there are none


class GuardCandidate(NamedTuple):
    """A set of weights that the guard has judged; das3.h has more."""

    origin: GuardOrigin
    veto: GuardVeto
    accepted: bool  # it was the best set when it was judged
    share: float  # from the best set before it (0) to what its stage has led to (1)
    information: float  # IM, as of a BlendCandidate
    agreement: float  # F
    divergence: float  # V
    score: float  # M = IM x F
    entropy: float  # mean entropy of a pixel, in nats
    shift: float  # of the classes' shares from the source's, in nats
    wins: float  # share of the probes with a larger M than the best set before it
    miou: float  # of the labelled frames, 0 to 1; -1 = there are none
    probability: float  # that it is better than the best set before it, by labels; -1 likewise


class Report(NamedTuple):
    """What the last step did; das3.h has the formula of each loss. A loss that is off is 0."""

    stage: str  # "a", "b", "c"; "" for other methods
    step: int
    step_count: int
    total_step: int
    total_step_count: int
    round: int
    labelling: bool
    labels_done: int
    label_count: int
    skipped: bool
    stage_done: bool
    stopped_early: bool
    done: bool
    loss: float
    focal_entropy: float
    diversity: float
    positive: float
    negative: float
    mixed: float
    entropy: float
    max_square: float
    label_coverage: float
    agreement: float
    gradient_norm: float
    learning_rate: float
    seconds: float
    network_seconds: float
    memory_bytes: int
    blending: bool
    blend_count: int
    blend_choice: int
    blend_done: bool
    blend_reason: BlendReason
    judging: bool
    blend_share: float
    blend_seconds: float
    blend: tuple[BlendCandidate, ...]  # the source first, then outwards
    guard_count: int
    guard_choice: int
    guard_done: bool
    guard_reason: GuardReason
    guard_seconds: float
    guard: tuple[GuardCandidate, ...]  # in the order they were judged, the source first
    ignored_share: float  # of the pixels, those that count for nothing
    found_share: float  # of the pixels, those that were found because they never change
    truth: float  # a loss: cross-entropy with the truth of labelled frames
    consistency: float  # a loss of URMA: how far its auxiliary classifiers are from the model's own
    scene_count: int  # scenes that the blend has found; 0 = one, or none were looked for
    scenes_used: bool  # each frame has the statistics of its scene
    scene_share: float  # how far these have moved to the scene's
    scene_frames: tuple[int, ...]  # that the statistics of each are of


def _report(raw: Any) -> Report:
    blends = (described(BlendCandidate, raw.blend[i]) for i in range(raw.blend_count))
    judged = (described(GuardCandidate, raw.guard[i]) for i in range(raw.guard_count))
    report = described(Report, raw)._replace(blend=tuple(blends), guard=tuple(judged))
    return report._replace(scene_frames=report.scene_frames[: report.scene_count])


class AdapterInfo(NamedTuple):
    """How an adapter works. Sizes in pixels, 0 before the first frame decides."""

    height: int
    width: int
    threads: int
    precision: Precision
    frame_count: int
    peak_bytes: int
    multiply_adds: float
    backend: str


def mask_values(mask: npt.ArrayLike | None) -> tuple[bytes | None, int, int]:
    """A mask as C takes it."""
    if mask is None:
        return None, 0, 0
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype not in (np.bool_, np.uint8):
        raise ArgumentError(
            f"mask is {array.dtype} of shape {array.shape}; expected bool or uint8 (H, W)"
        )
    return (array != 0).tobytes(), array.shape[0], array.shape[1]


class FrameSource(Protocol):
    """Frames that memory need not hold, such as a list of files that are read when asked for.

    The same index always gives the same frame.
    """

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Frame: ...


# float32 or float16 (classes, h, w), or two uint8 (h, w): labels, and confidence from 0 to 255.
Prediction = Union[npt.NDArray[Any], tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]]
Predict = Callable[[int, Frame], Prediction]
Progress = Callable[[Report], object]


class Adapter(Handle):
    """A trainable copy of a model's weights, and the frames it is to become good at.

    One thread at a time, `cancel` from any; Python goes on meanwhile.

        with das3.Adapter(model, stages="ab") as adapter:
            for frame in frames:
                adapter.add_frame(frame)
            adapter.run(progress=True)
            adapter.snapshot().save("better.onnx")
    """

    _free = "das3_adapter_free"

    def __init__(self, model: Model, **options: Unpack[AdapterOptions]) -> None:
        raw = adapter_request(options)
        info = model_info(model)
        self._channel_count, self._class_count = info.channel_count, info.class_count
        self._callbacks: list[Any] = []  # kept alive while the library may call them
        with model._use() as pointer:
            self._create(library.das3_adapter_create, pointer, ctypes.byref(raw))

    def add_frame(self, frame: Frame, *, format: Format | str | None = None) -> None:
        """Adds a frame to learn from: a copy of an array as Format lists them."""
        array, image = lent(frame, format, self._channel_count)
        with self._use() as pointer:
            check(library.das3_adapter_add_frame(pointer, ctypes.byref(image)))
        del array  # It had to live until here.

    def add_labelled_frame(
        self, frame: Frame, truth: npt.NDArray[np.uint8], *, format: Format | str | None = None
    ) -> None:
        """Adds a frame with its truth, uint8 (H, W), 255 = ignore.

        Method.SUPERVISED learns from it; the guard of another method judges by it.
        """
        array, image = lent(frame, format, self._channel_count)
        truth = values("truth", truth, (image.height, image.width), np.uint8)
        add = library.das3_adapter_add_labelled_frame
        with self._use() as pointer:
            check(add(pointer, ctypes.byref(image), truth.ctypes.data))
        del array  # It had to live until here.

    def set_truth_classes(self, truth_classes: npt.ArrayLike | None) -> None:
        """Says which class of the truth each class of the model counts as, for frames that judge.

        One number a class of the model, 255 = none; None = the classes are the same.
        """
        numbers = np.asarray([] if truth_classes is None else truth_classes)
        if numbers.ndim != 1 or np.any((numbers < 0) | (numbers > 255)):
            raise ValueError("truth_classes: expected one number from 0 to 255 a class")
        classes = numbers.astype(np.uint8)
        pointer_to = classes.ctypes.data if classes.size else None
        with self._use() as pointer:
            check(library.das3_adapter_set_truth_classes(pointer, pointer_to, classes.size))

    def set_source(
        self, source: FrameSource | Iterable[Frame], *, format: Format | str | None = None
    ) -> None:
        """Takes the frames from a list, or whatever has a length and indices, as they are needed.

        What reading a frame raises comes out of the call that wanted the frame. An iterator is
        read to its end before this returns, and its frames are then held as `add_frame` holds them.
        """
        check_source(source, format)
        if not (hasattr(source, "__len__") and hasattr(source, "__getitem__")):
            self._add_all(source, format)
            return
        source = cast(FrameSource, source)
        channel_count = self._channel_count
        held: list[Any] = []  # until the next is read

        @guarded
        def read(index: int, image: Any, payload: int | None) -> None:
            array, image[0] = lent(source[index], format, channel_count)
            held[:] = [array]

        raw = sized(_ffi.das3_frame_source)
        raw.count, raw.read = len(source), _ffi.ReadCallback(read)
        with self._use() as pointer:
            check(library.das3_adapter_set_source(pointer, ctypes.byref(raw)))
        self._callbacks.append(raw.read)

    def _add_all(self, frames: Iterable[Frame], format: Format | str | None) -> None:
        """Adds the frames of an iterator, or none where it or one of them fails."""
        # What an iterator gives may be the same array each time.
        arrays = [np.array(lent(frame, format, self._channel_count)[0]) for frame in frames]
        if not arrays:
            raise ArgumentError("source gives no frames; expected at least one")
        while arrays:
            self.add_frame(arrays.pop(0), format=format)

    def set_ignored(self, mask: npt.ArrayLike | None) -> None:
        """Lets pixels count for nothing in all frames: bool or uint8 (H, W), None = all count.

        The mask covers the whole frame, whatever its size; any value but 0 ignores a pixel.
        """
        with self._use() as pointer:
            check(library.das3_adapter_set_ignored(pointer, *mask_values(mask)))

    def set_teacher(self, teacher: Model | Predict) -> None:
        """Takes the labels of stage (b), or the first of DINE, from a model or a function of yours.

        A function gets the index of a frame and the frame, lent for the call, and answers with
        probabilities, float32 or float16 (classes, h, w), or with labels and confidence, two uint8
        (h, w), of any size. What it raises comes out of the call that wanted the prediction.
        """
        raw = sized(_ffi.das3_teacher)
        with ExitStack() as stack:
            if isinstance(teacher, Model):
                raw.model = stack.enter_context(teacher._use())
            else:
                raw.predict = self._predict_callback(teacher)
            pointer = stack.enter_context(self._use())
            check(library.das3_adapter_set_teacher(pointer, ctypes.byref(raw)))
        self._callbacks.append(raw.predict)

    def _predict_callback(self, teacher: Predict) -> Any:
        channel_count, class_count = self._channel_count, self._class_count
        held: list[Any] = []  # until the next is made

        @guarded
        def predict(index: int, image: Any, prediction: Any, payload: int | None) -> None:
            answer = teacher(index, frame_of(image[0], channel_count))
            held[:] = _tell(prediction[0], answer, class_count)

        return _ffi.PredictCallback(predict)

    def step(self) -> Report:
        """One step of the optimizer, and before it whatever labels it needs."""
        raw = sized(_ffi.das3_adapter_report)
        with self._use() as pointer, interrupts_kept():
            status = library.das3_adapter_step(pointer, ctypes.byref(raw))
        check(status)
        return _report(raw)

    def run(self, progress: Progress | bool = False) -> bool:
        """Steps to the end of the schedule; whether it got there. Ctrl-C ends it between steps.

        progress  True for a bar (by tqdm, where that is installed), or a function that is called
                  after every step and every frame that gets labels: what it raises comes out here
                  after the step, and a true result pauses the run until it is called again: for
                  a snapshot on the way, say.
        """
        if progress is True:
            with progress_bar() as bar:
                return self.run(bar)
        is_done = True

        @guarded
        def follow(raw: Any, payload: int | None) -> bool:
            nonlocal is_done
            report = _report(raw[0])
            is_paused = bool(progress and progress(report)) and not report.labelling
            is_done = report.done or not is_paused
            return is_paused

        with self._use() as pointer, interrupts_kept():

            def follow_step(raw: Any, payload: int | None) -> int:
                stops = follow(raw, payload)
                if kept() is not None and raw[0].labelling:
                    library.das3_adapter_cancel(pointer)  # labels are not paused for
                return stops

            status = library.das3_adapter_run(pointer, _ffi.ProgressCallback(follow_step), None)
        check(status)
        return is_done

    def cancel(self) -> None:
        """Ends the running `run` or `step`, else the next, with CancelledError. Any thread."""
        enter()
        with self._lock:
            check(library.das3_adapter_cancel(self._lent()))

    def snapshot(self) -> Model:
        """A model of the weights as they are now: for `Segmenter.set_model` and `Model.save`."""
        with self._use(nests=True) as pointer:
            return Model._made(library.das3_adapter_snapshot, pointer)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a checkpoint."""
        with self._use(nests=True) as pointer:
            check(library.das3_adapter_save(pointer, file_path(path)))

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Continues a checkpoint of the same model, frames and options; before the first step."""
        with self._use() as pointer:
            check(library.das3_adapter_resume(pointer, file_path(path)))

    def _shown(self) -> str:
        info = self.info
        size = f"{info.width}x{info.height}" if info.width else "size of the first frame"
        return f"{size}, {info.frame_count} frames, {info.threads} threads"

    def set_profile(self, is_on: bool) -> None:
        """Measures each step of the network in training from now on, or no longer."""
        with self._use() as pointer:
            check(library.das3_adapter_set_profile(pointer, is_on))

    @property
    def profile(self) -> dict[str, Any]:
        """What the steps took: the JSON of `das3_adapter_get_profile`."""
        with self._use(nests=True) as pointer:
            return profiled(library.das3_adapter_get_profile, pointer)

    @property
    def info(self) -> AdapterInfo:
        raw = sized(_ffi.das3_adapter_info)
        with self._use(nests=True) as pointer:
            check(library.das3_adapter_get_info(pointer, ctypes.byref(raw)))
            return described(AdapterInfo, raw)


def _tell(raw: Any, prediction: Prediction, class_count: int) -> list[Any]:
    """Describes a prediction where it lies; the arrays that must stay there."""
    if isinstance(prediction, tuple):
        size = np.shape(prediction[0])
        labels = values("labels", prediction[0], None, np.uint8)
        confidence = values("confidence", prediction[1], size, np.uint8)
        if labels.ndim != 2:
            raise ShapeError(f"labels is {labels.dtype} {size}; expected uint8 (h, w)")
        raw.height, raw.width = size
        raw.labels, raw.confidence = labels.ctypes.data, confidence.ctypes.data
        return [labels, confidence]
    if getattr(prediction, "ndim", 0) != 3:
        raise ArgumentError("a teacher gives probabilities (classes, h, w) or two arrays (h, w)")
    array = np.asarray(prediction)
    raw.height, raw.width = array.shape[1:]
    shape = class_count, raw.height, raw.width
    dtype = np.float16 if array.dtype == np.float16 else np.float32
    array = values("probabilities", array, shape, dtype)
    if dtype is np.float16:
        raw.half_probabilities = array.ctypes.data
    else:
        raw.probabilities = array.ctypes.data
    return [array]
