"""Two hundred steps of training in PyTorch in float64, step by step, for the Swift tests.

    python Tests/Golden/curve.py OUT

A small network learns five classes from 24 drawn frames: SGD with momentum and weight decay, rate
x (1 - step / 200)^0.9, two frames a step (the mean of their losses, each the mean cross-entropy
over the labelled pixels), BatchNorm frozen. OUT receives network.onnx (the initial weights) and
these arrays, written as unpack.py says:

    frame_I     1x3x64x96  f32  the inputs, already normalised
    labels_I    64x96      u8   their truth; 255 = ignored
    order       200x2      u8   the frames of each step
    losses      200        f32  the loss of each step, before its update
    final_I     ...        f32  the parameters after the last step

and golden.json: magic, version, seed, generator and its versions, the settings of the optimiser,
and for each parameter its initializer's name, its file and `moved`, the norm of what it changed by.

The rate is one at which training is well conditioned, and no pixel's class is decided on the way:
PyTorch's float32 must give the same losses within 0.2 % (0.04 % were seen) and the same weights
within 0.5 % of their way, or nothing is written. So 1 % and 2 % are fair demands on any other
implementation in float32, whatever its order of additions.
"""

import copy
import json
import pathlib
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from networks import IGNORED, VERSIONS, export, fresh
from unpack import write
from zoo import CLASSES, ConvNorm, conv, upsampled

SEED = 20261
FRAMES, HEIGHT, WIDTH = 24, 64, 96
STEPS, RATE, MOMENTUM, WEIGHT_DECAY, POWER = 200, 0.005, 0.9, 5e-4, 0.9


class Learner(nn.Module):
    """Encoder of plain and depthwise convolutions, one skip, bilinear decoder."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(3, 16, 3, stride=2), ConvNorm(16, 24, 3))
        self.down = ConvNorm(24, 40, 3, stride=2)
        self.spread = ConvNorm(40, 40, 3, groups=40, dilation=2)
        self.mix = ConvNorm(40, 40, activation=None)
        self.deep = nn.Sequential(ConvNorm(40, 48, 3, stride=2), ConvNorm(48, 40))
        self.join = ConvNorm(64, 24)
        self.head = conv(24, CLASSES, 3, bias=True)

    def forward(self, x):
        fine = self.stem(x)
        y = self.down(fine)
        y = torch.relu(y + self.mix(self.spread(y)))
        y = y + upsampled(self.deep(y), y)
        y = self.join(torch.cat([upsampled(y, fine), fine], 1))
        return upsampled(self.head(y), x)


def drawn(generator):
    """A textured frame with a disk, a box, a triangle, a stripe (classes 1 to 4), and its truth."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    waves = generator.normal(size=(4, 2)) * 0.25
    texture = sum(np.sin(a * x + b * y + i) for i, (a, b) in enumerate(waves)) / 4
    tint = generator.normal(size=3)
    pixels = tint[:, None, None] * 0.4 + texture + (y / HEIGHT - 0.5)
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    colours = np.array([[1.2, -0.6, -0.6], [-0.7, 1.1, -0.4], [-0.5, -0.6, 1.2], [0.9, 0.9, -0.8]])
    for kind in generator.permutation(4):
        row, column = generator.uniform(12, HEIGHT - 12), generator.uniform(12, WIDTH - 12)
        size = generator.uniform(8, 16)
        across, along = x - column, y - row
        inside = (
            across ** 2 + along ** 2 < size ** 2,
            np.maximum(abs(across), abs(along) * 1.4) < size,
            (along > -size) & (along + 2 * abs(across) < size),
            abs(across * 0.8 + along * generator.uniform(-1, 1)) < size / 3,
        )[kind]
        labels[inside] = kind + 1
        shade = colours[kind] * generator.uniform(0.6, 1.2)
        pixels = np.where(inside, shade[:, None, None] + 0.5 * texture, pixels)
    edge = np.zeros_like(labels, bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    labels[edge] = IGNORED
    pixels = pixels + generator.normal(size=pixels.shape) * 0.15
    return torch.from_numpy(pixels[None].astype(np.float32)), labels


def initial():
    """Random weights, and normalisations near the identity (the exporter shares equal tensors)."""
    generator = torch.Generator().manual_seed(SEED)
    network = Learner().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                limit = (3 / module.weight[0].numel()) ** 0.5
                module.weight.uniform_(-limit, limit, generator=generator)
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.9, 1.1, generator=generator)
                module.bias.uniform_(-0.1, 0.1, generator=generator)
                module.running_mean.uniform_(-0.1, 0.1, generator=generator)
                module.running_var.uniform_(0.9, 1.1, generator=generator)
        network.head.bias.zero_()
    return network


def train(network, frames, labels, order, rate):
    """The losses of all steps; the network is left with its last weights."""
    optimiser = torch.optim.SGD(
        network.parameters(), lr=rate, momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    dtype = next(network.parameters()).dtype
    losses = []
    for step, chosen in enumerate(order):
        optimiser.param_groups[0]["lr"] = rate * (1 - step / len(order)) ** POWER
        optimiser.zero_grad()
        total = 0.0
        for index in chosen:
            logits = network(frames[index].to(dtype))
            truth = torch.from_numpy(labels[index].astype(np.int64))[None]
            loss = functional.cross_entropy(logits, truth, ignore_index=IGNORED) / len(chosen)
            loss.backward()
            total += loss.item()
        optimiser.step()
        losses.append(total)
    return np.array(losses)


def main(out):
    out = fresh(out)
    torch.set_num_threads(2)
    generator = np.random.default_rng(SEED)
    frames, labels = zip(*(drawn(generator) for _ in range(FRAMES)))
    epochs = -(-2 * STEPS // FRAMES)
    order = np.concatenate([generator.permutation(FRAMES) for _ in range(epochs)])
    order = order[: 2 * STEPS].reshape(STEPS, 2).astype(np.uint8)
    start = initial()
    export(start, frames[0], out / "network.onnx")

    single, network = copy.deepcopy(start), copy.deepcopy(start).double()
    losses = train(network, frames, labels, order, RATE)
    noise = np.abs(train(single, frames, labels, order, RATE) / losses - 1).max()
    before, after = dict(start.named_parameters()), dict(single.named_parameters())
    moved = {name: (tensor - before[name]).norm().item()
             for name, tensor in network.named_parameters()}
    drift = max((tensor - after[name]).norm().item() / moved[name]
                for name, tensor in network.named_parameters())
    first, last = losses[0], losses[-12:].mean()
    said = (f"loss from {first:.3f} to {last:.3f}, of which float32 differs by {noise:.1e}, "
            f"its weights by {drift:.1e} of their way")
    if noise > 2e-3 or drift > 5e-3 or first < 4 * last:
        raise SystemExit(said)

    for index in range(FRAMES):
        write(out / f"frame_{index:02}", frames[index].numpy())
        write(out / f"labels_{index:02}", labels[index])
    write(out / "order", order)
    write(out / "losses", losses.astype(np.float32))
    rows = []
    for index, (name, tensor) in enumerate(network.named_parameters()):
        write(out / f"final_{index:03}", tensor.detach().float().numpy())
        rows.append({"name": name, "file": f"final_{index:03}", "moved": moved[name]})
    golden = {
        "magic": "das3-golden", "version": 1, "seed": SEED,
        "generator": "Tests/Golden/curve.py", "versions": VERSIONS,
        "input": "image", "output": "logits", "batch_norm": "frozen",
        "frames": FRAMES, "steps": STEPS, "rate": RATE, "momentum": MOMENTUM,
        "weight_decay": WEIGHT_DECAY, "power": POWER, "noise": noise, "parameters": rows,
    }
    (out / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    count = sum(tensor.numel() for tensor in network.parameters())
    print(f"{count} parameters, {STEPS} steps, {said}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
