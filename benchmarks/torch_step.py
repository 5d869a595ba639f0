"""A network in PyTorch -> time and memory of one adaptation step, in this fresh process.

Started by adapt.py: `torch_step.py MODEL FRAME WIDTHxHEIGHT THREADS FORMAT SECONDS
PRECISION`. MODEL is an
ONNX file without arithmetic on shapes (onnx_torch.py writes one) or `deeplab_v2_r101`; FORMAT is
contiguous or channels_last, PRECISION f32 or bf16 (autocast). Prints one JSON object.
"""

import gc
import json
import math
import os
import resource
import statistics
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch

from deeplab import deeplab
from png import read_png

sys.path.append(str(Path(__file__).resolve().parents[1] / "Tests" / "Golden"))
import onnx_torch  # noqa: E402

DEEPLAB = "deeplab_v2_r101"
ALPHA, GAMMA, LAMBDA = 0.002, 3, 3
BETA = ALPHA / 10
RATE, MOMENTUM, WEIGHT_DECAY = 2.5e-4, 0.9, 5e-4
WARM_UP, LEAST_STEPS, MOST_STEPS = 2, 3, 50


def alignment_loss(logits: torch.Tensor) -> torch.Tensor:
    """Focal entropy and weighted diversity: stage (a) of the method."""
    log_p = logits.log_softmax(1)
    p = log_p.exp()
    scale = 1 / math.log(logits.shape[1])
    entropy = -(p * log_p).sum(1) * scale
    focal = ALPHA * ((1 - entropy) ** GAMMA * entropy).mean()
    weight = torch.exp(-LAMBDA * entropy.detach())
    share = (weight[:, None] * p).mean((0, 2, 3))
    return focal + BETA * scale * (share * share.log()).sum()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def picture(path: str, width: int, height: int) -> torch.Tensor:
    """An RGB8 PNG -> 1 x 3 x height x width, normalised as is usual."""
    pixels = read_png(Path(path))
    rows = np.arange(height) * pixels.shape[0] // height
    columns = np.arange(width) * pixels.shape[1] // width
    values = pixels[rows][:, columns].astype(np.float32) / 255
    values = (values - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))


def network(model: str, layout: torch.memory_format):
    """The network with BatchNorm frozen, and everything in it that is trained."""
    if model == DEEPLAB:
        module = deeplab().to(memory_format=layout)
        return module, list(module.parameters())
    file = onnx.load(model)
    module = onnx_torch.convert(file).to(memory_format=layout)
    held = onnx_torch.tensors_by_name(module, file, onnx_torch.trainable(file))
    return module, [tensor.requires_grad_() for uses in held.values() for tensor in uses]


def main(model, frame, size, threads, layout, seconds, precision):
    torch.set_num_threads(int(threads))
    layout = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}[layout]
    x = picture(frame, *map(int, size.split("x"))).contiguous(memory_format=layout)
    gc.collect()
    start_bytes = resident_bytes()
    module, parameters = network(model, layout)
    optimiser = torch.optim.SGD(
        parameters, lr=RATE, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)

    def step():
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = module(x)
        alignment_loss(logits.float()).backward()
        optimiser.step()

    for _ in range(WARM_UP):
        step()
    times, end, cpu = [], time.perf_counter() + float(seconds), time.process_time()
    while len(times) < LEAST_STEPS or time.perf_counter() < end and len(times) < MOST_STEPS:
        begin = time.perf_counter()
        step()
        times.append(1000 * (time.perf_counter() - begin))
    cpu = 1000 * (time.process_time() - cpu) / len(times)
    times.sort()
    print(json.dumps({
        "median_ms": statistics.median(times), "min_ms": times[0], "steps": len(times),
        "cpu_ms": cpu,
        "start_bytes": start_bytes, "peak_bytes": peak_bytes(), "torch": torch.__version__,
        "parameters": sum(tensor.numel() for tensor in parameters),
    }))


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # onnx2torch's, about its own use of PyTorch
    main(*sys.argv[1:])
