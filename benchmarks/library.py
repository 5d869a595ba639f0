"""libdas3.so and a model file in, labels out: the few calls of das3.h that the benchmarks need."""

import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int32, c_int64, c_uint32, c_uint64
from ctypes import c_void_p
from dataclasses import dataclass

import numpy as np

RGB8 = 1


class Image(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p), ("width", c_int32), ("height", c_int32), ("stride_bytes", c_int64),
        ("format", c_int32),
    ]


class ModelInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("class_count", c_int32), ("channel_count", c_int32),
        ("height", c_int32), ("width", c_int32), ("stride_multiple", c_int32), ("opset", c_int32),
        ("ir_version", c_int32), ("ignore_label", c_int32), ("swaps_colours", c_int32),
        ("parameter_count", c_int64), ("node_count", c_int64), ("scale", c_float),
        ("mean", c_float * 3), ("std", c_float * 3), ("producer", c_char_p),
        ("input_name", c_char_p), ("output_name", c_char_p), ("output_kind", c_char_p),
    ]


class SegmenterOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("threads", c_uint32), ("height", c_int32), ("width", c_int32),
        ("format", c_int32), ("precision", c_int32), ("memory_limit", c_uint64),
    ]


class Segmentation(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("reserved", c_uint32), ("labels", c_void_p),
        ("confidence", c_void_p), ("entropy", c_void_p), ("probabilities", c_void_p),
    ]


class SegmenterInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_uint32), ("height", c_int32), ("width", c_int32), ("threads", c_int32),
        ("precision", c_int32), ("reserved", c_int32), ("peak_bytes", c_uint64),
        ("multiply_adds", c_double), ("backend", c_char_p),
    ]


SIGNATURES = {
    "das3_version": ([], c_char_p),
    "das3_last_error": ([], c_char_p),
    "das3_model_load": ([POINTER(c_void_p), c_char_p, c_void_p], c_int32),
    "das3_model_get_info": ([c_void_p, POINTER(ModelInfo)], c_int32),
    "das3_model_free": ([c_void_p], None),
    "das3_segmenter_options_init": ([POINTER(SegmenterOptions)], None),
    "das3_segmenter_create": ([POINTER(c_void_p), c_void_p, POINTER(SegmenterOptions)], c_int32),
    "das3_segmenter_run": ([c_void_p, POINTER(Image), POINTER(Segmentation)], c_int32),
    "das3_segmenter_get_info": ([c_void_p, POINTER(SegmenterInfo)], c_int32),
    "das3_segmenter_free": ([c_void_p], None),
}


class Library:
    """The shared library, its functions typed as in das3.h."""

    def __init__(self, path: str):
        self.c = ctypes.CDLL(path)
        for name, (arguments, result) in SIGNATURES.items():
            function = getattr(self.c, name)
            function.argtypes, function.restype = arguments, result

    @property
    def version(self) -> str:
        return self.c.das3_version().decode()

    def check(self, status: int):
        if status != 0:
            raise RuntimeError(f"das3 status {status}: {self.c.das3_last_error().decode()}")


@dataclass(frozen=True)
class Preprocessing:
    """What the network expects: (pixel * scale - mean) / std in its order of colours."""

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    swaps_colours: bool


class Model:
    """A network as loaded from its ONNX file. Free it with `close`."""

    def __init__(self, library: Library, path: str):
        self.library, self.handle = library, c_void_p()
        library.check(library.c.das3_model_load(byref(self.handle), path.encode(), None))
        self.info = ModelInfo(struct_size=ctypes.sizeof(ModelInfo))
        library.check(library.c.das3_model_get_info(self.handle, byref(self.info)))

    @property
    def preprocessing(self) -> Preprocessing:
        info = self.info
        return Preprocessing(
            info.scale, tuple(info.mean), tuple(info.std), bool(info.swaps_colours))

    def close(self):
        self.library.c.das3_model_free(self.handle)
        self.handle = c_void_p()


class Segmenter:
    """A model ready for RGB8 frames of one size. Free it with `close`."""

    def __init__(self, model: Model, height: int, width: int, threads: int):
        self.library, self.handle = model.library, c_void_p()
        options = SegmenterOptions()
        self.library.c.das3_segmenter_options_init(byref(options))
        options.threads, options.height, options.width = threads, height, width
        self.library.check(
            self.library.c.das3_segmenter_create(byref(self.handle), model.handle, byref(options)))
        self.labels = np.empty((height, width), np.uint8)
        self.result = Segmentation(
            struct_size=ctypes.sizeof(Segmentation), labels=self.labels.ctypes.data)

    def run(self, frame: np.ndarray) -> np.ndarray:
        """height x width x 3 bytes -> height x width class numbers, overwritten by the next run."""
        height, width, _ = frame.shape
        image = Image(frame.ctypes.data, width, height, frame.strides[0], RGB8)
        self.library.check(
            self.library.c.das3_segmenter_run(self.handle, byref(image), byref(self.result)))
        return self.labels

    @property
    def info(self) -> SegmenterInfo:
        info = SegmenterInfo(struct_size=ctypes.sizeof(SegmenterInfo))
        self.library.check(self.library.c.das3_segmenter_get_info(self.handle, byref(info)))
        return info

    def close(self):
        self.library.c.das3_segmenter_free(self.handle)
        self.handle = c_void_p()
