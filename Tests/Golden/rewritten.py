"""One network as other tools write it: channels last as from tf2onnx, in float16, and with weights
quantised to int8. Each entry rounds PyTorch's weights to what the file can hold, so that both mean
the same network, and rewrites the file that PyTorch's exporter wrote.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def same(weight):
    return weight


def channels_last(model):
    """Frames N×H×W×3 and scores N×H×W×classes, by a Transpose at either end."""
    graph = model.graph
    for value, order, names in ((graph.input[0], (0, 3, 1, 2), ("image_last", "image_first")),
                                (graph.output[0], (0, 2, 3, 1), ("logits_first", "logits_last"))):
        before, after = names
        inner = after if value is graph.input[0] else before
        for node in graph.node:
            node.input[:] = [inner if name == value.name else name for name in node.input]
            node.output[:] = [inner if name == value.name else name for name in node.output]
        transpose = helper.make_node("Transpose", [before], [after], perm=order)
        if value is graph.input[0]:
            graph.node.insert(0, transpose)
        else:
            graph.node.append(transpose)
        value.name = before if value is graph.input[0] else after
        dims = value.type.tensor_type.shape.dim
        sizes = [dim.dim_value for dim in dims]
        for dim, axis in zip(dims, (0, 2, 3, 1)):
            dim.dim_value = sizes[axis]


def to_float16(weight):
    return weight.half().float()


def in_float16(model):
    """Weights and arithmetic in float16 between a Cast at either end."""
    graph = model.graph
    wide = {name for node in graph.node if node.op_type == "Resize" for name in node.input[1:]}
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and tensor.name not in wide:
            halves = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(halves, tensor.name))
    image, scores = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.input[:] = ["image_16" if name == image else name for name in node.input]
        node.output[:] = ["scores_16" if name == scores else name for name in node.output]
    graph.node.insert(0, helper.make_node("Cast", [image], ["image_16"], to=TensorProto.FLOAT16))
    graph.node.append(helper.make_node("Cast", ["scores_16"], [scores], to=TensorProto.FLOAT))
    del graph.value_info[:]


def scales_of(weight):
    """One for each output channel of a convolution: its largest weight becomes 127."""
    return np.abs(weight).reshape(len(weight), -1).max(axis=1).astype(np.float32) / np.float32(127)


def to_int8(weight):
    if weight.dim() != 4:
        return weight
    values = weight.numpy()
    scales = scales_of(values)[:, None, None, None]
    return weight.new_tensor(np.rint(values / scales) * scales)


def quantised(model):
    """Convolution weights as int8 behind a DequantizeLinear that has their name."""
    graph = model.graph
    for tensor in list(graph.initializer):
        weight = numpy_helper.to_array(tensor)
        if weight.ndim != 4:
            continue
        name, scales = tensor.name, scales_of(weight)
        whole = np.rint(weight / scales[:, None, None, None]).astype(np.int8)
        parts = {"whole": whole, "scale": scales, "zero": np.zeros(len(weight), np.int8)}
        graph.initializer.remove(tensor)
        graph.initializer.extend(
            numpy_helper.from_array(part, f"{name}_{key}") for key, part in parts.items())
        graph.node.insert(0, helper.make_node(
            "DequantizeLinear", [f"{name}_{key}" for key in parts], [name], axis=0))


# Which network, what becomes of each weight, what becomes of the file, how far ONNX Runtime may be.
REWRITTEN = {
    "unet_resnet18_channels_last": ("unet_resnet18", same, channels_last, 1e-4),
    "unet_resnet18_float16": ("unet_resnet18", to_float16, in_float16, 2e-2),
    "unet_resnet18_int8": ("unet_resnet18", to_int8, quantised, 1e-4),
}


def rewrite(path, change):
    model = onnx.load(path)
    change(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)
