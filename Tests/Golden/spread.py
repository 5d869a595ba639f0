"""How far PyTorch itself is from the reference vectors that PyTorch has made.

    python Tests/Golden/spread.py SHARED

repeats, in float32 with several orders of additions and in float64,

- three steps of ESPNetv2 (espnetv2_s0.5_frame0) and ten steps of stage (a) of ESPNet
  (espnet_q8_steps), which run freely: PReLU inputs next to 0 change sign;
- every single step of steps.py from what it is given, and what the given networks say of frames.

What these differ by nothing that computes in float32 can be held to.
"""

import collections
import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image

from steps import MODEL, SETTINGS, WAYS, Network, Prediction, Reference, alignment, norm


class FreeRun(Network):
    """A network in training by plain SGD."""

    velocity = {}

    def step(self, loss, rate, frozen=()):
        """-> the norm of the gradient."""
        gradient, weights = self.gradient(loss, frozen), self.weights
        for name, change in gradient.items():
            change = change + SETTINGS["weight_decay"] * weights[name]
            if name in self.velocity:
                change = change + SETTINGS["momentum"] * self.velocity[name]
            self.velocity = self.velocity | {name: change}
            weights[name] = weights[name] - rate * change
        self.weights = weights
        return norm(gradient.values())


def three_steps(shared, way):
    """-> the distance from the reference's weights, relative to the way they have gone."""
    vectors = np.load(shared / "vectors/espnetv2_s0.5_frame0.npz")
    path = shared / "models/espnetv2_s0.5_dynamic.onnx"
    network = FreeRun(path, way)
    image = network.image(vectors["frame"], path.with_suffix(".json"))
    start = network.weights
    frozen = [name for name in start if name.startswith("bu_dec_l4.merge_layer.3.")]
    for _ in range(3):
        _, (focal, diversity) = alignment(network, image)
        network.step(2 * focal + 0.2 * diversity, 2.5e-4, frozen)
    error = size = 0.0
    for name, weight in network.weights.items():
        if f"after3.{name}" in vectors:
            reference = torch.tensor(vectors[f"after3.{name}"]).double().reshape(weight.shape)
            error += float(((weight - reference) ** 2).sum())
            size += float(((start[name] - reference) ** 2).sum())
    return (error / size) ** 0.5


def stage_a(shared, way):
    """-> the largest relative deviations of losses and gradient norm in ten steps."""
    record = json.loads((shared / "vectors/espnet_q8_steps.json").read_text())
    path = shared / MODEL
    network = FreeRun(path, way)
    images = [
        network.image(np.asarray(Image.open(shared / name).convert("RGB")),
                      path.with_suffix(".json"))
        for name in record["frames"]]
    stage, found = record["a"], []
    frozen = [name for name in network.tensors if name.startswith("classifier.")]
    for step in range(10):
        total, (focal, diversity) = alignment(network, images[stage["frame_order"][step]])
        size = network.step(total, stage["lr"] * (1 - step / 10) ** SETTINGS["power"], frozen)
        found.append([stage["alpha"] * float(focal.detach()), float(diversity.detach()), size])
    return abs(np.array(found) / np.array(stage["values"]) - 1).max(0)


class Comparison:
    """Takes every step of the reference in float32 too, and keeps the largest deviations."""

    def __init__(self, shared):
        self.networks = {way: Network(shared / MODEL, way) for way in WAYS if way != "float64"}
        self.largest = {way: collections.Counter() for way in self.networks}
        self.reference = Reference(shared, self.seen)

    def note(self, way, what, deviation):
        self.largest[way][what] = max(self.largest[way][what], deviation)

    def seen(self, stage, step, weights, frozen, losses):
        total, parts = losses(self.reference.network)
        exact = self.reference.network.gradient(total, frozen)
        size = norm(exact.values())
        for way, network in self.networks.items():
            network.weights = weights
            total, found = losses(network)
            gradient = network.gradient(total, frozen)
            for a, b in zip(found, parts):
                self.note(way, f"({stage}) losses", abs(float(a.detach()) / float(b.detach()) - 1))
            self.note(way, f"({stage}) gradient norm", abs(norm(gradient.values()) / size - 1))
            for name in gradient:
                error = norm([gradient[name] - exact[name]])
                self.note(way, f"({stage}) parameters", error / (norm([exact[name]]) + 0.01 * size))

    def predicted(self, answers):
        weights = self.reference.network.weights
        for way, network in self.networks.items():
            network.weights = weights
            for image, answer in zip(self.reference.images, answers):
                found = Prediction(network, image.to(network.type))
                p, q = found.probabilities, answer.probabilities
                self.note(way, "probabilities", float((p - q).abs().max()))
                wrong = (found.labels != answer.labels) & (found.labels != answer.rivals)
                self.note(way, "labels", int(wrong.sum()))
                self.note(way, "entropies", abs(found.entropy - answer.entropy))

    def run(self):
        list(self.reference.align())
        for walk in (self.reference.train,
                     lambda answers: self.reference.propagate(answers, lambda *_: None)):
            answers = self.reference.predictions()
            self.predicted(answers)
            list(walk(answers))


def main(shared):
    for way in WAYS:
        print(f"{way}: weights after three steps {three_steps(shared, way):.1e} of their way")
        parts = ", ".join(f"{100 * column:.3f} %" for column in stage_a(shared, way))
        print(f"  stage (a), largest of ten free steps: losses and gradient norm {parts}")
    comparison = Comparison(shared)
    comparison.run()
    for way, largest in comparison.largest.items():
        print(f"{way}, largest of single steps: "
              + ", ".join(f"{what} {value:.1e}" for what, value in largest.items()))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
