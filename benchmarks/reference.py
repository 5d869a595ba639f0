"""ONNX Runtime on the same frame: what libdas3 is measured against."""

import numpy as np
import onnxruntime


def input_tensor(frame: np.ndarray, info) -> np.ndarray:
    """height x width x 3 bytes -> 1 x 3 x height x width floats, as a network of this das3.ModelInfo
    expects them: (pixel * scale - mean) / std in its order of colours."""
    pixels = frame[..., ::-1] if info.swaps_colours else frame
    values = pixels.astype(np.float32) * np.float32(info.scale)
    values -= np.float32(info.mean)
    values /= np.float32(info.std)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None])


def labels_of(output: np.ndarray, height: int, width: int) -> np.ndarray:
    """The network's output -> height x width class numbers; scores are resized first if need be."""
    if output.ndim == 3 or output.shape[1] == 1:  # the network ends in an arg max
        return output.reshape(height, width)
    scores = output[0].astype(np.float32)
    scores = resized(resized(scores, 1, height), 2, width)
    return scores.argmax(0)


def resized(x: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Linear along one axis, half-pixel centres, no antialiasing."""
    old = x.shape[axis]
    if old == size:
        return x
    position = np.clip((np.arange(size) + 0.5) * old / size - 0.5, 0, old - 1)
    low = position.astype(int)
    high = np.minimum(low + 1, old - 1)
    shape = [1] * x.ndim
    shape[axis] = size
    weight = (position - low).astype(np.float32).reshape(shape)
    below, above = x.take(low, axis), x.take(high, axis)
    return below + (above - below) * weight


class Session:
    """A model ready for one float tensor; its threads end with `close`."""

    def __init__(self, model_path: str, threads: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        # The default, said aloud: its threads wait for work by spinning.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        self.session = onnxruntime.InferenceSession(
            model_path, options, providers=["CPUExecutionProvider"])
        self.input_name = self.session.get_inputs()[0].name

    def run(self, tensor: np.ndarray) -> np.ndarray:
        return self.session.run(None, {self.input_name: tensor})[0]

    def close(self):
        self.session = None
