"""Holds models that libdas3 saves against the same change made with the onnx package.

    python Tests/EndToEnd/save.py SHARED NETWORKS

For each model of SHARED/models and SHARED/pairs and each network that Tests/Golden/networks.py has made in NETWORKS:
saved unchanged it must answer as the original in ONNX Runtime; with every parameter changed through
the C API it must answer as the original whose tensors the onnx package has changed by the same values,
and not as the original. Unchanged it must be an equal message but for metadata, changed but for
parameters and metadata.
Prints what it checks and, last, how many checks passed.
"""

import pathlib
import sys
import tempfile

import das3
import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from client import Checks

TOLERANCE = 1e-5  # of the range of the scores: ONNX Runtime fuses by graph, not by values


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


def dequantise(model):
    """Puts float32 in the place of weights in integers, as das3 saves them: initializers of the
    names that the DequantizeLinears' outputs had, before all others. Whether there were any."""
    graph = model.graph
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    made = []
    for node in [node for node in graph.node if node.op_type == "DequantizeLinear"]:
        if not tensors.keys() >= set(node.input):
            continue
        whole, scale, zero = (numpy_helper.to_array(tensors[name]) for name in node.input)
        shape = [-1] + [1] * (whole.ndim - 1)
        values = (whole.astype(np.float32) - zero.reshape(shape)) * scale.reshape(shape)
        made.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
        for name in node.input:
            graph.initializer.remove(tensors[name])
        graph.node.remove(node)
    others = list(graph.initializer)
    del graph.initializer[:]
    graph.initializer.extend([*made, *others])
    return bool(made)


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


def main(shared, networks):
    models = sorted((shared / "models").glob("*.onnx"))
    if not models:
        print("no shared models beside the checkout: saving them is not compared")
    paths = {path.name: path for path in models}
    paths |= {path.name: path for path in sorted((shared / "pairs").glob("*.onnx"))}
    paths |= {path.parent.name: path for path in sorted(networks.glob("*/network.onnx"))}
    check = Checks()
    for file, path in paths.items():
        random = np.random.default_rng(7)
        reference, before = inline(onnx.load(path)), scores(str(path))
        is_quantised = dequantise(reference)
        with das3.Model(path) as model, tempfile.TemporaryDirectory() as scratch:
            values = changed(model.get_parameters(), random)
            arrays = {
                tensor.name: values[tensor.offset :][: tensor.size].reshape(tensor.shape)
                for tensor in model.parameters}
            same_path = pathlib.Path(scratch) / "same.onnx"
            other_path = pathlib.Path(scratch) / "other.onnx"
            model.save(same_path)
            with model.with_parameters(values) as other:
                other.save(other_path)
            same, found = scores(str(same_path)), scores(str(other_path))
            onnx_same, saved = onnx.load(same_path), onnx.load(other_path)
            onnx.checker.check_model(saved)
        names = set(arrays)
        rest = without_parameters(saved, names) == without_parameters(reference, names)
        message = without_parameters(onnx_same, ()) == without_parameters(reference, ())
        change_with_onnx(reference, arrays)
        expected = scores(reference.SerializeToString())
        error, apart = distance(found, expected), distance(found, before)
        provenance = [p.value for p in saved.metadata_props if p.key == "das3.provenance"]
        unchanged = distance(same, before)
        check(f"{file}: unchanged, the same answers",
              unchanged <= TOLERANCE if is_quantised else np.array_equal(same, before))
        check(f"{file}: changed, {error:.1e} from onnx's change", error <= TOLERANCE)
        check(f"{file}: and {apart:.1e} from the original", apart > 0.01)
        check(f"{file}: unchanged, an equal message", message)
        check(f"{file}: everything else is equal", rest)
        check(f"{file}: one provenance", len(provenance) == 1, provenance)
    return check.end()


if __name__ == "__main__":
    sys.exit(main(*map(pathlib.Path, sys.argv[1:])))
