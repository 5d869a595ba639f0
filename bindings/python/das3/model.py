"""An ONNX file -> a network with its weights, class names and preprocessing."""

from __future__ import annotations

import ctypes
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from . import _ffi
from ._ffi import library
from ._handle import Handle
from ._records import described, file_path, sized, with_options
from .errors import ArgumentError, Das3Error, check
from .frame import output
from .frame import values as read_values

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ExternalData(IntEnum):
    """`das3_external_data`: what becomes of weights that are not in the ONNX file itself."""

    ALLOW = 0
    REFUSE = 1


class ModelOptions(TypedDict, total=False):
    """Options of a Model; das3.h says what each does and which value it has otherwise."""

    external_data: ExternalData | str
    metadata_json: str
    class_preset: str
    max_bytes: int
    max_nodes: int
    max_milliseconds: int
    external_directory: str | os.PathLike[str]


_ENUMERATIONS: dict[str, type[IntEnum]] = {"external_data": ExternalData}


class ModelInfo(NamedTuple):
    """What a network is. Sizes in pixels, 0 where the file leaves them open.

    is_input_assumed  no source states all of scale, mean, std and colour order.
    scores_path       how the class scores were found, one sentence.
    scene_frames      frames that the statistics of each scene are of; () = all share one set.
    """

    class_count: int
    channel_count: int
    height: int
    width: int
    stride_multiple: int
    opset: int
    ir_version: int
    ignore_label: int
    swaps_colours: bool
    parameter_count: int
    node_count: int
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    producer: str
    input_name: str
    output_name: str
    output_kind: str
    parameter_tensor_count: int
    is_input_assumed: bool
    scores_path: str
    training_height: int
    training_width: int
    quantized_count: int
    scene_count: int
    scene_frames: tuple[int, ...]


class Class(NamedTuple):
    """A class of pixels: its name, and its colour from 0 to 255."""

    name: str
    colour: tuple[int, int, int]


class Parameter(NamedTuple):
    """A tensor of weights: `values[offset : offset + size].reshape(shape)` among all of them."""

    name: str
    shape: tuple[int, ...]
    offset: int
    size: int
    is_statistic: bool
    is_classifier: bool


def model_info(model: Model) -> ModelInfo:
    """What it is, once it is known to be a model."""
    if not isinstance(model, Model):
        raise TypeError(f"model is a {type(model).__name__}; expected a das3.Model")
    return model.info


class Model(Handle):
    """A network with its weights, class names and preprocessing. It never changes.

    Any number of threads may share it; it can be pickled, for `spawn`.

        with das3.Model("network.onnx") as model:
            print([entry.name for entry in model.classes])
    """

    _free = "das3_model_free"
    _is_shared = True

    def __init__(self, path: str | os.PathLike[str], **options: Unpack[ModelOptions]) -> None:
        """Loads an ONNX file."""
        raw = with_options(_ffi.das3_model_options, options, _ENUMERATIONS)
        self._create(library.das3_model_load, file_path(path), ctypes.byref(raw))

    @classmethod
    def from_bytes(cls, data: bytes, **options: Unpack[ModelOptions]) -> Model:
        """Loads the bytes of an ONNX file; they are not needed afterwards."""
        raw = with_options(_ffi.das3_model_options, options, _ENUMERATIONS)
        return cls._made(library.das3_model_load_bytes, data, len(data), ctypes.byref(raw))

    @classmethod
    def merge(cls, models: Sequence[Model], weights: Sequence[float] | None = None) -> Model:
        """The weighted mean of the parameters of models of the same graph; None = all equal."""
        if weights is not None and len(weights) != len(models):
            raise ArgumentError(f"{len(weights)} weights for {len(models)} models")
        numbers = None if weights is None else (ctypes.c_double * len(weights))(*weights)
        with ExitStack() as stack:
            pointers = [stack.enter_context(model._use()) for model in models]
            array = (ctypes.c_void_p * len(models))(*pointers)
            return cls._made(library.das3_model_merge, array, numbers, len(models))

    @classmethod
    def _made(cls, function: Any, *arguments: Any) -> Model:
        model = cls.__new__(cls)
        model._create(function, *arguments)
        return model

    @property
    def info(self) -> ModelInfo:
        raw = sized(_ffi.das3_model_info)
        with self._use() as pointer:
            check(library.das3_model_get_info(pointer, ctypes.byref(raw)))
            info = described(ModelInfo, raw)
        return info._replace(scene_frames=info.scene_frames[: info.scene_count])

    @property
    def classes(self) -> tuple[Class, ...]:
        """In the order of their numbers."""
        return tuple(self.get_class(index) for index in range(self.info.class_count))

    def get_class(self, index: int) -> Class:
        raw = sized(_ffi.das3_class)
        with self._use() as pointer:
            check(library.das3_model_get_class(pointer, index, ctypes.byref(raw)))
            return Class(raw.name.decode(), (raw.red, raw.green, raw.blue))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """In the order of their values."""
        return tuple(self.get_parameter(i) for i in range(self.info.parameter_tensor_count))

    def get_parameter(self, index: int) -> Parameter:
        raw = sized(_ffi.das3_parameter)
        with self._use() as pointer:
            check(library.das3_model_get_parameter(pointer, index, ctypes.byref(raw)))
            return Parameter(
                name=raw.name.decode(),
                shape=tuple(raw.dims[: raw.rank]),
                offset=raw.offset,
                size=raw.count,
                is_statistic=bool(raw.is_statistic),
                is_classifier=bool(raw.is_classifier),
            )

    def get_parameters(self, out: npt.NDArray[np.float32] | None = None) -> npt.NDArray[np.float32]:
        """All weights, tensor by tensor: float32 (parameter_count,), in `out` if given."""
        found = output("out", out, (self.info.parameter_count,), np.float32)
        with self._use() as pointer:
            check(library.das3_model_get_parameters(pointer, found.ctypes.data, found.size))
        return found

    def with_parameters(self, values: npt.NDArray[np.float32]) -> Model:
        """A model that differs only in its weights: float32 (parameter_count,), copied in."""
        new = read_values("values", values, (self.info.parameter_count,), np.float32)
        make = library.das3_model_with_parameters
        with self._use() as pointer:
            return self._made(make, pointer, new.ctypes.data, new.size)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes an ONNX file that differs from the one it came from only in the weights."""
        with self._use() as pointer:
            check(library.das3_model_save(pointer, file_path(path)))

    def to_bytes(self) -> bytes:
        """What `save` writes; it goes through a temporary file."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.onnx")
            self.save(path)
            with open(path, "rb") as file:
                return file.read()

    def __reduce__(self) -> tuple[Callable[..., Model], tuple[type[Model], bytes]]:
        return _unpickled, (type(self), self.to_bytes())

    def _shown(self) -> str:
        info = self.info
        size = f"{info.width}x{info.height}" if info.width and info.height else "any size"
        return f"{size}, {info.class_count} classes, {info.parameter_count} parameters"


def _unpickled(kind: type[Model], data: bytes) -> Model:
    """A model, or one that says at its first use why it is none.

    A worker of multiprocessing's pools that fails while it unpickles a task is replaced, and its
    caller waits for ever.
    """
    try:
        return kind.from_bytes(data)
    except Das3Error as error:
        model = kind.__new__(kind)
        model._lock, model._users, model._failure = threading.Lock(), 0, error
        return model
