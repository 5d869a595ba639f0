"""Holds models that libdas3 saves against the same change made with the onnx package.

    python Tests/save.py LIBRARY SHARED

For each model of SHARED/models: saved unchanged it must answer as the original in ONNX Runtime; with
every parameter changed through the C API it must answer as the original whose tensors the onnx package
has changed by the same values, and not as the original. Everything but parameters must be equal.
Prints a table and, last, how many comparisons passed.
"""

import ctypes
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import client

TOLERANCE = 1e-5  # of the range of the scores: ONNX Runtime fuses by graph, not by values


class Parameter(ctypes.Structure):
    _fields_ = [("struct_size", ctypes.c_uint32), ("is_statistic", ctypes.c_int32)]
    _fields_ += [("offset", ctypes.c_int64), ("count", ctypes.c_int64)]
    _fields_ += [("dims", ctypes.c_int64 * 8), ("rank", ctypes.c_int32)]
    _fields_ += [("is_classifier", ctypes.c_int32), ("name", ctypes.c_char_p)]


class Library(client.Library):
    def parameters(self, model):
        """Every parameter tensor: its name, whether it is a statistic, its values."""
        found, total = [], 0
        entry = Parameter(struct_size=ctypes.sizeof(Parameter))
        while self.c.das3_model_get_parameter(model, len(found), ctypes.byref(entry)) == 0:
            name = entry.name.decode()
            found.append((name, entry.is_statistic, entry.offset, list(entry.dims[: entry.rank])))
            total = entry.offset + entry.count
        values = np.empty(total, np.float32)
        pointer = values.ctypes.data_as(ctypes.c_void_p)
        self.check(self.c.das3_model_get_parameters(model, pointer, ctypes.c_int64(total)))
        return [
            (name, statistic, values[offset : offset + int(np.prod(dims))].reshape(dims))
            for name, statistic, offset, dims in found
        ]

    def with_parameters(self, model, arrays):
        values = np.concatenate([array.ravel() for array in arrays]).astype(np.float32)
        result = ctypes.c_void_p()
        pointer = values.ctypes.data_as(ctypes.c_void_p)
        self.check(
            self.c.das3_model_with_parameters(
                ctypes.byref(result), model, pointer, ctypes.c_int64(values.size)
            )
        )
        return result

    def save(self, model, path):
        self.check(self.c.das3_model_save(model, str(path).encode()))


def changed(values, random):
    """Other values of the same size and sign, so that variances stay positive."""
    factor = random.uniform(0.8, 1.25, values.shape).astype(np.float32)
    return (values * factor).astype(np.float32)


def change_with_onnx(model, arrays):
    """Puts the arrays in place of the initializers and Constant nodes of these names."""
    constants = {node.output[0]: node for node in model.graph.node if node.op_type == "Constant"}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, values in arrays.items():
        tensor = tensors.get(name) or constants[name].attribute[0].t
        old = numpy_helper.to_array(tensor)
        new = numpy_helper.from_array(values.astype(old.dtype).reshape(old.shape), tensor.name)
        tensor.CopyFrom(new)


def scores(path_or_bytes):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path_or_bytes, options)
    entry = session.get_inputs()[0]
    fixed = [size if isinstance(size, int) else None for size in entry.shape]
    shape = [size or default for size, default in zip(fixed, (1, 3, 128, 160))]
    image = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    return session.run(None, {entry.name: image})[0]


def distance(a, b):
    return float(np.abs(a - b).max() / max(1e-9, float(np.ptp(b))))


def without_parameters(model, names):
    """The model with everything but the values of parameters and the metadata, as bytes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    constants = [n.attribute[0].t for n in copy.graph.node if n.output[0] in names and n.attribute]
    for tensor in [t for t in copy.graph.initializer if t.name in names] + constants:
        for field in ("raw_data", "float_data", "int32_data", "double_data"):
            tensor.ClearField(field)
    return copy.SerializeToString(deterministic=True)


def inline(model):
    """What loading external data leaves behind in the onnx package."""
    for tensor in model.graph.initializer:
        tensor.ClearField("data_location")
        del tensor.external_data[:]
    return model


def main(library, shared):
    folder = shared / "models"
    if not folder.exists():
        print("no shared models beside the checkout: saving is not compared")
        return 0
    das3, counts = Library(library), {True: 0, False: 0}
    print(f"{'model':34} {'unchanged':>10} {'changed':>10} {'apart':>10}  rest")
    for path in sorted(folder.glob("*.onnx")):
        random = np.random.default_rng(7)
        reference, before = inline(onnx.load(path)), scores(str(path))
        model = das3.load(path)
        parameters = das3.parameters(model)
        arrays = {name: changed(values, random) for name, _, values in parameters}
        other = das3.with_parameters(model, list(arrays.values()))
        with tempfile.TemporaryDirectory() as scratch:
            same_path = pathlib.Path(scratch) / "same.onnx"
            other_path = pathlib.Path(scratch) / "other.onnx"
            das3.save(model, same_path)
            das3.save(other, other_path)
            same, found = scores(str(same_path)), scores(str(other_path))
            saved = onnx.load(other_path)
            onnx.checker.check_model(saved)
        names = set(arrays)
        rest = without_parameters(saved, names) == without_parameters(reference, names)
        change_with_onnx(reference, arrays)
        expected = scores(reference.SerializeToString())
        numbers = distance(same, before), distance(found, expected), distance(found, before)
        provenance = [p.value for p in saved.metadata_props if p.key == "das3.provenance"]
        checks = numbers[0] == 0, numbers[1] <= TOLERANCE, numbers[2] > 0.01
        for check in (*checks, rest, len(provenance) == 1):
            counts[check] += 1
        row = " ".join(f"{number:10.2e}" for number in numbers)
        print(f"{path.name:34} {row}  {'equal' if rest else 'DIFFERS'}", flush=True)
        das3.c.das3_model_free(other)
        das3.c.das3_model_free(model)
    print(f"{counts[True]} passed, {counts[False]} failed")
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])))
