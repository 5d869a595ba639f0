"""Networks and their gradients, from PyTorch in double precision, for the Swift tests.

    python Tests/Golden/networks.py OUT [SHARED]

Makes one folder for each network of zoo.py, public.py and rewritten.py and, with SHARED, for those of
SHARED/models that are listed below (on a real frame). A folder holds network.onnx and these arrays,
written as unpack.py says (one line of text, then the values):

    image        1x3xHxW    f32  the input
    labels       HxW        u8   truth at the size of the logits; 255 = ignored
    logits       1xCxHxW    f32  the answer (not of SHARED/models; unpack.py has theirs)
    gradient_I   ...        f32  of the mean cross-entropy over the labelled pixels, one array for
                                 each float initializer that received one, in its shape
    statistic_I  C          f32  running mean or variance after the step (batch_norm_batch only)

and golden.json: magic, version, seed, generator and its versions; the names of the network, its
input and output; the loss; for each gradient the initializer's name, the file, its norm, and
`noise`, the norm of its difference from PyTorch's own float32 gradient; `is_public` for those of
public.py and rewritten.py. Some gradients are 0 but for rounding (a bias before a normalisation): hold a difference
against norm and noise together.

BatchNorm is frozen: running statistics, scale and shift get gradients. In batch_norm_batch it is
not: statistics of the batch, and the running ones move by `momentum` towards mean and unbiased
variance.
"""

import copy
import importlib.metadata
import json
import pathlib
import platform
import shutil
import sys
import time
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from PIL import Image
from torch import nn
from torch.nn import functional

import onnx_torch
from batch_statistics import BatchStatistics
from public import PUBLIC, image_off_kinks, settle
from rewritten import REWRITTEN, rewrite
from unpack import normalised, write
from zoo import ZOO, Residual

SEED = 20260
IGNORED = 255
# File, height and width; those of a fixed size at their own.
SHARED_MODELS = [
    ("espnetv2_s0.5_dynamic", 176, 240), ("espnetv2_s1.0", 360, 480),
    ("espnetv2_s1.0_folded", 360, 480), ("espnet_q8_dynamic", 176, 240),
    ("segformer_b0_random", 160, 224),
]
VERSIONS = {
    "python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
    "onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__,
    "onnx2torch": importlib.metadata.version("onnx2torch"),
}


def randomise(network, generator):
    """Weights that keep the size of the activations, and normalisations that do something."""
    def draw(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                fan = parameter[0].numel()
                draw(parameter, -((6 / fan) ** 0.5), (6 / fan) ** 0.5)
            else:
                draw(parameter, -0.2, 0.5)
        for module in network.modules():
            scale = getattr(module, "weight", None)
            if scale is not None and scale.dim() == 1 and not isinstance(module, nn.PReLU):
                draw(scale, 0.5, 1.5)
            if isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
                draw(module.running_mean, -0.3, 0.3)
                draw(module.running_var, 0.5, 2.0)
        if hasattr(network, "exact"):
            weight = network.get_parameter(network.exact)
            weight.copy_(torch.randint(-2, 3, weight.shape, generator=generator) / 2)


def export(network, image, path, opset=17, any_size=False):
    """ONNX as the network stands, BatchNorm kept; the file's initializers by name."""
    axes = {2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (image,), str(path), dynamo=False, opset_version=opset,
            do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
            input_names=["image"], output_names=["logits"],
            dynamic_axes={"image": axes, "logits": axes} if any_size else None)
    model = onnx.load(path)
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def refuse_changed(path, network, kept):
    for name, tensor in network.named_parameters():
        if not np.array_equal(kept[name], tensor.detach().numpy()):
            raise ValueError(f"{path}: {name} is not in the file as it is in PyTorch")


def truth(generator, logits, block):
    """Random classes in blocks of pixels, a fifth of them ignored."""
    classes, height, width = logits.shape[1:]
    coarse = generator.integers(0, classes, (-(-height // block), -(-width // block)))
    coarse[generator.random(coarse.shape) < 0.2] = IGNORED
    fine = coarse.repeat(block, 0).repeat(block, 1)[:height, :width]
    return np.ascontiguousarray(fine.astype(np.uint8))


def step(network, parameters, image, labels):
    """One forward and backward pass: logits, loss, and gradients by name in the weights' type.

    A weight that several tensors hold gets the sum of their gradients; unused ones are left out."""
    tensors = [tensor.requires_grad_() for uses in parameters.values() for tensor in uses]
    dtype = tensors[0].dtype
    for tensor in tensors:
        tensor.grad = None
    logits = network(image.to(dtype))
    target = torch.from_numpy(labels.astype(np.int64))[None]
    loss = functional.cross_entropy(logits, target, ignore_index=IGNORED)
    loss.backward()
    gradients = {}
    for name, uses in parameters.items():
        parts = [tensor.grad for tensor in uses if tensor.grad is not None]
        if parts:
            gradients[name] = sum(parts)
    return logits.detach(), loss.item(), gradients


def check(path, image, logits, bound=1e-4):
    """The file means the same to ONNX Runtime as the network does to PyTorch."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    pixels, is_last = image.numpy(), session.get_inputs()[0].shape[3] == 3
    fed = pixels.transpose(0, 2, 3, 1) if is_last else pixels
    answer = session.run(None, {session.get_inputs()[0].name: fed})[0]
    answer = answer.transpose(0, 3, 1, 2) if is_last else answer
    error = np.abs(answer - logits.numpy()).max() / np.abs(answer).max()
    if not error < bound:
        raise ValueError(f"{path}: PyTorch and ONNX Runtime differ by {error:.1e}")


def save(folder, image, labels, logits, loss, gradients, float32_gradients, **more):
    """Writes the arrays and golden.json."""
    write(folder / "image", image.numpy())
    write(folder / "labels", labels)
    if logits is not None:
        write(folder / "logits", logits.float().numpy())
    rows = []
    for index, (name, gradient) in enumerate(gradients.items()):
        file = f"gradient_{index:03}"
        if not gradient.any():
            raise ValueError(f"{folder.name}: nothing reaches {name}, a poor test")
        write(folder / file, np.atleast_1d(gradient.float().numpy()))
        noise = (float32_gradients[name].double() - gradient).norm().item()
        rows.append({"name": name, "file": file, "norm": gradient.norm().item(), "noise": noise})
    graph = onnx.load(folder / "network.onnx").graph
    golden = {
        "magic": "das3-golden", "version": 1, "seed": SEED,
        "generator": "Tests/Golden/networks.py", "versions": VERSIONS, "network": folder.name,
        "input": graph.input[0].name, "output": graph.output[0].name, "loss": loss,
        "gradients": rows, **more,
    }
    (folder / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    least = 1e-9 * max(row["norm"] for row in rows)  # below, the gradient is 0 by a symmetry
    return max(row["noise"] / row["norm"] for row in rows if row["norm"] > least)


def parameters_of(network):
    return {name: [tensor] for name, tensor in network.named_parameters()}


def save_statistics(folder, network):
    rows = []
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            file = f"statistic_{len(rows):03}"
            write(folder / file, tensor.float().numpy())
            rows.append({"name": name, "file": file})
    return rows


def make_own(out, name, kind, height, width, index, batch_mode=False):
    """One network of the zoo; in batch mode its BatchNorms take the statistics of the frame."""
    folder = fresh(out / name)
    torch_generator = torch.Generator().manual_seed(SEED + index)
    generator = np.random.default_rng(SEED + index)
    network = kind().eval()
    randomise(network, torch_generator)
    image = torch.randn(1, 3, height, width, generator=torch_generator)
    if hasattr(network, "exact"):
        image = (2 * image).round() / 2
    refuse_changed(folder, network, export(network, image, folder / "network.onnx"))
    with torch.no_grad():
        logits = network(image)
    check(folder / "network.onnx", image, logits)
    labels = truth(generator, logits, 3)
    network.train(batch_mode)
    double = copy.deepcopy(network).double()
    _, _, rough = step(network, parameters_of(network), image, labels)
    logits, loss, gradients = step(double, parameters_of(double), image, labels)
    more = {"batch_norm": "frozen"}
    if batch_mode:
        statistics = save_statistics(folder, double)
        more = {"batch_norm": "batch", "momentum": 0.1, "statistics": statistics}
    return save(folder, image, labels, logits, loss, gradients, rough, **more)


def make_public(out, name, make, height, width, index, rounded=None, change=None, bound=1e-4):
    """One network of public.py: the gradients of what reaches the file under its own name. One of
    rewritten.py where its weights are `rounded` and its file gets a `change`."""
    folder = fresh(out / name)
    torch.manual_seed(SEED + index)
    network = make().eval()
    settle(network, torch.Generator().manual_seed(SEED + index))
    if change:
        with torch.no_grad():
            network.load_state_dict({
                key: rounded(tensor) if tensor.is_floating_point() else tensor
                for key, tensor in network.state_dict().items()})
    image = image_off_kinks(network, height, width)
    kept = export(network, image, folder / "network.onnx", opset=18)
    if change:
        rewrite(folder / "network.onnx", change)
    with torch.no_grad():
        logits = network(image)
    check(folder / "network.onnx", image, logits, bound)
    labels = truth(np.random.default_rng(SEED + index), logits, 3)
    double = copy.deepcopy(network).double()
    own, turned = names_in_file(network, kept)

    def gradients_of(of):
        answer, loss, found = step(of, parameters_of(of), image, labels)
        gradients = {name: found[name] for name in own if name in found}
        gradients |= {name: found[source].T for name, source in turned.items() if source in found}
        if len(gradients) < 0.7 * len(found):
            raise ValueError(f"{name}: the file holds {len(gradients)} of {len(found)} parameters")
        return answer, loss, gradients

    rough = gradients_of(network)[2]
    logits, loss, gradients = gradients_of(double)
    gradients = {name: tensor.contiguous() for name, tensor in gradients.items() if tensor.any()}
    return save(folder, image, labels, logits, loss, gradients, rough, batch_norm="frozen",
                is_public=True)


def names_in_file(network, kept):
    """The parameters that the file holds under their names, and those that it holds transposed, as
    the exporter does with weights of matrix products, by the file's name."""
    values = {name: tensor.detach().numpy() for name, tensor in network.named_parameters()}
    own = [name for name, value in values.items()
           if name in kept and np.array_equal(kept[name], value)]
    turned = {}
    for name, tensor in kept.items():
        if name in values or tensor.ndim != 2:
            continue
        turned |= {name: source for source, value in values.items()
                   if source not in own and np.array_equal(tensor, value.T)}
    return own, turned


def make_shared(out, shared, name, height, width):
    """One of the shared networks, by way of onnx2torch."""
    folder = fresh(out / name)
    path = shared / "models" / f"{name}.onnx"
    shutil.copy(path, folder / "network.onnx")
    frame = Image.open(min((shared / "camvid" / "val").glob("*.png"))).convert("RGB")
    pixels = np.asarray(frame.resize((width, height), Image.BILINEAR))
    image = torch.from_numpy(normalised(pixels, path.with_suffix(".json")))
    model = onnx_torch.at_size(path, height, width)
    network = onnx_torch.convert(model)
    with torch.no_grad():
        logits = network(image)
    check(path, image, logits)
    labels = truth(np.random.default_rng(SEED), logits, 8)
    names = onnx_torch.trainable(onnx.load(path))
    rough = step(network, onnx_torch.tensors_by_name(network, model, names), image, labels)[2]
    network = onnx_torch.convert(model).double()
    parameters = onnx_torch.tensors_by_name(network, model, names)
    _, loss, gradients = step(network, parameters, image, labels)
    return save(folder, image, labels, None, loss, gradients, rough, batch_norm="frozen")


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def main(out, shared=None):
    warnings.simplefilter("ignore")  # onnx2torch's, about its own use of PyTorch
    torch.set_num_threads(1)  # more get in each other's way on a busy machine
    jobs = [(name, make_own, (out, name, *entry, index))
            for index, (name, entry) in enumerate(ZOO.items())]
    jobs.append(("batch_norm_batch", make_own,
                 (out, "batch_norm_batch", Residual, 45, 61, len(ZOO), True)))
    jobs.append(("batch_statistics", make_own,
                 (out, "batch_statistics", BatchStatistics, 45, 61, len(ZOO) + 1)))
    jobs += [(name, make_public, (out, name, *entry, index))
             for index, (name, entry) in enumerate(PUBLIC.items())]
    jobs += [(name, make_public, (out, name, *PUBLIC[of], 0, *entry))
             for name, (of, *entry) in REWRITTEN.items()]
    if shared:
        jobs += [(entry[0], make_shared, (out, shared, *entry)) for entry in SHARED_MODELS]
    for name, make, arguments in jobs:
        start = time.perf_counter()
        try:
            noise = make(*arguments)
        except NotImplementedError as error:  # what onnx2torch cannot convert
            shutil.rmtree(out / name)
            print(f"{name:24} left out: {error}", flush=True)
            continue
        seconds = time.perf_counter() - start
        print(f"{name:24} {seconds:5.1f} s   float32 noise up to {noise:.1e}", flush=True)


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:3]))
