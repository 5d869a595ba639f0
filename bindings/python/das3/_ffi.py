"""das3.h for ctypes: the library, its structs and its signatures; nothing is decided here."""

from __future__ import annotations

import ctypes
import os
from ctypes import (
    POINTER,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from pathlib import Path
from typing import Any

ABI_VERSION = 0


class das3_image(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("width", c_int32),
        ("height", c_int32),
        ("stride_bytes", c_int64),
        ("format", c_int32),
    ]


class das3_model_options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("external_data", c_uint32),
        ("metadata_json", c_char_p),
        ("class_preset", c_char_p),
        ("max_bytes", c_uint64),
        ("max_nodes", c_uint64),
        ("max_milliseconds", c_uint64),
        ("external_directory", c_char_p),
    ]


SCENE_CAPACITY = 8


class das3_model_info(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("class_count", c_int32),
        ("channel_count", c_int32),
        ("height", c_int32),
        ("width", c_int32),
        ("stride_multiple", c_int32),
        ("opset", c_int32),
        ("ir_version", c_int32),
        ("ignore_label", c_int32),
        ("swaps_colours", c_int32),
        ("parameter_count", c_int64),
        ("node_count", c_int64),
        ("scale", c_float),
        ("mean", c_float * 3),
        ("std", c_float * 3),
        ("producer", c_char_p),
        ("input_name", c_char_p),
        ("output_name", c_char_p),
        ("output_kind", c_char_p),
        ("parameter_tensor_count", c_int32),
        ("is_input_assumed", c_int32),
        ("scores_path", c_char_p),
        ("training_height", c_int32),
        ("training_width", c_int32),
        ("quantized_count", c_int32),
        ("scene_count", c_int32),
        ("scene_frames", c_int64 * SCENE_CAPACITY),
    ]


class das3_class(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("red", c_uint8),
        ("green", c_uint8),
        ("blue", c_uint8),
        ("reserved", c_uint8),
        ("name", c_char_p),
    ]


class das3_parameter(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("is_statistic", c_int32),
        ("offset", c_int64),
        ("count", c_int64),
        ("dims", c_int64 * 8),
        ("rank", c_int32),
        ("is_classifier", c_int32),
        ("name", c_char_p),
    ]


class das3_segmenter_options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_uint32),
        ("height", c_int32),
        ("width", c_int32),
        ("format", c_int32),
        ("precision", c_int32),
        ("memory_limit", c_uint64),
        ("ignore_scenes", c_uint32),
        ("reserved", c_uint32),
    ]


class das3_segmentation(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("labels", c_void_p),
        ("confidence", c_void_p),
        ("entropy", c_void_p),
        ("probabilities", c_void_p),
    ]


class das3_segmenter_info(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("height", c_int32),
        ("width", c_int32),
        ("threads", c_int32),
        ("precision", c_int32),
        ("reserved", c_int32),
        ("peak_bytes", c_uint64),
        ("multiply_adds", c_double),
        ("backend", c_char_p),
        ("scene_count", c_int32),
        ("scene", c_int32),
    ]


class das3_adapter_options(ctypes.Structure):
    """The library says which fields it has: see `_load`."""


class das3_option(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("kind", c_int32),
        ("name", c_char_p),
        ("offset", c_uint64),
        ("words", c_char_p),
        ("range", c_char_p),
        ("meaning", c_char_p),
    ]


# das3_option_kind
OPTION_KINDS: list[Any] = [c_int32, c_uint32, c_uint64, c_double, c_char_p]


class das3_blend_candidate(ctypes.Structure):
    _fields_ = [
        ("share", c_double),
        ("information", c_double),
        ("agreement", c_double),
        ("divergence", c_double),
        ("score", c_double),
        ("miou", c_double),
    ]


BLEND_CAPACITY = 5


class das3_guard_candidate(ctypes.Structure):
    _fields_ = [
        ("origin", c_int32),
        ("veto", c_int32),
        ("accepted", c_int32),
        ("reserved", c_int32),
        ("share", c_double),
        ("information", c_double),
        ("agreement", c_double),
        ("divergence", c_double),
        ("score", c_double),
        ("entropy", c_double),
        ("shift", c_double),
        ("wins", c_double),
        ("miou", c_double),
        ("probability", c_double),
    ]


GUARD_CAPACITY = 16


class das3_adapter_report(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("stage", c_int32),
        ("step", c_int64),
        ("step_count", c_int64),
        ("total_step", c_int64),
        ("total_step_count", c_int64),
        ("round", c_int32),
        ("labelling", c_int32),
        ("labels_done", c_int64),
        ("label_count", c_int64),
        ("skipped", c_int32),
        ("stage_done", c_int32),
        ("stopped_early", c_int32),
        ("done", c_int32),
        ("loss", c_double),
        ("focal_entropy", c_double),
        ("diversity", c_double),
        ("positive", c_double),
        ("negative", c_double),
        ("mixed", c_double),
        ("entropy", c_double),
        ("max_square", c_double),
        ("label_coverage", c_double),
        ("agreement", c_double),
        ("gradient_norm", c_double),
        ("learning_rate", c_double),
        ("seconds", c_double),
        ("network_seconds", c_double),
        ("memory_bytes", c_uint64),
        ("blending", c_int32),
        ("blend_count", c_int32),
        ("blend_choice", c_int32),
        ("blend_done", c_int32),
        ("blend_reason", c_int32),
        ("judging", c_int32),
        ("blend_share", c_double),
        ("blend_seconds", c_double),
        ("blend", das3_blend_candidate * BLEND_CAPACITY),
        ("guard_count", c_int32),
        ("guard_choice", c_int32),
        ("guard_done", c_int32),
        ("guard_reason", c_int32),
        ("guard_seconds", c_double),
        ("guard", das3_guard_candidate * GUARD_CAPACITY),
        ("ignored_share", c_double),
        ("found_share", c_double),
        ("truth", c_double),
        ("consistency", c_double),
        ("scene_count", c_int32),
        ("scenes_used", c_int32),
        ("scene_share", c_double),
        ("scene_frames", c_int64 * SCENE_CAPACITY),
    ]


class das3_adapter_info(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("height", c_int32),
        ("width", c_int32),
        ("threads", c_int32),
        ("precision", c_int32),
        ("reserved", c_int32),
        ("frame_count", c_int64),
        ("peak_bytes", c_uint64),
        ("multiply_adds", c_double),
        ("backend", c_char_p),
    ]


class das3_prediction(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("class_count", c_int32),
        ("height", c_int32),
        ("width", c_int32),
        ("probabilities", c_void_p),
        ("half_probabilities", c_void_p),
        ("labels", c_void_p),
        ("confidence", c_void_p),
    ]


# Callbacks run on the thread of the call, with the GIL held.
LogCallback = ctypes.CFUNCTYPE(None, c_int32, c_char_p, c_void_p)
ReadCallback = ctypes.CFUNCTYPE(c_int32, c_int64, POINTER(das3_image), c_void_p)
PredictCallback = ctypes.CFUNCTYPE(
    c_int32, c_int64, POINTER(das3_image), POINTER(das3_prediction), c_void_p
)
ProgressCallback = ctypes.CFUNCTYPE(c_int32, POINTER(das3_adapter_report), c_void_p)


class das3_frame_source(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_int32),
        ("count", c_int64),
        ("read", ReadCallback),
        ("payload", c_void_p),
    ]


class das3_teacher(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_int32),
        ("model", c_void_p),
        ("predict", PredictCallback),
        ("payload", c_void_p),
    ]


class das3_online_options(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("learning_threads", c_uint32),
        ("segmenter", c_void_p),
        ("adapter", c_void_p),
        ("budget", c_double),
        ("steps_per_second", c_double),
        ("steps_per_frame", c_int32),
        ("reservoir", c_int32),
        ("probes", c_int32),
        ("stage_steps", c_int32),
        ("scene_frames", c_int32),
        ("reserved", c_int32),
        ("restoration", c_double),
    ]


class das3_online_report(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("origin", c_int32),
        ("reason", c_int32),
        ("paused", c_int32),
        ("frame_count", c_int64),
        ("observed_count", c_int64),
        ("unseen_count", c_int64),
        ("repeated_count", c_int64),
        ("swap_count", c_int64),
        ("reservoir_count", c_int32),
        ("probe_count", c_int32),
        ("stage", c_int32),
        ("status", c_int32),
        ("veto", c_int32),
        ("reserved", c_int32),
        ("step", c_int64),
        ("step_count", c_int64),
        ("total_step", c_int64),
        ("judged_count", c_int64),
        ("accepted_count", c_int64),
        ("held_count", c_int64),
        ("rolled_back_count", c_int64),
        ("alarm_count", c_int64),
        ("share", c_double),
        ("score", c_double),
        ("source_score", c_double),
        ("loss", c_double),
        ("seconds", c_double),
        ("memory_bytes", c_uint64),
        ("ignored_share", c_double),
        ("found_share", c_double),
    ]


class das3_evaluation(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32),
        ("class_count", c_int32),
        ("miou", c_double),
        ("pixel_accuracy", c_double),
        ("pixel_count", c_uint64),
        ("iou", c_void_p),
        ("class_capacity", c_int32),
        ("reserved", c_int32),
    ]


_OUT = POINTER(c_void_p)
_HANDLE = c_void_p
_STATUS = c_int32

SIGNATURES = {
    "das3_abi_version": (c_uint32, []),
    "das3_version": (c_char_p, []),
    "das3_status_name": (c_char_p, [_STATUS]),
    "das3_last_error": (c_char_p, []),
    "das3_set_log_callback": (_STATUS, [LogCallback, c_int32, c_void_p]),
    "das3_model_options_init": (None, [POINTER(das3_model_options)]),
    "das3_model_options_init_sized": (None, [POINTER(das3_model_options), c_uint32]),
    "das3_model_load": (_STATUS, [_OUT, c_char_p, POINTER(das3_model_options)]),
    "das3_model_load_bytes": (
        _STATUS,
        [_OUT, c_void_p, c_size_t, POINTER(das3_model_options)],
    ),
    "das3_model_get_info": (_STATUS, [_HANDLE, POINTER(das3_model_info)]),
    "das3_model_get_class": (_STATUS, [_HANDLE, c_int32, POINTER(das3_class)]),
    "das3_model_get_parameter": (_STATUS, [_HANDLE, c_int32, POINTER(das3_parameter)]),
    "das3_model_get_parameters": (_STATUS, [_HANDLE, c_void_p, c_int64]),
    "das3_model_with_parameters": (_STATUS, [_OUT, _HANDLE, c_void_p, c_int64]),
    "das3_model_merge": (_STATUS, [_OUT, POINTER(_HANDLE), POINTER(c_double), c_int32]),
    "das3_model_save": (_STATUS, [_HANDLE, c_char_p]),
    "das3_model_free": (None, [_HANDLE]),
    "das3_segmenter_options_init": (None, [POINTER(das3_segmenter_options)]),
    "das3_segmenter_options_init_sized": (None, [POINTER(das3_segmenter_options), c_uint32]),
    "das3_segmenter_create": (_STATUS, [_OUT, _HANDLE, POINTER(das3_segmenter_options)]),
    "das3_segmenter_run": (_STATUS, [_HANDLE, POINTER(das3_image), POINTER(das3_segmentation)]),
    "das3_segmenter_prepare_model": (_STATUS, [_HANDLE, _HANDLE]),
    "das3_segmenter_set_model": (_STATUS, [_HANDLE, _HANDLE]),
    "das3_segmenter_get_info": (_STATUS, [_HANDLE, POINTER(das3_segmenter_info)]),
    "das3_segmenter_set_profile": (_STATUS, [_HANDLE, c_int32]),
    "das3_segmenter_get_profile": (_STATUS, [_HANDLE, POINTER(c_char_p)]),
    "das3_segmenter_free": (None, [_HANDLE]),
    "das3_adapter_options_init": (None, [POINTER(das3_adapter_options)]),
    "das3_adapter_options_init_sized": (None, [POINTER(das3_adapter_options), c_uint32]),
    "das3_adapter_options_get": (_STATUS, [c_int32, POINTER(das3_option)]),
    "das3_adapter_create": (_STATUS, [_OUT, _HANDLE, POINTER(das3_adapter_options)]),
    "das3_adapter_add_frame": (_STATUS, [_HANDLE, POINTER(das3_image)]),
    "das3_adapter_add_labelled_frame": (_STATUS, [_HANDLE, POINTER(das3_image), c_void_p]),
    "das3_adapter_set_truth_classes": (_STATUS, [_HANDLE, c_void_p, c_int32]),
    "das3_adapter_set_source": (_STATUS, [_HANDLE, POINTER(das3_frame_source)]),
    "das3_adapter_set_teacher": (_STATUS, [_HANDLE, POINTER(das3_teacher)]),
    "das3_adapter_set_ignored": (_STATUS, [_HANDLE, c_void_p, c_int32, c_int32]),
    "das3_blend_reason_text": (c_char_p, [c_int32]),
    "das3_guard_reason_text": (c_char_p, [c_int32]),
    "das3_adapter_step": (_STATUS, [_HANDLE, POINTER(das3_adapter_report)]),
    "das3_adapter_run": (_STATUS, [_HANDLE, ProgressCallback, c_void_p]),
    "das3_adapter_cancel": (_STATUS, [_HANDLE]),
    "das3_adapter_snapshot": (_STATUS, [_OUT, _HANDLE]),
    "das3_adapter_save": (_STATUS, [_HANDLE, c_char_p]),
    "das3_adapter_resume": (_STATUS, [_HANDLE, c_char_p]),
    "das3_adapter_get_info": (_STATUS, [_HANDLE, POINTER(das3_adapter_info)]),
    "das3_adapter_set_profile": (_STATUS, [_HANDLE, c_int32]),
    "das3_adapter_get_profile": (_STATUS, [_HANDLE, POINTER(c_char_p)]),
    "das3_adapter_free": (None, [_HANDLE]),
    "das3_online_options_init": (None, [POINTER(das3_online_options)]),
    "das3_online_options_init_sized": (None, [POINTER(das3_online_options), c_uint32]),
    "das3_online_create": (_STATUS, [_OUT, _HANDLE, POINTER(das3_online_options)]),
    "das3_online_set_ignored": (_STATUS, [_HANDLE, c_void_p, c_int32, c_int32]),
    "das3_online_run": (_STATUS, [_HANDLE, POINTER(das3_image), POINTER(das3_segmentation)]),
    "das3_online_get_report": (_STATUS, [_HANDLE, POINTER(das3_online_report)]),
    "das3_online_snapshot": (_STATUS, [_OUT, _HANDLE]),
    "das3_online_pause": (_STATUS, [_HANDLE, c_int32]),
    "das3_online_reset": (_STATUS, [_HANDLE]),
    "das3_online_save": (_STATUS, [_HANDLE, c_char_p]),
    "das3_online_resume": (_STATUS, [_HANDLE, c_char_p]),
    "das3_online_free": (None, [_HANDLE]),
    "das3_evaluator_create": (_STATUS, [_OUT, c_int32, c_int32]),
    "das3_evaluator_add": (_STATUS, [_HANDLE, c_void_p, c_void_p, c_size_t]),
    "das3_evaluator_get_result": (_STATUS, [_HANDLE, POINTER(das3_evaluation)]),
    "das3_evaluator_free": (None, [_HANDLE]),
}


def _load() -> ctypes.CDLL:
    """$DAS3_LIBRARY, else the library that the wheel carries, else the installed one."""
    name = f"libdas3.so.{ABI_VERSION}"
    carried = Path(__file__).with_name(name)
    path = os.environ.get("DAS3_LIBRARY") or (str(carried) if carried.exists() else name)
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        hint = "install libdas3 or the wheel of das3, or name a libdas3.so in DAS3_LIBRARY"
        raise ImportError(f"das3 cannot load its library: {error}; {hint}") from None
    for function, (result, arguments) in SIGNATURES.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    found = library.das3_abi_version()
    if found != ABI_VERSION:
        raise ImportError(f"{path} has ABI {found}; this das3 package expects {ABI_VERSION}")
    options = adapter_options(library)
    fields = [(option.name.decode(), OPTION_KINDS[option.kind]) for option in options]
    das3_adapter_options._fields_ = [("struct_size", c_uint32), *fields]
    for option, (name, _) in zip(options, fields):
        offset = getattr(das3_adapter_options, name).offset
        if offset != option.offset:
            raise ImportError(f"{path} has {name} at byte {option.offset}; expected {offset}")
    return library


def adapter_options(library: ctypes.CDLL) -> list[das3_option]:
    """Describes the fields of das3_adapter_options, but for struct_size and reserved ones."""
    options: list[das3_option] = []
    while True:
        option = das3_option(struct_size=ctypes.sizeof(das3_option))
        if library.das3_adapter_options_get(len(options), ctypes.byref(option)) != 0:
            return options
        options.append(option)


library = _load()
