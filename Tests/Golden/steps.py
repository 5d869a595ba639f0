"""Single steps of the stages (a), (b) and (c) of ESPNet, each from a given state, in float64.

    python Tests/Golden/steps.py SHARED OUT

Six steps of each stage on four real frames (those of espnet_q8_steps), by plain SGD with momentum.
Before every step the state is rounded to float32: what a test is given is exactly what this script
went on from. So rounding has one step to grow in, where a free run of thirty steps lets it decide
which class a pixel is taken for, and with that what all later steps learn. OUT receives

    given_S_K       N          f32  the weights before step K of stage S, one parameter after the
                                    other in the order of steps.json; given_S_6 are the last ones
    velocity_S_K    N          f32  the momentum likewise
    teacher_c_K     N          f32  the slow copy that labels mixed frames
    IMAGE.labels    360x480    u8   what a network says of a frame: the most probable class,
    IMAGE.rivals    360x480    u8   the second where it is as probable within `near`, else the same,
    IMAGE.confidence 360x480   f32  the probability of the first,
    IMAGE.negatives 360x480x3  u8   classes below `lambda_neg`: c is bit c mod 8 of byte c / 8

where IMAGE is S_F, frame F by the network that stage S begins with, or c_K_I and c_K_J, the frames
that step K of (c) cuts together, by the slow copy. Each frame's image is frameF, 360x480x3 bytes.

steps.json: magic, version, generator and its versions; the settings; for each step the frames, the
losses, the norm of the gradient and of each parameter's part of it, and for (c) the classes cut
out; for each prediction the mean entropy and how many marks are within `near` of `lambda_neg`.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from networks import IGNORED, VERSIONS, fresh
from onnx_torch import at_size, convert, tensors_by_name, trainable
from unpack import normalised, write

HEIGHT, WIDTH = 360, 480
MODEL = "models/espnet_q8.onnx"
SETTINGS = {
    "steps": 6, "momentum": 0.9, "weight_decay": 5e-4, "power": 0.9,
    "rates": [2.5e-4, 2.5e-5, 2.5e-5], "alpha": 0.01, "beta": 0.001, "gamma": 3, "lambda": 3,
    "positive_share": 0.65, "lambda_neg": 0.05, "positive_weight": 1, "negative_weight": 0.5,
    "easy_weight": 0.5, "mixed_weight": 1.5, "easy_share": 0.3, "teacher_momentum": 0.9,
}
# Probabilities that are nearer than this may change places in float32: fifteen times what
# `spread.py` finds them off by.
NEAR = 1e-4
# Data type, whether oneDNN computes, channels last, threads.
WAYS = {
    "float64": (torch.float64, False, False, 2),
    "float32": (torch.float32, True, False, 1),
    "float32, two threads": (torch.float32, True, False, 2),
    "float32, channels last": (torch.float32, True, True, 1),
    "float32, without oneDNN": (torch.float32, False, False, 1),
}


class Network:
    """A file's network, computed in one way; its parameters by name."""

    def __init__(self, path, way):
        self.type, self.uses_onednn, is_last, self.threads = WAYS[way]
        self.format = torch.channels_last if is_last else torch.contiguous_format
        model = at_size(path, HEIGHT, WIDTH)
        self.module = convert(model).to(self.type).to(memory_format=self.format)
        self.tensors = tensors_by_name(self.module, model, trainable(model))
        self.module.requires_grad_(False)
        for uses in self.tensors.values():
            for tensor in uses:
                tensor.requires_grad_(True)

    def image(self, pixels, sidecar):
        pixels = torch.tensor(normalised(pixels, sidecar)).to(self.type)
        return pixels.contiguous(memory_format=self.format)

    def __call__(self, image):
        torch.backends.mkldnn.enabled = self.uses_onednn
        torch.set_num_threads(self.threads)
        return self.module(image)

    @property
    def weights(self):
        return {name: uses[0].detach().double().clone() for name, uses in self.tensors.items()}

    @weights.setter
    def weights(self, values):
        with torch.no_grad():
            for name, uses in self.tensors.items():
                for tensor in uses:
                    tensor.copy_(values[name])

    def gradient(self, loss, frozen=()):
        for uses in self.tensors.values():
            for tensor in uses:
                tensor.grad = None
        loss.backward()
        return {name: sum(tensor.grad for tensor in uses).double()
                for name, uses in self.tensors.items() if name not in frozen}


def norm(tensors):
    return float(sum((tensor.double() ** 2).sum() for tensor in tensors)) ** 0.5


def entropy(p):
    return -(p * p.clamp_min(1e-30).log()).sum(1) / np.log(p.shape[1])


class Prediction:
    """What a network says of a frame, as a test may be given it."""

    def __init__(self, network, image, lambda_neg=SETTINGS["lambda_neg"]):
        with torch.no_grad():
            p = network(image).softmax(1)[0].double()
        self.probabilities = p
        values, classes = p.topk(2, 0)
        self.labels = classes[0]
        self.rivals = classes[1].where(values[0] - values[1] < NEAR, classes[0])
        self.confidence = values[0].float()
        self.negatives = p < lambda_neg
        self.near_count = int(((p - lambda_neg).abs() < NEAR).sum())
        self.entropy = float(entropy(p[None]).mean())

    def write(self, path):
        write(path.with_suffix(".labels"), self.labels.byte().numpy())
        write(path.with_suffix(".rivals"), self.rivals.byte().numpy())
        write(path.with_suffix(".confidence"), self.confidence.numpy())
        marks = np.packbits(self.negatives.permute(1, 2, 0).numpy(), axis=2, bitorder="little")
        write(path.with_suffix(".negatives"), marks)
        return {"file": path.name, "entropy": self.entropy, "near_count": self.near_count}


def thresholds(predictions, share=SETTINGS["positive_share"]):
    """Of each class the confidence that this share of its pixels exceed (equation 4)."""
    labels = torch.cat([p.labels.flatten() for p in predictions])
    values = torch.cat([p.confidence.flatten() for p in predictions])
    result = torch.ones(len(predictions[0].probabilities))
    for c in labels.unique():
        own = values[labels == c].sort(descending=True).values
        result[c] = own[int(share * len(own))]
    return result


def certain(prediction, limits):
    is_certain = prediction.confidence > limits[prediction.labels]
    return prediction.labels.where(is_certain, torch.tensor(IGNORED))[None]


def alignment(network, image):
    """-> the loss of stage (a), and its parts without their factors (equations 2 and 3)."""
    p = network(image).softmax(1)
    h = entropy(p)
    focal = ((1 - h) ** SETTINGS["gamma"] * h).mean()
    q = (torch.exp(-SETTINGS["lambda"] * h).detach()[:, None] * p).mean((0, 2, 3))
    diversity = (q * q.log()).sum() / np.log(len(q))
    return SETTINGS["alpha"] * focal + SETTINGS["beta"] * diversity, (focal, diversity)


def self_training(network, image, labels, marks):
    """The same of stage (b): what is certain, and what is ruled out (equations 5 and 7)."""
    logits = network(image)
    positive = functional.cross_entropy(logits, labels, ignore_index=IGNORED)
    ruled_out = -torch.log1p(-logits.softmax(1).clamp(max=1 - 1e-7))
    negative = (marks * ruled_out).sum(1).mean()
    total = SETTINGS["positive_weight"] * positive + SETTINGS["negative_weight"] * negative
    return total, (positive, negative)


def propagation(network, easy, labels, mixed, mixed_labels):
    """The same of stage (c): an easy frame, and two hard ones cut together (equation 10)."""
    first = functional.cross_entropy(network(easy), labels, ignore_index=IGNORED)
    second = functional.cross_entropy(network(mixed), mixed_labels, ignore_index=IGNORED)
    return SETTINGS["easy_weight"] * first + SETTINGS["mixed_weight"] * second, (first, second)


class Reference:
    """Walks through the stages in float64 and says what each step is given and should do."""

    def __init__(self, shared, seen):
        """seen(stage, step, weights, frozen, losses): each step, before it is taken; `losses`
        takes a network and gives what the functions above give."""
        record = json.loads((shared / "vectors/espnet_q8_steps.json").read_text())
        path = shared / MODEL
        self.network, self.seen = Network(path, "float64"), seen
        self.pixels = [
            np.asarray(Image.open(shared / name).convert("RGB")) for name in record["frames"]]
        self.sidecar = path.with_suffix(".json")
        self.images = [self.network.image(p, self.sidecar) for p in self.pixels]
        self.names = list(self.network.tensors)
        self.frozen = [name for name in self.names if name.startswith("classifier.")]

    def predictions(self):
        return [Prediction(self.network, image) for image in self.images]

    def step(self, stage, step, losses, frozen=()):
        weights = self.network.weights
        expected = self.seen(stage, step, weights, frozen, losses)
        total, parts = losses(self.network)
        gradient = self.network.gradient(total, frozen)
        rest = 1 - step / SETTINGS["steps"]
        rate = SETTINGS["rates"]["abc".index(stage)] * rest ** SETTINGS["power"]
        for name, change in gradient.items():
            change = change + SETTINGS["weight_decay"] * weights[name]
            change = change + SETTINGS["momentum"] * self.velocity[name]
            self.velocity[name] = change.float().double()
            weights[name] = (weights[name] - rate * change).float().double()
        self.network.weights = weights
        return {
            "values": [float(part.detach()) for part in parts], "gradient_norm": norm(gradient.values()),
            "rate": rate, "norms": [norm([gradient[n]]) if n in gradient else 0 for n in self.names],
        } | (expected or {})

    def restart(self):
        self.velocity = {name: torch.zeros_like(w) for name, w in self.network.weights.items()}

    def align(self):
        self.restart()
        for step in range(SETTINGS["steps"]):
            image = self.images[step % 4]
            yield {"frames": [step % 4]} | self.step(
                "a", step, lambda network: alignment(network, image.to(network.type)), self.frozen)

    def train(self, predictions):
        self.restart()
        limits = thresholds(predictions)
        for step in range(SETTINGS["steps"]):
            frame = step % 4
            image, labels = self.images[frame], certain(predictions[frame], limits)
            marks = predictions[frame].negatives
            yield {"frames": [frame]} | self.step("b", step, lambda network: self_training(
                network, image.to(network.type), labels, marks.to(network.type)))

    def propagate(self, predictions, follow):
        """follow(step, teacher, first, second): the slow copy before a step, and what it says."""
        self.restart()
        limits = thresholds(predictions)
        order = sorted(range(4), key=lambda frame: predictions[frame].entropy)
        count = max(1, int(SETTINGS["easy_share"] * 4))
        easy, hard = sorted(order[:count]), sorted(order[count:])
        teacher = self.network.weights
        for step in range(SETTINGS["steps"]):
            student, chosen = self.network.weights, easy[step % len(easy)]
            i, j = hard[step % len(hard)], hard[(step + 1) % len(hard)]
            self.network.weights = teacher
            first, second = (Prediction(self.network, self.images[frame]) for frame in (i, j))
            self.network.weights = student
            follow(step, teacher, first, second)
            classes = first.labels.unique()[0::2]
            mask = torch.isin(first.labels, classes)[None]
            image = self.images[i].where(mask[:, None], self.images[j])
            labels = certain(first, limits).where(mask, certain(second, limits))
            yield {"frames": [chosen, i, j], "classes": classes.tolist()} | self.step(
                "c", step, lambda network: propagation(
                    network, self.images[chosen].to(network.type),
                    certain(predictions[chosen], limits), image.to(network.type), labels))
            m, student = SETTINGS["teacher_momentum"], self.network.weights
            teacher = {name: (m * w + (1 - m) * student[name]).float().double()
                       for name, w in teacher.items()}
        follow(SETTINGS["steps"], teacher, None, None)


def main(shared, out):
    out = fresh(out)

    def flat(values):
        return torch.cat([values[name].flatten() for name in reference.names]).float().numpy()

    def seen(stage, step, weights, *_):
        write(out / f"given_{stage}_{step}", flat(weights))
        write(out / f"velocity_{stage}_{step}", flat(reference.velocity))

    def follow(step, teacher, first, second):
        write(out / f"teacher_c_{step}", flat(teacher))
        for name, prediction in (("i", first), ("j", second)):
            if prediction:
                predicted.append(prediction.write(out / f"c_{step}_{name}"))

    reference, predicted, stages = Reference(shared, seen), [], {}
    for index, pixels in enumerate(reference.pixels):
        write(out / f"frame{index}", pixels)
    for stage in "abc":
        answers = reference.predictions() if stage != "a" else []
        for frame, answer in enumerate(answers):
            predicted.append(answer.write(out / f"{stage}_{frame}"))
        steps = {"a": lambda: reference.align(), "b": lambda: reference.train(answers),
                 "c": lambda: reference.propagate(answers, follow)}[stage]
        stages[stage] = list(steps())
        seen(stage, SETTINGS["steps"], reference.network.weights)
    golden = {
        "magic": "das3-golden", "version": 1, "generator": "Tests/Golden/steps.py",
        "versions": VERSIONS, "model": MODEL, "near": NEAR, "settings": SETTINGS,
        "parameters": reference.names, "stages": stages, "predictions": predicted,
    }
    (out / "steps.json").write_text(json.dumps(golden, indent=1) + "\n")
    print(f"{sum(map(len, stages.values()))} steps of {MODEL} in float64")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
