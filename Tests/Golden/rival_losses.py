"""Losses of the methods atp, ld, hcl, dine and urma: scores in, a scalar out. rivals.py takes steps
by them.

    python Tests/Golden/rival_losses.py

compares each with its equation, added up pixel by pixel, and its gradient with the closed form that
stands in its comment. Scores z are 1xCxHxW, p = softmax(z) over the classes, natural logarithms,
h = -sum_c p_c log p_c / log C, N pixels. Gradients are those of one pixel's scores z_k.
"""

import math
import sys

import torch
from torch.nn import functional

IGNORED = 255
# What 1 - p is taken for at least, as in the library's `negative`: float32's least normal number.
LEAST = 1.1754943508222875e-38


def entropy(p):
    """h of each pixel."""
    return -(p * p.clamp_min(1e-30).log()).sum(1) / math.log(p.shape[1])


def focal_entropy(z, gamma):
    """(1 - h)^gamma h, mean over pixels.

    gradient: ((1 - h)^gamma - gamma (1 - h)^(gamma - 1) h) dh_k / N,
    dh_k = -p_k (log p_k / log C + h)
    """
    h = entropy(z.softmax(1))
    return ((1 - h) ** gamma * h).mean()


def diversity(z, factor):
    """sum_c q_c log q_c / log C with q_c = mean of w p_c, w = exp(-factor h) held fixed: -H(q).

    gradient: w p_k (g_k - sum_c p_c g_c) / N with g_c = (log q_c + 1) / log C
    """
    p = z.softmax(1)
    q = (torch.exp(-factor * entropy(p)).detach()[:, None] * p).mean((0, 2, 3))
    return (q * q.log()).sum() / math.log(z.shape[1])


def mean_entropy(z):
    """h, mean over pixels.

    gradient: dh_k / N
    """
    return entropy(z.softmax(1)).mean()


def cross_entropy(z, labels, class_weights=None, pixel_weights=None):
    """-log p of the label times both weights, over the sum of the labels' class weights; a pixel
    labelled IGNORED counts in neither. 0 without labels.

    gradient: w_pixel w_class (p_k - [k is the label]) / sum of w_class
    """
    weights = torch.ones(z.shape[1], dtype=z.dtype) if class_weights is None else class_weights
    each = functional.cross_entropy(z, labels, weights.to(z.dtype), reduction="none",
                                    ignore_index=IGNORED)
    if pixel_weights is not None:
        each = each * pixel_weights.to(z.dtype)
    counted = labels[labels != IGNORED]
    return each.sum() / weights[counted].sum().to(z.dtype) if len(counted) else 0 * each.sum()


def ruled_out(z, marks):
    """-log(1 - sum of p_c over the marked classes), mean over pixels; the marks (1xCxHxW) are held
    fixed. Differs from the library's `negative`, which sums a logarithm for each class.

    gradient: (p_k - [k is not marked] p_k / r) / N with r = sum of p_c over the other classes
    """
    r = z.softmax(1).masked_fill(marks, 0).sum(1)
    return -r.clamp_min(LEAST).log().mean()


def rank_negative(z, classes):
    """-log(1 - p_m) of one class m of each pixel (1xHxW), mean over pixels; m is held fixed.

    gradient: p_m / (1 - p_m) ([k is m] - p_k) / N
    """
    p = z.softmax(1)
    others = p.scatter(1, classes[:, None], 0)
    return -others.sum(1).clamp_min(LEAST).log().mean()


def ranked(p, rank):
    """The class of each pixel at a rank of descending probability, from 0; equal ones by number."""
    return p.sort(dim=1, descending=True, stable=True).indices[:, rank]


def distance(z, held):
    """sum_c (p_c - P_c)^2 of other probabilities P (1xCxHxW), mean over pixels; P is held fixed.

    gradient: 2 p_k (d_k - sum_c p_c d_c) / N with d = p - P
    """
    return ((z.softmax(1) - held) ** 2).sum(1).mean()


def divergence(first, second):
    """KL(first || second) of two networks' scores, nats; of each pixel."""
    a, b = first.log_softmax(1), second.log_softmax(1)
    return (a.exp() * (a - b)).sum(1)


def soft(labels, confidences, count):
    """Labels (HxW) with their probabilities, evenly every other class with the rest: 1xCxHxW."""
    others = ((1 - confidences) / (count - 1)).expand(count, *labels.shape).clone()
    return others.scatter(0, labels[None], confidences[None])[None]


def divergence_from(z, target):
    """KL(target || p), mean over pixels; the target (1xCxHxW) is held fixed and sums to 1.

    gradient: (p_k - target_k) / N
    """
    return (torch.xlogy(target, target) - target * z.log_softmax(1)).sum(1).mean()


def own_values(z, given):
    """Each loss as its equation says it, pixel by pixel."""
    count, pixels = z.shape[1], z[0].flatten(1).T.tolist()
    names = "focal", "entropy", "cross", "ruled_out", "rank", "divergence", "distance"
    sums, q = dict.fromkeys(names, 0.0), [0.0] * count
    weight, size = 0.0, len(pixels)
    for index, scores in enumerate(pixels):
        most = max(scores)
        exponentials = [math.exp(score - most) for score in scores]
        p = [value / sum(exponentials) for value in exponentials]
        h = -sum(value * math.log(value) for value in p) / math.log(count)
        sums["focal"] += (1 - h) ** given["gamma"] * h / size
        sums["entropy"] += h / size
        q = [old + math.exp(-given["lambda"] * h) * value / size for old, value in zip(q, p)]
        target = given["target"][0].flatten(1)[:, index].tolist()
        sums["divergence"] += sum(t * math.log(t / v) for t, v in zip(target, p)) / size
        label = given["labels"].flatten()[index].item()
        if label != IGNORED:
            own = given["class_weights"][label].item()
            weight += own
            share = given["pixel_weights"].flatten()[index].item()
            sums["cross"] -= own * share * math.log(p[label])
        marked = given["marks"][0].flatten(1)[:, index].tolist()
        sums["ruled_out"] -= math.log(1 - sum(v for v, m in zip(p, marked) if m)) / size
        order = sorted(range(count), key=lambda c: (-p[c], c))
        held = given["held"][0].flatten(1)[:, index].tolist()
        sums["distance"] += sum((a - b) ** 2 for a, b in zip(p, held)) / size
        sums["rank"] -= math.log(1 - p[order[given["rank"]]]) / size
    sums["cross"] /= weight
    return sums | {"diversity": sum(value * math.log(value) for value in q) / math.log(count)}


def closed_gradients(z, given):
    """Each gradient as the comments above say it."""
    p, count, size = z.softmax(1), z.shape[1], z[0, 0].numel()
    h, base, gamma = entropy(p)[:, None], math.log(count), given["gamma"]
    slope = -p * (p.log() / base + h)
    w = torch.exp(-given["lambda"] * h)
    g = ((w * p).mean((0, 2, 3), keepdim=True).log() + 1) / base
    classes = ranked(p, given["rank"])[:, None]
    chosen, marks = torch.zeros_like(p).scatter(1, classes, 1), given["marks"]
    r = p.masked_fill(marks, 0).sum(1, keepdim=True)
    labels = given["labels"]
    known = (labels != IGNORED)[:, None]
    label = labels.where(labels != IGNORED, 0)[:, None]
    weights = given["class_weights"][label] * known
    truth = torch.zeros_like(p).scatter(1, label, 1)
    d = p - given["held"]
    return {
        "distance": 2 * p * (d - (p * d).sum(1, keepdim=True)) / size,
        "focal": ((1 - h) ** gamma - gamma * (1 - h) ** (gamma - 1) * h) * slope / size,
        "entropy": slope / size,
        "diversity": w * p * (g - (p * g).sum(1, keepdim=True)) / size,
        "cross": given["pixel_weights"][:, None] * weights * (p - truth) / weights.sum(),
        "ruled_out": (p - p / r * ~marks) / size,
        "divergence": (p - given["target"]) / size,
        "rank": (p * chosen).sum(1, keepdim=True) / (1 - (p * chosen).sum(1, keepdim=True))
        * (chosen - p) / size,
    }


def check():
    """The largest relative error of a value, and of a gradient."""
    generator = torch.Generator().manual_seed(20262)
    z = 2 * torch.randn(1, 7, 5, 6, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 7, (1, 5, 6), generator=generator)
    labels[0, 0, :3] = IGNORED
    given = {
        "gamma": 5, "lambda": 3, "rank": 3, "labels": labels,
        "class_weights": torch.where(torch.arange(7) % 3 == 0, 7.0, 1.0).double(),
        "pixel_weights": torch.rand(1, 5, 6, generator=generator, dtype=torch.float64),
        "marks": z.softmax(1) < 0.04,
        "held": torch.rand(1, 7, 5, 6, generator=generator, dtype=torch.float64).softmax(1),
    }
    classes = torch.randint(0, 7, (5, 6), generator=generator)
    shares = torch.rand(5, 6, generator=generator, dtype=torch.float64)
    given["target"] = soft(classes, shares, 7)
    z.requires_grad_()
    losses = {
        "focal": focal_entropy(z, given["gamma"]), "entropy": mean_entropy(z),
        "diversity": diversity(z, given["lambda"]),
        "cross": cross_entropy(z, labels, given["class_weights"], given["pixel_weights"]),
        "ruled_out": ruled_out(z, given["marks"]), "distance": distance(z, given["held"]),
        "divergence": divergence_from(z, given["target"]),
        "rank": rank_negative(z, ranked(z.softmax(1), given["rank"])),
    }
    values, gradients = own_values(z.detach(), given), closed_gradients(z.detach(), given)
    value_error = gradient_error = 0.0
    for name, loss in losses.items():
        (found,) = torch.autograd.grad(loss, z, retain_graph=True)
        wanted = gradients[name]
        value_error = max(value_error, abs(loss.item() / values[name] - 1))
        gradient_error = max(gradient_error, ((found - wanted).norm() / wanted.norm()).item())
    return value_error, gradient_error


def checked():
    """Says what `check` found; ends the program where a loss is not what is written."""
    value_error, gradient_error = check()
    text = f"losses are off their equations by {value_error:.1e}, gradients by {gradient_error:.1e}"
    if not max(value_error, gradient_error) < 1e-12:
        sys.exit(f"{text}; expected 1e-12")
    return text


if __name__ == "__main__":
    print(checked())
