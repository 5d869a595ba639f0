"""Ten single steps of atp (three stages), ld, hcl, dine and urma each, from a given state, in float64.

    python Tests/Golden/rivals.py STREET OUT

STREET is examples/street. The network is that of curve.py with nine classes, fitted to the street
frames at 96x64; what it adapts to are the same frames, darker. As in steps.py the state is rounded
to float32 before every step, so that a test is given exactly what this script went on from.
Everything is plain: whole frames in their order, one a step (two in propagate), no augmentation, no
mirror images but in hcl's labels, nothing drawn.

What the papers leave open is decided here like this, for all six (constants are in SETTINGS):

- SGD, momentum 0.9, weight decay 5e-4 on all that trains, rate x (1 - step / 10)^0.9, no clipping;
  momentum and rate start anew with each stage. Rates are such that float32 shows the steps.
- BatchNorm is frozen: running statistics are used and stay, scale and shift train.
- Everything trains but, in align and urma, the classifier (head.weight, head.bias).
- Losses are means over pixels, or over labelled pixels for a cross-entropy; h and the entropy of
  the diversity are divided by log C (dine's factors undo that), logarithms of other losses are
  not. See rival_losses.py.
- T, the slow copy, starts as the network that a stage begins with and moves after every step:
  T = m T + (1 - m) student. All parameters move. A stage's result is the student, not T.
- A label is the most probable class; of equal ones the first. A threshold keeps what is above it.

atp    align      1e-3 focal entropy (gamma 5) + 1e-4 diversity (lambda 3). Step K takes frame
                  K mod 8.
       teach      From what align left; m = min(1 - 1 / (K + 1), 0.999) after step K, from 0. Labels
                  of T for every pixel, at each step anew, without a threshold: cross-entropy +
                  ruled_out, whose classes are those below 0.04 by the student itself before the
                  step. There are no crops, so none is drawn again.
       propagate  From what teach left; m likewise, from step 0 on. Frames are ranked by their mean
                  h by the network that the stage begins with; max(1, floor(0.3 x 8)) are easy. Step
                  K takes easy frame K and hard frame K, modulo their counts, both sorted by number.
                  T labels both. Every second class of the easy one, from its first, is cut out and
                  laid over the hard one with its labels. Loss: share x cross-entropy of the easy
                  frame, plus the same of the mixed one; a share is that of pixels whose probability
                  by T is at least 0.968, cut and laid over like the labels. Neither has a negative
                  term.
ld     From the source; m = 0.99. T labels all frames at the start of a round of five steps: a pixel
       is labelled above the threshold of its class over all frames (equation 4) or above that of
       its frame, the value at descending rank floor(share x pixels); share 0.10, then 0.15.
       Cross-entropy + mean entropy + rank_negative over all pixels, whose class is that of rank
       floor(C / 2) + (K mod 7) - 3 by the student itself before the step, ranks from 0 (kept within
       1 to C - 1). All three weigh 1.
hcl    From the source. Labels once: the mean of the probabilities of four views, as it is and at
       1.25 times the size, each mirrored, too; scores are brought back to the frame's size
       (bilinear, half pixel centres) before softmax; no threshold. Cross-entropy with pixel weights
       exp(-KL(H || T)), not part of the mean's denominator, and class weights, which are: 7 for a
       class with fewer than 16^2 pixels among the frame's labels (64^2 in full-sized frames), else
       1. m = 0.5 and a renewal H = T before steps 4 and 8 (published: every 300 steps) so that ten
       steps show both.
dine   From the source, whose labels all frames have at first: the most probable class with its
       probability in a byte, floor(255 p + 1/2), of which the other classes share the rest evenly.
       Before each of steps 1 to 9 every frame's are renewed (nine times in a run, too):
       P = 0.6 x the label so spread + 0.4 x what the student says, of which again the most
       probable class and its byte are kept. Step K takes frames K and K + 1, modulo
       their count. KL(label || p) + log C (mean entropy + diversity with lambda 0) of the first;
       and KL(target || p) of s x the first + (1 - s) x the second image, whose target is what the
       student says of both before the step, mixed likewise; s = (1 + K mod 3) / 4.
       The second half of a run, mutual information alone, has losses of the first half and of atp's
       align.
urma   From the source. Labels once, above the threshold of the class over all frames; share 0.2.
       Cross-entropy + mean entropy + 0.1 x the sum of the distances of four auxiliary classifiers
       from the network's own, which are held, at the size that its scores have before they are
       enlarged. Each begins as a copy of it, learns at ten times the rate, and sees every second
       channel, times 2: at step K classifier A sees those for which K + A + channel is even
       (published: each with probability 1/2).

OUT receives network.onnx (the source's weights) with network.json, rivals.json, and

    frame_F         64x96x3    u8   what is adapted to
    given_S_K       N          f32  the weights before step K of stage S, one parameter after the
                                    other in the order of rivals.json; given_S_10 are the last ones
    velocity_S_K    N          f32  the momentum likewise
    teacher_S_K     N          f32  T likewise (not align, not dine, not urma)
    history_hcl_K   N          f32  H likewise
    S_K_F.*                         what T says of frame F before step K, as steps.py writes it;
                                    negatives are of atp's 0.04
    source_F.*                      likewise the network that propagate begins with (its ranking)
    ld_R_F.*                        likewise T at the start of round R
    ld_R_F.kept     64x96      u8   its labels that are used; 255 = none
    hcl_F.*                         the mean of the four views
    dine_K_F.*                      P of frame F before step K, at first the source's answer
    urma_F.*                        the source
    marks_teach_K   64x96x2    u8   classes that the student rules out: c is bit c mod 8 of
                                    byte c / 8
    ranked_ld_K     64x96      u8   the class of the rank

rivals.json: magic, version, generator and its versions; settings; parameters; for each step the
frames, the parts of the loss without their factors, the gradient's norm and each parameter's part
of it, the rate, and what else the stage's description names: shares, classes, ranks, weights. In
urma's norms and files those of the auxiliary classifiers follow, one after the other.
near_count says how many marks, pixels above 0.968 or ranks rounding may change: probabilities
nearer than `near`, of ranks by a share of `near`. noise is how far PyTorch's own float32 is off in
the parts and in the gradient's norm, relative to these, and in a parameter's part of the gradient,
relative to that part and a hundredth of the whole norm.
"""

import copy
import json
import math
import pathlib
import sys

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from curve import HEIGHT, WIDTH, initial, train
from networks import IGNORED, VERSIONS, check, export, fresh
from rival_losses import (
    checked, cross_entropy, distance, divergence, divergence_from, diversity, focal_entropy,
    mean_entropy, rank_negative, ranked, ruled_out, soft)
from steps import NEAR, Prediction, certain, norm, thresholds
from unpack import normalised, write
from zoo import conv

CLASSES = ["road", "pavement", "building", "pole", "sign", "vegetation", "sky", "person", "car"]
INPUT = {"colour_order": "rgb", "scale": 1 / 255, "mean": [0.5] * 3, "std": [0.25] * 3}
SEED = 20263
SETTINGS = {
    "steps": 10, "momentum": 0.9, "weight_decay": 5e-4, "power": 0.9,
    "rates": {"align": 1.0, "teach": 1e-3, "propagate": 1e-3, "ld": 1e-3, "hcl": 1e-2,
              "dine": 1e-3, "urma": 1e-3},
    "focal_weight": 1e-3, "diversity_weight": 1e-4, "gamma": 5, "lambda": 3,
    "lambda_neg": 0.04, "largest_momentum": 0.999, "easy_share": 0.3, "certain": 0.968,
    "ld_share": 0.10, "ld_share_growth": 0.05, "ld_round": 5, "ld_spread": 3, "ld_momentum": 0.99,
    "hcl_scale": 1.25, "hcl_momentum": 0.5, "hcl_renewal": 4, "rare_pixels": 16 ** 2,
    "rare_weight": 7, "dine_keep": 0.6, "urma_share": 0.2, "auxiliary_count": 4,
    "auxiliary_rate": 10, "consistency_weight": 0.1,
}
FITTING_STEPS, FITTING_RATE = 300, 0.02
# What is left of the brightness in the frames that are adapted to.
DIMMED = 0.7


def street(folder):
    """The frames at the network's size, and their truth."""
    def read(path, filter):
        return np.array(Image.open(path).resize((WIDTH, HEIGHT), filter))

    paths = sorted((folder / "frames").glob("*.png"))
    return ([read(path, Image.BOX)[..., :3] for path in paths],
            [read(folder / "truth" / path.name, Image.NEAREST) for path in paths])


def fitted(images, labels):
    """The network of curve.py after some steps on the frames with truth, float32."""
    generator = np.random.default_rng(SEED)
    network = initial()
    network.head = conv(24, len(CLASSES), 3, bias=True)
    with torch.no_grad():
        weights = 0.05 * generator.normal(size=network.head.weight.shape)
        network.head.weight.copy_(torch.from_numpy(weights))
        network.head.bias.zero_()
    order = generator.integers(0, len(images), (FITTING_STEPS, 2))
    losses = train(network, images, labels, order, FITTING_RATE)
    return network, losses


def scores(network, image):
    return network(image.to(network.head.weight.dtype))


def derived(network, factors, losses, frozen):
    """The parts of a loss, and the gradient of their sum by those factors."""
    parts = losses(network)
    total = sum(factor * part for factor, part in zip(factors, parts))
    tensors = {name: t for name, t in network.named_parameters() if name not in frozen}
    gradient = torch.autograd.grad(total, list(tensors.values()))
    return [part.item() for part in parts], dict(zip(tensors, (g.double() for g in gradient)))


class Rivals:
    """Walks through the methods in float64 and writes what each step is given."""

    def __init__(self, network, images, out):
        self.single, self.network = network, copy.deepcopy(network).double()
        self.images, self.out = [image.double() for image in images], out
        self.tensors = dict(self.network.named_parameters())
        self.names, self.source = list(self.tensors), self.weights
        # Of auxiliary classifiers, once there are any.
        self.further = []
        self.predicted = []
        self.noise = {"loss": 0.0, "gradient_norm": 0.0, "parameter": 0.0}

    @property
    def weights(self):
        return {name: tensor.detach().clone() for name, tensor in self.tensors.items()}

    @weights.setter
    def weights(self, values):
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor.copy_(values[name])

    def write(self, name, values):
        write(self.out / name, torch.cat(
            [values[n].flatten() for n in self.names + self.further]).float().numpy())

    def ask(self, weights, function):
        """What the network gives with other weights."""
        own, self.weights = self.weights, weights
        with torch.no_grad():
            answer = function()
        self.weights = own
        return answer

    def keep(self, prediction, name):
        self.predicted.append(prediction.write(self.out / name))
        return prediction

    def says(self, weights, frame, name):
        return self.keep(self.ask(weights, lambda: Prediction(
            self.network, self.images[frame], SETTINGS["lambda_neg"])), name)

    def begin(self, weights):
        self.weights = weights
        self.velocity = {name: torch.zeros_like(w) for name, w in weights.items()}

    def step(self, stage, step, factors, losses, frozen=(), **more):
        """One step by the sum of the parts times their factors, which `losses` takes a network for;
        what a test compares."""
        weights = self.weights
        self.write(f"given_{stage}_{step}", weights)
        self.write(f"velocity_{stage}_{step}", self.velocity)
        values, gradient = derived(self.network, factors, losses, frozen)
        whole = norm(gradient.values())
        self.single.load_state_dict({n: w.float() for n, w in weights.items()}, strict=False)
        self.compare(values, gradient, *derived(self.single, factors, losses, frozen))
        rate = SETTINGS["rates"][stage] * (1 - step / SETTINGS["steps"]) ** SETTINGS["power"]
        for name, change in gradient.items():
            change = change + SETTINGS["weight_decay"] * weights[name]
            change = change + SETTINGS["momentum"] * self.velocity[name]
            self.velocity[name] = change.float().double()
            factor = SETTINGS["auxiliary_rate"] if name in self.further else 1
            weights[name] = (weights[name] - factor * rate * change).float().double()
        self.weights = weights
        if step == SETTINGS["steps"] - 1:
            self.write(f"given_{stage}_{step + 1}", weights)
            self.write(f"velocity_{stage}_{step + 1}", self.velocity)
        return more | {
            "values": values, "gradient_norm": whole, "rate": rate,
            "norms": [norm([gradient[n]]) if n in gradient else 0
                      for n in self.names + self.further],
        }

    def compare(self, values, gradient, rough_values, rough):
        """Remembers what float32 is off by at most."""
        whole = norm(gradient.values())
        errors = {
            "loss": max(abs(a / b - 1) for a, b in zip(rough_values, values)),
            "gradient_norm": abs(norm(rough.values()) / whole - 1),
            "parameter": max(norm([rough[name] - own]) / (norm([own]) + 0.01 * whole)
                             for name, own in gradient.items()),
        }
        self.noise = {name: max(old, errors[name]) for name, old in self.noise.items()}

    def follow(self, teacher, momentum):
        """The slow copy after a step."""
        student = self.weights
        return {name: (momentum * w + (1 - momentum) * student[name]).float().double()
                for name, w in teacher.items()}

    def growing(self, step):
        return min(1 - 1 / (step + 1), SETTINGS["largest_momentum"])

    def align(self):
        self.begin(self.source)
        for step in range(SETTINGS["steps"]):
            frame = step % len(self.images)

            def losses(network, image=self.images[frame]):
                z = scores(network, image)
                return focal_entropy(z, SETTINGS["gamma"]), diversity(z, SETTINGS["lambda"])

            factors = SETTINGS["focal_weight"], SETTINGS["diversity_weight"]
            yield self.step("align", step, factors, losses, ("head.weight", "head.bias"),
                            frames=[frame])

    def teach(self):
        self.begin(self.weights)
        teacher = self.weights
        for step in range(SETTINGS["steps"]):
            frame = step % len(self.images)
            self.write(f"teacher_teach_{step}", teacher)
            labels = self.says(teacher, frame, f"teach_{step}_{frame}").labels[None]
            p = self.network(self.images[frame]).detach().softmax(1)
            marks = p < SETTINGS["lambda_neg"]
            bits = np.packbits(marks[0].permute(1, 2, 0).numpy(), axis=2, bitorder="little")
            write(self.out / f"marks_teach_{step}", bits)

            def losses(network, image=self.images[frame], labels=labels, marks=marks):
                z = scores(network, image)
                return cross_entropy(z, labels), ruled_out(z, marks)

            yield self.step(
                "teach", step, (1, 1), losses, frames=[frame],
                near_count=int(((p - SETTINGS["lambda_neg"]).abs() < NEAR).sum()))
            teacher = self.follow(teacher, self.growing(step))
        self.write(f"teacher_teach_{SETTINGS['steps']}", teacher)

    def propagate(self):
        self.begin(self.weights)
        teacher, count = self.weights, len(self.images)
        entropies = [self.says(teacher, frame, f"source_{frame}").entropy for frame in range(count)]
        order = sorted(range(count), key=lambda frame: entropies[frame])
        easy_count = max(1, math.floor(SETTINGS["easy_share"] * count))
        easy, hard = sorted(order[:easy_count]), sorted(order[easy_count:])
        for step in range(SETTINGS["steps"]):
            i, j = easy[step % len(easy)], hard[step % len(hard)]
            self.write(f"teacher_propagate_{step}", teacher)
            first, second = (self.says(teacher, frame, f"propagate_{step}_{frame}")
                             for frame in (i, j))
            classes = first.labels.unique()[0::2]
            mask = torch.isin(first.labels, classes)
            image = self.images[i].where(mask, self.images[j])
            confidences = first.confidence, first.confidence.where(mask, second.confidence)
            shares = [(c >= SETTINGS["certain"]).double().mean().item() for c in confidences]
            near = [int(((c - SETTINGS["certain"]).abs() < NEAR).sum()) for c in confidences]
            labels = first.labels.where(mask, second.labels)[None]

            def losses(network, easy=(self.images[i], first.labels[None]), mixed=(image, labels)):
                return [cross_entropy(scores(network, x), y) for x, y in (easy, mixed)]

            yield self.step("propagate", step, shares, losses, frames=[i, j], shares=shares,
                            classes=classes.tolist(), near_count=sum(near))
            teacher = self.follow(teacher, self.growing(step))
        self.write(f"teacher_propagate_{SETTINGS['steps']}", teacher)

    def ld_labels(self, teacher, number):
        """What T is most certain of: of each class over all frames, and of each frame."""
        share = SETTINGS["ld_share"] + SETTINGS["ld_share_growth"] * number
        said = [self.says(teacher, frame, f"ld_{number}_{frame}")
                for frame in range(len(self.images))]
        limits = thresholds(said, share)
        for frame, prediction in enumerate(said):
            values = prediction.confidence.flatten().sort(descending=True).values
            least = limits[prediction.labels].clamp(max=values[int(share * len(values))])
            labels = prediction.labels.where(prediction.confidence > least, IGNORED)
            write(self.out / f"ld_{number}_{frame}.kept", labels.byte().numpy())
            yield labels[None]

    def ld(self):
        self.begin(self.source)
        teacher = self.source
        for step in range(SETTINGS["steps"]):
            number, frame = step // SETTINGS["ld_round"], step % len(self.images)
            self.write(f"teacher_ld_{step}", teacher)
            if step % SETTINGS["ld_round"] == 0:
                labels = list(self.ld_labels(teacher, number))
            spread, count = SETTINGS["ld_spread"], len(CLASSES)
            rank = count // 2 + step % (2 * spread + 1) - spread
            rank = min(max(rank, 1), count - 1)
            p = self.network(self.images[frame]).detach().softmax(1)
            classes = ranked(p, rank)
            write(self.out / f"ranked_ld_{step}", classes[0].byte().numpy())
            values = p.sort(1, descending=True).values[:, rank - 1:rank + 2]
            near = ((values[:, :-1] - values[:, 1:]) < NEAR * values[:, :-1]).any(1).sum()

            def losses(network, image=self.images[frame], labels=labels[frame], classes=classes):
                z = scores(network, image)
                return cross_entropy(z, labels), mean_entropy(z), rank_negative(z, classes)

            yield self.step("ld", step, (1, 1, 1), losses, frames=[frame], round=number, rank=rank,
                            near_count=int(near))
            teacher = self.follow(teacher, SETTINGS["ld_momentum"])
        self.write(f"teacher_ld_{SETTINGS['steps']}", teacher)

    def views(self, frame):
        """The logarithm of the mean probability of four views of a frame."""
        image = self.images[frame]
        size = [round(SETTINGS["hcl_scale"] * extent) for extent in image.shape[2:]]
        total = 0
        for view in (image, functional.interpolate(image, size, mode="bilinear")):
            for is_mirrored in (False, True):
                z = self.network(view.flip(3) if is_mirrored else view)
                z = functional.interpolate(z, image.shape[2:], mode="bilinear")
                total = total + (z.flip(3) if is_mirrored else z).softmax(1)
        return (total / 4).log()

    def hcl(self):
        self.begin(self.source)
        teacher = history = self.source
        with torch.no_grad():
            said = [Prediction(self.views, frame, SETTINGS["lambda_neg"])
                    for frame in range(len(self.images))]
            labels = [self.keep(p, f"hcl_{frame}").labels for frame, p in enumerate(said)]
        for step in range(SETTINGS["steps"]):
            frame = step % len(self.images)
            if step % SETTINGS["hcl_renewal"] == 0:
                history = teacher
            self.write(f"teacher_hcl_{step}", teacher)
            self.write(f"history_hcl_{step}", history)
            old, slow = (self.ask(weights, lambda i=self.images[frame]: self.network(i))
                         for weights in (history, teacher))
            weights = (-divergence(old, slow)).exp()
            counts = torch.bincount(labels[frame].flatten(), minlength=len(CLASSES))
            is_rare = counts < SETTINGS["rare_pixels"]
            rare = torch.where(is_rare, float(SETTINGS["rare_weight"]), 1.0)

            def losses(
                network, image=self.images[frame], labels=labels[frame][None], rare=rare,
                weights=weights,
            ):
                return [cross_entropy(scores(network, image), labels, rare, weights)]

            yield self.step(
                "hcl", step, (1,), losses, frames=[frame],
                mean_weight=weights.mean().item(), least_weight=weights.min().item(),
                rare=(is_rare & (counts > 0)).nonzero().flatten().tolist())
            teacher = self.follow(teacher, SETTINGS["hcl_momentum"])
        self.write(f"teacher_hcl_{SETTINGS['steps']}", teacher)

    def believed(self, prediction):
        """What two bytes a pixel keep of a prediction."""
        shares = (255 * prediction.confidence + 0.5).floor().double() / 255
        return soft(prediction.labels, shares, len(CLASSES))

    def renewed(self, memory, step):
        """P of every frame, by the network as it is."""
        keep = SETTINGS["dine_keep"]
        for frame, believed in enumerate(memory):
            yield self.keep(Prediction(lambda image, old=believed: (
                keep * old + (1 - keep) * self.network(image).softmax(1)).log(),
                self.images[frame], SETTINGS["lambda_neg"]), f"dine_{step}_{frame}")

    def dine(self):
        self.begin(self.source)
        count, nats = len(self.images), math.log(len(CLASSES))
        memory = [self.believed(self.says(self.source, frame, f"dine_0_{frame}"))
                  for frame in range(count)]
        for step in range(SETTINGS["steps"]):
            i, j = step % count, (step + 1) % count
            if step > 0:
                memory = [self.believed(p) for p in self.renewed(memory, step)]
            share = (1 + step % 3) / 4
            with torch.no_grad():
                first, second = (self.network(self.images[k]).softmax(1) for k in (i, j))
            image = share * self.images[i] + (1 - share) * self.images[j]
            target = share * first + (1 - share) * second

            def losses(network, frame=i, label=memory[i], image=image, target=target):
                z = scores(network, self.images[frame])
                return (divergence_from(z, label), mean_entropy(z), diversity(z, 0),
                        divergence_from(scores(network, image), target))

            yield self.step("dine", step, (1, nats, nats, 1), losses, frames=[i, j])

    def urma(self):
        said = [self.says(self.source, frame, f"urma_{frame}") for frame in range(len(self.images))]
        limits = thresholds(said, SETTINGS["urma_share"])
        count = SETTINGS["auxiliary_count"]
        for network in (self.single, self.network):
            network.auxiliary = torch.nn.ModuleList(
                copy.deepcopy(network.head) for _ in range(count))
        self.tensors = dict(self.network.named_parameters())
        self.further = [name for name in self.tensors if name not in self.names]
        own = {name: self.source["head." + name.split(".")[2]] for name in self.further}
        self.begin({name: w.clone() for name, w in (self.source | own).items()})
        for step in range(SETTINGS["steps"]):
            frame = step % len(self.images)

            def losses(
                network, image=self.images[frame], labels=certain(said[frame], limits), step=step,
            ):
                seen = []
                hook = network.head.register_forward_hook(lambda _, x, y: seen.extend((x[0], y)))
                z = scores(network, image)
                hook.remove()
                features, held = seen[0], seen[1].detach().softmax(1)
                channels = torch.arange(features.shape[1])[:, None, None]
                masks = (2 * ((step + number + channels) % 2 == 0) for number in range(count))
                distances = [distance(classifier(features * mask), held)
                             for classifier, mask in zip(network.auxiliary, masks)]
                return cross_entropy(z, labels), mean_entropy(z), sum(distances)

            yield self.step("urma", step, (1, 1, SETTINGS["consistency_weight"]), losses,
                            ("head.weight", "head.bias"), frames=[frame])


def refuse_poor(stages):
    """Ends where a step would compare nothing: a part that is 0, or weights that are all alike."""
    for name, steps in stages.items():
        for index, step in enumerate(steps):
            if not all(math.isfinite(value) and value != 0 for value in step["values"]):
                raise SystemExit(f"{name}, step {index}: parts {step['values']}")
    if not all(0.05 < share < 0.95 for step in stages["propagate"] for share in step["shares"]):
        raise SystemExit(f"propagate: shares {[step['shares'] for step in stages['propagate']]}")
    if min(step["least_weight"] for step in stages["hcl"]) > 0.98:
        raise SystemExit(f"hcl: weights {[step['least_weight'] for step in stages['hcl']]}")


def main(folder, out):
    out = fresh(out)
    torch.set_num_threads(1)
    said = checked()
    frames, truth = street(folder)
    sidecar = out / "network.json"
    sidecar.write_text(json.dumps({
        "classes": CLASSES, "input": INPUT, "output": {"name": "logits", "kind": "logits"}}))

    def tensors(all_pixels):
        return [torch.from_numpy(normalised(pixels, sidecar)) for pixels in all_pixels]

    network, losses = fitted(tensors(frames), truth)
    target = [(pixels * DIMMED).astype(np.uint8) for pixels in frames]
    for index, pixels in enumerate(target):
        write(out / f"frame_{index}", pixels)
    images = tensors(target)
    network.eval()
    export(network, images[0], out / "network.onnx", any_size=True)
    with torch.no_grad():
        check(out / "network.onnx", images[0], network(images[0]))
        right = [np.mean((network(image).argmax(1)[0].numpy() == t)[t != IGNORED])
                 for image, t in zip(images, truth)]
    walk, stages = Rivals(network, images, out), {}
    for name in ("align", "teach", "propagate", "ld", "hcl", "dine", "urma"):
        stages[name] = list(getattr(walk, name)())
    refuse_poor(stages)
    golden = {
        "magic": "das3-golden", "version": 1, "seed": SEED, "generator": "Tests/Golden/rivals.py",
        "versions": VERSIONS, "near": NEAR, "settings": SETTINGS, "frames": len(frames),
        "batch_norm": "frozen", "noise": walk.noise, "parameters": walk.names, "stages": stages,
        "predictions": walk.predicted,
    }
    (out / "rivals.json").write_text(json.dumps(golden, indent=1) + "\n")
    print(said)
    print("float32 is off by", ", ".join(f"{e:.1e} ({name})" for name, e in walk.noise.items()))
    print(f"a network fitted from loss {losses[0]:.2f} to {losses[-10:].mean():.2f} labels "
          f"{100 * np.mean(right):.0f} % of the dark frames' pixels right")
    for name, steps in stages.items():
        first, last = (", ".join(f"{v:.3g}" for v in steps[at]["values"]) for at in (0, -1))
        print(f"{name}: parts of the loss from {first} to {last}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
