"""Semantic segmentation that adapts to where it is used: libdas3 for Python.

    import das3

    with das3.Model("network.onnx") as model, das3.Segmenter(model) as segmenter:
        labels = segmenter.run(frame).labels  # uint8 (H, W, 3) -> class numbers, uint8 (H, W)

Model      a network with its weights, class names and preprocessing
Segmenter  frames -> labels, confidence, entropy, probabilities
Adapter    frames without labels -> a model that is better on them
Online     both in one: labels every frame of a camera, and learns from the stream
Evaluator  labels and truth -> mIoU

Options have the names of das3.h, which says what each does. Every error is a Das3Error; each has
a status, and is a ValueError, MemoryError, OSError, … too where Python has one of its kind.
"""

from .adapter import (
    Adapter,
    AdapterInfo,
    AdapterOptions,
    BatchNorm,
    BlendCandidate,
    BlendReason,
    FrameSource,
    GuardCandidate,
    GuardOrigin,
    GuardReason,
    GuardVeto,
    Method,
    Mixing,
    Optimizer,
    Option,
    Report,
    Start,
    adapter_options,
)
from .errors import (
    ArgumentError,
    CancelledError,
    Das3Error,
    FileDeniedError,
    FileError,
    FileIsFolderError,
    FileMissingError,
    FileNotFolderError,
    ForkError,
    FormatError,
    InternalError,
    LimitError,
    OutOfMemoryError,
    ShapeError,
    Status,
    UnsupportedError,
)
from .evaluator import Evaluation, Evaluator
from .frame import Format
from .library import LogLevel, abi_version, last_error, set_log_callback, status_name, version
from .model import Class, ExternalData, Model, ModelInfo, ModelOptions, Parameter
from .online import Online, OnlineOptions, OnlineReport
from .segmenter import Precision, Segmentation, Segmenter, SegmenterInfo, SegmenterOptions

__version__ = version()

__all__ = [
    "Adapter",
    "AdapterInfo",
    "AdapterOptions",
    "ArgumentError",
    "BatchNorm",
    "BlendCandidate",
    "BlendReason",
    "CancelledError",
    "Class",
    "Das3Error",
    "Evaluation",
    "Evaluator",
    "ExternalData",
    "FileDeniedError",
    "FileError",
    "FileIsFolderError",
    "FileMissingError",
    "FileNotFolderError",
    "ForkError",
    "Format",
    "FormatError",
    "FrameSource",
    "GuardCandidate",
    "GuardOrigin",
    "GuardReason",
    "GuardVeto",
    "InternalError",
    "LimitError",
    "LogLevel",
    "Method",
    "Mixing",
    "Model",
    "ModelInfo",
    "ModelOptions",
    "Online",
    "OnlineOptions",
    "OnlineReport",
    "Optimizer",
    "Option",
    "OutOfMemoryError",
    "Parameter",
    "Precision",
    "Report",
    "Segmentation",
    "Segmenter",
    "SegmenterInfo",
    "SegmenterOptions",
    "ShapeError",
    "Start",
    "Status",
    "UnsupportedError",
    "abi_version",
    "adapter_options",
    "last_error",
    "set_log_callback",
    "status_name",
    "version",
]
