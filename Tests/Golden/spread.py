"""How far PyTorch itself is from the reference vectors that PyTorch has made.

    python Tests/Golden/spread.py SHARED

repeats three steps of ESPNetv2 (espnetv2_s0.5_frame0) and ten steps of each stage of ESPNet
(espnet_q8_steps) in float32 with several orders of additions, and in float64. What these differ by
nothing that computes in float32 can be held to: PReLU inputs next to 0 change sign, and stage (c)
cuts frames along what single pixels are taken for.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from onnx_torch import at_size, convert, tensors_by_name, trainable
from unpack import normalised

HEIGHT, WIDTH, CLASSES = 360, 480, 20
MOMENTUM, WEIGHT_DECAY, POWER = 0.9, 5e-4, 0.9
# Data type, whether oneDNN computes, channels last, threads.
WAYS = {
    "float32": (torch.float32, True, False, 1),
    "float32, two threads": (torch.float32, True, False, 2),
    "float32, channels last": (torch.float32, True, True, 1),
    "float32, without oneDNN": (torch.float32, False, False, 1),
    "float64": (torch.float64, False, False, 1),
}


class Network:
    """A file's network in training by plain SGD, in one way of computing."""

    def __init__(self, path, way):
        self.type, torch.backends.mkldnn.enabled, is_last, threads = WAYS[way]
        torch.set_num_threads(threads)
        self.format = torch.channels_last if is_last else torch.contiguous_format
        model = at_size(path, HEIGHT, WIDTH)
        self.module = convert(model).to(self.type).to(memory_format=self.format)
        self.tensors = tensors_by_name(self.module, model, trainable(model))
        self.module.requires_grad_(False)
        for uses in self.tensors.values():
            for tensor in uses:
                tensor.requires_grad_(True)
        self.restart()

    def restart(self):
        self.velocity = {}

    def image(self, pixels, sidecar):
        pixels = torch.tensor(normalised(pixels, sidecar)).to(self.type)
        return pixels.contiguous(memory_format=self.format)

    def weights(self):
        return {name: uses[0].detach().double().clone() for name, uses in self.tensors.items()}

    def step(self, loss, rate, frozen=()):
        """-> the norm of the gradient."""
        for uses in self.tensors.values():
            for tensor in uses:
                tensor.grad = None
        loss.backward()
        squares = 0.0
        with torch.no_grad():
            for name, uses in self.tensors.items():
                parts = [tensor.grad for tensor in uses if tensor.grad is not None]
                if not parts or name in frozen:
                    continue
                gradient = sum(parts)
                squares += float((gradient.double() ** 2).sum())
                change = gradient + WEIGHT_DECAY * uses[0]
                if name in self.velocity:
                    change += MOMENTUM * self.velocity[name]
                self.velocity[name] = change
                moved = uses[0] - rate * change
                for tensor in uses:
                    tensor.copy_(moved)
        return squares ** 0.5


def entropy(p):
    return -(p * p.clamp_min(1e-30).log()).sum(1) / np.log(CLASSES)


def alignment(logits, alpha):
    """-> focal entropy with its factor, diversity without."""
    p = logits.softmax(1)
    h = entropy(p)
    q = (torch.exp(-3 * h).detach()[:, None] * p).mean((0, 2, 3))
    return alpha * ((1 - h) ** 3 * h).mean(), (q * q.log()).sum() / np.log(CLASSES)


def three_steps(shared, way):
    """-> the distance from the reference's weights, relative to the way they have gone."""
    vectors = np.load(shared / "vectors/espnetv2_s0.5_frame0.npz")
    path = shared / "models/espnetv2_s0.5_dynamic.onnx"
    network = Network(path, way)
    image = network.image(vectors["frame"], path.with_suffix(".json"))
    start = network.weights()
    frozen = [name for name in start if name.startswith("bu_dec_l4.merge_layer.3.")]
    for _ in range(3):
        focal, diversity = alignment(network.module(image), 2)
        network.step(focal + 0.2 * diversity, 2.5e-4, frozen)
    error = size = 0.0
    for name, weight in network.weights().items():
        if f"after3.{name}" in vectors:
            reference = torch.tensor(vectors[f"after3.{name}"]).double().reshape(weight.shape)
            error += float(((weight - reference) ** 2).sum())
            size += float(((start[name] - reference) ** 2).sum())
    return (error / size) ** 0.5


def pseudo_labels(probabilities):
    """Positive labels at K = 0.65 over all frames, 255 = none."""
    best = [p.max(1) for p in probabilities]
    values = torch.cat([b.values.flatten() for b in best])
    classes = torch.cat([b.indices.flatten() for b in best])
    thresholds = torch.ones(CLASSES, dtype=values.dtype)
    for c in classes.unique():
        own = values[classes == c].sort(descending=True).values
        thresholds[c] = own[int(0.65 * len(own))]
    return [b.indices.where(b.values > thresholds[b.indices], torch.tensor(255)) for b in best]


def stages(shared, way):
    """-> for each stage the largest relative deviations of its losses and gradient norms."""
    record = json.loads((shared / "vectors/espnet_q8_steps.json").read_text())
    path = shared / "models/espnet_q8.onnx"
    network = Network(path, way)
    images = [
        network.image(np.asarray(Image.open(shared / name).convert("RGB")),
                      path.with_suffix(".json"))
        for name in record["frames"]]

    def probabilities():
        with torch.no_grad():
            return [network.module(image).softmax(1) for image in images]

    def align(step):
        a = record["a"]
        focal, diversity = alignment(network.module(images[a["frame_order"][step]]), a["alpha"])
        return focal + a["beta"] * diversity, (focal, diversity)

    def train(step):
        frame = record["b"]["frame_order"][step]
        logits = network.module(images[frame])
        positive = functional.cross_entropy(logits, labels[frame], ignore_index=255)
        ruled_out = -torch.log1p(-logits.softmax(1).clamp(max=1 - 1e-7))
        negative = (negatives[frame] * ruled_out).sum(1).mean()
        return positive + negative, (positive, negative)

    def propagate(step):
        easy = record["c"]["easy"][0]
        first, second = (images[frame] for frame in record["c"]["pairs_i_j"][step])
        with torch.no_grad():
            over, under = network.module(first).argmax(1), network.module(second).argmax(1)
        mask = torch.isin(over, over.unique()[0::2])
        certain = functional.cross_entropy(
            network.module(images[easy]), labels[easy], ignore_index=255)
        mixed = functional.cross_entropy(
            network.module(first.where(mask[:, None], second)), over.where(mask, under))
        return certain + mixed, (certain, mixed)

    deviations = {}
    for letter, losses in (("a", align), ("b", train), ("c", propagate)):
        stage = record[letter]
        network.restart()
        if letter != "a":
            predicted = probabilities()
            labels = pseudo_labels(predicted)
            negatives = [p < record["b"]["lambda_neg"] for p in predicted]
        frozen = [name for name in network.tensors if name.startswith("classifier.")]
        found = []
        for step in range(10):
            total, parts = losses(step)
            norm = network.step(
                total, stage["lr"] * (1 - step / 10) ** POWER, frozen if letter == "a" else ())
            found.append([float(part.detach()) for part in parts] + [norm])
        deviations[letter] = abs(np.array(found) / np.array(stage["values"]) - 1).max(0)
    return deviations


if __name__ == "__main__":
    shared = pathlib.Path(sys.argv[1])
    for way in WAYS:
        print(f"{way}: weights after three steps {three_steps(shared, way):.1e} of their way")
        for letter, columns in stages(shared, way).items():
            parts = ", ".join(f"{100 * column:.2f} %" for column in columns)
            print(f"  stage ({letter}), largest of ten steps: losses and gradient norm {parts}")
