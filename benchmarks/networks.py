"""Public networks with random weights -> ONNX files with BatchNorm kept, one size, and sidecars.

    python benchmarks/networks.py FOLDER WIDTHxHEIGHT
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from deeplab import deeplab

sys.path.append(str(Path(__file__).resolve().parents[1] / "Tests" / "Golden"))
from public import decoder, vision
from realtime import BiSeNetV2, DDRNet, PPLiteSeg

INPUT = {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
NETWORKS = {
    "segformer_b0": decoder("Segformer", "mit_b0"),
    "lraspp_mobilenet_v3": vision("lraspp_mobilenet_v3_large"),
    "deeplabv3plus_mobilenet_v2": decoder("DeepLabV3Plus", "mobilenet_v2"),
    "bisenet_v2": BiSeNetV2,
    "ddrnet_23_slim": DDRNet,
    "pp_liteseg": PPLiteSeg,
    "unet_resnet18": decoder("Unet", "resnet18"),
    "fpn_efficientnet_b0": decoder("FPN", "efficientnet-b0"),
    "deeplab_v2_r101": deeplab,
}


def settled(network, image):
    """In evaluation mode, with statistics of a random image: activations keep their size."""
    for module in network.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    network.train()
    with torch.no_grad():
        network(torch.cat([image, image.flip(3)]))
    return network.eval()


def main(folder, size):
    width, height = map(int, size.split("x"))
    warnings.simplefilter("ignore")  # about the older exporter, which keeps BatchNorm
    for name, make in NETWORKS.items():
        path = Path(folder) / f"{name}.onnx"
        if path.is_file():
            continue
        torch.manual_seed(1)
        image = torch.randn(1, 3, height, width)
        network = make() if make is deeplab else settled(make(), image)
        torch.onnx.export(
            network.eval(), (image,), str(path), dynamo=False, opset_version=17,
            do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
            input_names=["input"], output_names=["logits"])
        classes = network(image).shape[1]
        sidecar = {"classes": [f"class {index}" for index in range(classes)], "input": INPUT}
        path.with_suffix(".json").write_text(json.dumps(sidecar))


if __name__ == "__main__":
    main(*sys.argv[1:])
