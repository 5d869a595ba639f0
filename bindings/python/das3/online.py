"""A camera loop: every frame is labelled at once, and the network learns from the stream."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from . import _ffi
from ._ffi import library
from ._records import described, file_path, sized, with_options
from .adapter import (
    AdapterOptions,
    GuardOrigin,
    GuardReason,
    GuardVeto,
    adapter_request,
    mask_values,
)
from .errors import Status, check
from .model import Model
from .segmenter import Camera, SegmenterOptions, segmenter_request

if TYPE_CHECKING:
    import numpy.typing as npt
    from typing_extensions import Unpack


class OnlineOptions(TypedDict, total=False):
    """Options of an Online; das3.h says what each does and which value it has otherwise."""

    learning_threads: int
    segmenter: SegmenterOptions  # how frames are labelled
    adapter: AdapterOptions  # how stages learn
    budget: float
    steps_per_second: float
    steps_per_frame: int
    reservoir: int
    probes: int
    stage_steps: int
    scene_frames: int
    restoration: float


_PARTS = ("segmenter", "adapter")  # options that are options of something else


class OnlineReport(NamedTuple):
    """What learning from the stream has come to; das3.h has more."""

    origin: GuardOrigin  # of the weights in use
    reason: GuardReason  # why these are the source's
    paused: bool
    frame_count: int
    observed_count: int
    unseen_count: int
    repeated_count: int
    swap_count: int
    reservoir_count: int
    probe_count: int
    stage: str  # "a", "b", "c"; "" = nothing is trained at the moment
    status: Status  # why learning has ended; OK = it goes on
    veto: GuardVeto  # why the last set was refused that was refused
    step: int
    step_count: int
    total_step: int
    judged_count: int
    accepted_count: int
    held_count: int
    rolled_back_count: int
    alarm_count: int
    share: float
    score: float
    source_score: float
    loss: float
    seconds: float
    memory_bytes: int
    ignored_share: float
    found_share: float


class Online(Camera):
    """One camera whose network becomes good where the camera is.

    One thread at a time may be inside `run`, any thread may call the rest; Python goes on.

        with das3.Online(model) as online:
            for frame in camera:
                labels = online.run(frame).labels
            online.snapshot().save("better.onnx")
    """

    _free = "das3_online_free"
    _runs = "das3_online_run"

    def __init__(self, model: Model, **options: Unpack[OnlineOptions]) -> None:
        own = {name: value for name, value in options.items() if name not in _PARTS}
        raw = with_options(_ffi.das3_online_options, own)
        segmenter = segmenter_request(options.get("segmenter", {}))
        adapter = adapter_request(options.get("adapter", {}))
        raw.segmenter, raw.adapter = ctypes.addressof(segmenter), ctypes.addressof(adapter)
        self._describe(model)
        with model._use() as pointer:
            self._create(library.das3_online_create, pointer, ctypes.byref(raw))

    def set_ignored(self, mask: npt.ArrayLike | None) -> None:
        """Lets pixels count for nothing, as `Adapter.set_ignored` does; before the first frame."""
        with self._use() as pointer:
            check(library.das3_online_set_ignored(pointer, *mask_values(mask)))

    @property
    def report(self) -> OnlineReport:
        raw = sized(_ffi.das3_online_report)
        with self._use(beside=True) as pointer:
            check(library.das3_online_get_report(pointer, ctypes.byref(raw)))
        return described(OnlineReport, raw)

    def snapshot(self) -> Model:
        """A model of the weights in use, which the guard has accepted."""
        with self._use(beside=True) as pointer:
            return Model._made(library.das3_online_snapshot, pointer)

    def pause(self) -> None:
        """Learns nothing from now on; frames are labelled all the same."""
        with self._use(beside=True) as pointer:
            check(library.das3_online_pause(pointer, 1))

    def go_on(self) -> None:
        """Learns again."""
        with self._use(beside=True) as pointer:
            check(library.das3_online_pause(pointer, 0))

    def reset(self) -> None:
        """Forgets everything that was learned: the source labels the next frame."""
        with self._use(beside=True) as pointer:
            check(library.das3_online_reset(pointer))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes what was learned and accepted; frames are not written."""
        with self._use(beside=True) as pointer:
            check(library.das3_online_save(pointer, file_path(path)))

    def resume(self, path: str | os.PathLike[str]) -> None:
        """Goes on with what another process has saved; before the first frame."""
        with self._use() as pointer:
            check(library.das3_online_resume(pointer, file_path(path)))

    def _shown(self) -> str:
        report = self.report
        return f"{report.frame_count} frames, {report.origin.name.lower()} in use"
