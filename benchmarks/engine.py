"""One inference engine in a process of its own, which runs frames when it is told to.

Started by peers.py: `engine.py NAME FOLDER THREADS PRECISION`. PRECISION is f32, or bf16 for engines
of BF16_ENGINES. FOLDER holds `frame.npy` (RGB8), `tensor.npy`
(as the network wants it), `network.onnx`, `plain.onnx` (the same with its size written down) and
`frame.onnx` (from frame to labels). The engine prints one line of JSON when its first labels are
there; then it reads a number from each line of its input, runs so many frames and prints their
times. At the end of the input it prints its peak memory.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np


class Das3:
    """Frame in, labels out."""

    def __init__(self, folder, threads, precision):
        import checkout  # noqa: F401
        import das3

        self.frame = np.load(folder / "frame.npy")
        height, width, _ = self.frame.shape
        self.begin = time.perf_counter()
        self.segmenter = das3.Segmenter(
            das3.Model(folder / "network.onnx"), height=height, width=width, threads=threads,
            precision=precision)
        self.output = np.empty((height, width), np.uint8)

    def run(self):
        self.segmenter.run(self.frame, labels=self.output)
        return self.output


class OnnxRuntime:
    """Frame in, labels out, by operators of the graph."""

    def __init__(self, folder, threads, _):
        import onnxruntime

        self.frame = np.load(folder / "frame.npy")[None]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        self.begin = time.perf_counter()
        self.session = onnxruntime.InferenceSession(
            str(folder / "frame.onnx"), options, providers=["CPUExecutionProvider"])

    def run(self):
        return self.session.run(None, {"frame": self.frame})[0]


class OpenVino:
    """Frame in, labels out, by operators of the graph."""

    def __init__(self, folder, threads, precision):
        import openvino

        self.frame = np.load(folder / "frame.npy")[None]
        self.begin = time.perf_counter()
        compiled = openvino.Core().compile_model(str(folder / "frame.onnx"), "CPU", {
            "INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": precision})
        self.request = compiled.create_infer_request()

    def run(self):
        return self.request.infer([self.frame], share_inputs=True, share_outputs=True)[0]


class Mnn:
    """Normalised tensor in, scores out: without preparing the frame and without arg max."""

    def __init__(self, folder, threads, _):
        import MNN

        self.MNN = MNN
        self.tensor = np.load(folder / "tensor.npy")
        converted = folder / "network.mnn"
        if not converted.is_file():
            code = "from MNN.tools.mnnconvert import main; main()"
            subprocess.run(
                [sys.executable, "-c", code, "-f", "ONNX", "--modelFile", folder / "plain.onnx",
                 "--MNNModel", converted, "--bizCode", "das3"], check=True, capture_output=True)
        self.begin = time.perf_counter()
        self.interpreter = MNN.Interpreter(str(converted))
        self.session = self.interpreter.createSession(
            {"backend": "CPU", "numThread": threads, "precision": "high"})
        self.input = self.interpreter.getSessionInput(self.session)
        self.interpreter.resizeTensor(self.input, self.tensor.shape)
        self.interpreter.resizeSession(self.session)
        self.given = MNN.Tensor(
            self.tensor.shape, MNN.Halide_Type_Float, self.tensor, MNN.Tensor_DimensionType_Caffe)
        output = self.interpreter.getSessionOutput(self.session)
        self.shape = output.getShape()
        self.taken = MNN.Tensor(
            self.shape, MNN.Halide_Type_Float, np.zeros(self.shape, np.float32),
            MNN.Tensor_DimensionType_Caffe)

    def run(self):
        self.input.copyFrom(self.given)
        self.interpreter.runSession(self.session)
        self.interpreter.getSessionOutput(self.session).copyToHostTensor(self.taken)
        return self.taken

    def labels(self, output):
        return output.getNumpyData().reshape(self.shape)[0].argmax(0)


class Ncnn:
    """Normalised tensor in, scores out: without preparing the frame and without arg max."""

    def __init__(self, folder, threads, _):
        import ncnn

        self.tensor = np.load(folder / "tensor.npy")
        param = folder / "plain.ncnn.param"
        if not param.is_file():
            shape = str(list(self.tensor.shape)).replace(" ", "")
            subprocess.run(
                [Path(sys.executable).with_name("pnnx"), folder / "plain.onnx",
                 f"inputshape={shape}", "fp16=0"], check=True, capture_output=True, cwd=folder)
        self.begin = time.perf_counter()
        self.net = ncnn.Net()
        for name in ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic",
                     "use_bf16_storage"):
            setattr(self.net.opt, name, False)
        self.net.opt.num_threads = threads
        if self.net.load_param(str(param)) or self.net.load_model(str(param.with_suffix(".bin"))):
            raise RuntimeError("ncnn cannot load it")
        self.given = ncnn.Mat(self.tensor[0])

    def run(self):
        extractor = self.net.create_extractor()
        extractor.input("in0", self.given)
        status, output = extractor.extract("out0")
        if status:
            raise RuntimeError("ncnn has failed")
        return output

    def labels(self, output):
        return np.array(output).argmax(0)


ENGINES = {"das3": Das3, "ONNX Runtime": OnnxRuntime, "OpenVINO": OpenVino, "MNN": Mnn,
           "ncnn": Ncnn}
BF16_ENGINES = ("das3", "OpenVINO")


def peak_mb() -> float:
    text = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) * 1024 / 1e6


def main(name, folder, threads, precision):
    folder = Path(folder)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # engines print
    engine = ENGINES[name](folder, int(threads), precision)
    output = engine.run()
    first = 1000 * (time.perf_counter() - engine.begin)
    labels = engine.labels(output) if hasattr(engine, "labels") else np.asarray(output)
    np.save(folder / f"{name}.npy", labels.squeeze().astype(np.uint8))
    print(json.dumps({"first_ms": first}), file=answers)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            engine.run()
            times.append(1000 * (time.perf_counter() - begin))
        print(json.dumps(times), file=answers)
    print(json.dumps({"peak_mb": peak_mb()}), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
