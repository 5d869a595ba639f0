"""An ONNX file -> a PyTorch module, and which of its tensors is which initializer of the file.

    python Tests/Golden/onnx_torch.py IN.onnx OUT.onnx HEIGHT WIDTH

writes the file as onnx2torch can read it: for one size, without arithmetic on shapes.
"""

import collections
import operator
import sys
import types

import onnx
import torch
from onnx import numpy_helper


def imported_without_torchvision():
    """onnx2torch needs torchvision for two detection operators only, and PyPI's torchvision does
    not load beside a CPU build of torch: an empty stand-in takes its place during the import."""
    operators = types.ModuleType("torchvision.ops")
    operators.roi_align = None
    stand_in = types.ModuleType("torchvision")
    stand_in.ops = operators
    sys.modules |= {"torchvision": stand_in, "torchvision.ops": operators}
    try:
        import onnx2torch
    finally:
        del sys.modules["torchvision"], sys.modules["torchvision.ops"]
    return onnx2torch


onnx2torch = imported_without_torchvision()

# Weights that a converted node keeps in its module, by their position in the ONNX node.
OWN_TENSORS = {1: "weight", 2: "bias"}


def shape_values(graph) -> set[str]:
    """The values that follow from the size of the input and from constants, but from no weight."""
    integers = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    constant = {tensor.name for tensor in graph.initializer if tensor.data_type in integers} | {""}
    derived = set()
    for node in graph.node:
        if node.op_type == "Constant":
            constant.update(node.output)
        elif node.op_type == "Shape" or derived.union(constant).issuperset(node.input):
            derived.update(node.output)
    return derived


def without_aliases(graph):
    """Removes the Identity nodes by which PyTorch's exporter shares equal initializers."""
    stored = {tensor.name for tensor in graph.initializer}
    aliases = {
        node.output[0]: node.input[0] for node in graph.node
        if node.op_type == "Identity" and node.input[0] in stored}
    kept = [node for node in graph.node if node.output[0] not in aliases]
    for node in kept:
        node.input[:] = [aliases.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(kept)


def at_size(path, height: int, width: int) -> onnx.ModelProto:
    """The network for 1 x 3 x height x width inputs, all arithmetic on shapes done beforehand."""
    import numpy as np
    import onnxruntime  # not needed by those who only convert

    model = onnx.load(path)
    graph = model.graph
    without_aliases(graph)
    derived = shape_values(graph)
    kept = [node for node in graph.node if node.output[0] not in derived]
    needed = sorted({name for node in kept for name in node.input if name in derived})
    del graph.value_info[:]
    for dim, size in zip(graph.input[0].type.tensor_type.shape.dim, (1, 3, height, width)):
        dim.dim_value = size
    output = graph.output[0].name
    graph.output[0].type.tensor_type.ClearField("shape")
    if needed:
        probe = onnx.ModelProto()
        probe.CopyFrom(model)
        probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in needed)
        session = onnxruntime.InferenceSession(probe.SerializeToString())
        zeros = np.zeros((1, 3, height, width), np.float32)
        values = session.run(needed, {graph.input[0].name: zeros})
        constants = [
            onnx.helper.make_node(
                "Constant", [], [name], f"at_size/{name}", value=numpy_helper.from_array(value))
            for name, value in zip(needed, values)]
        del graph.node[:]
        graph.node.extend(constants + kept)
    assert output not in derived
    return model


def trainable(model: onnx.ModelProto) -> list[str]:
    """The float initializers except BatchNorm's running statistics."""
    statistics = {
        name for node in model.graph.node if node.op_type == "BatchNormalization"
        for name in node.input[3:]}
    return [tensor.name for tensor in model.graph.initializer
            if tensor.data_type == onnx.TensorProto.FLOAT and tensor.name not in statistics]


def convert(model: onnx.ModelProto) -> torch.nn.Module:
    """The network in evaluation mode: BatchNorm uses its running statistics."""
    return onnx2torch.convert(model, attach_onnx_mapping=True).eval()


def tensors_by_name(module, model: onnx.ModelProto, names) -> dict[str, list[torch.Tensor]]:
    """For each named initializer every tensor of the module that holds it, one for each use."""
    found = collections.defaultdict(list)
    nodes = onnx2torch.converter.OnnxGraph(model.graph).nodes
    for call in module.graph.nodes:
        if call.op != "call_module":
            continue
        part = module.get_submodule(call.target)
        passed = part.onnx_mapping.inputs
        for name, argument in zip(passed, call.args):
            if isinstance(argument, torch.fx.Node) and argument.op == "get_attr":
                found[name].append(operator.attrgetter(argument.target)(module))
        for position, name in enumerate(nodes[call.target].input_values):
            if name in names and name not in passed and position in OWN_TENSORS:
                found[name].append(getattr(part, OWN_TENSORS[position]))
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name in names:
        for tensor in found[name]:
            expected = torch.tensor(values[name], dtype=tensor.dtype)
            if not torch.equal(tensor.detach(), expected):
                raise ValueError(f"{name} is not the tensor that onnx2torch made of it")
    return {name: found[name] for name in names if found[name]}


if __name__ == "__main__":
    onnx.save(at_size(sys.argv[1], int(sys.argv[3]), int(sys.argv[4])), sys.argv[2])
