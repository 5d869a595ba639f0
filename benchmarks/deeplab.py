"""DeepLab-V2 with ResNet-101 as the adaptation papers train it, with random weights.

    python benchmarks/deeplab.py OUT.onnx HEIGHT WIDTH

Output stride 8: layers 3 and 4 dilate by 2 and 4 instead of striding. The head is the sum of four
parallel 3x3 convolutions, dilated by 6, 12, 18 and 24. BatchNorm is kept in the file.
"""

import json
import pathlib
import sys
import warnings

import torch
from torch import nn
from torch.nn import functional

CLASSES = 19


class Bottleneck(nn.Module):
    def __init__(self, inputs, middle, stride, dilation):
        super().__init__()
        outputs = 4 * middle
        self.conv1 = nn.Conv2d(inputs, middle, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = functional.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return functional.relu(y, inplace=True)


class DeepLab(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.pool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        channels, layers = 64, []
        for count, middle, stride, dilation in (
            (3, 64, 1, 1), (4, 128, 2, 1), (23, 256, 1, 2), (3, 512, 1, 4)
        ):
            for index in range(count):
                layers.append(Bottleneck(channels, middle, 1 if index else stride, dilation))
                channels = 4 * middle
        self.layers = nn.Sequential(*layers)
        self.heads = nn.ModuleList(
            nn.Conv2d(channels, CLASSES, 3, padding=d, dilation=d) for d in (6, 12, 18, 24))

    def forward(self, x):
        y = self.pool(functional.relu(self.bn1(self.conv1(x)), inplace=True))
        y = self.layers(y)
        y = sum(head(y) for head in self.heads)
        return functional.interpolate(y, x.shape[2:], mode="bilinear", align_corners=True)


def deeplab() -> nn.Module:
    """The network in evaluation mode, so that BatchNorm uses its running statistics."""
    generator = torch.Generator().manual_seed(1)
    network = DeepLab().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                spread = (2 / module.weight[0].numel()) ** 0.5
                module.weight.normal_(0, spread, generator=generator)
            if isinstance(module, nn.BatchNorm2d):
                # Each block adds little to what it gets. No two tensors are equal: the exporter
                # would store them once.
                module.weight.uniform_(0.3, 0.5, generator=generator)
                module.bias.uniform_(-0.1, 0.1, generator=generator)
                module.running_mean.uniform_(-0.1, 0.1, generator=generator)
                module.running_var.uniform_(0.9, 1.1, generator=generator)
        for head in network.heads:
            head.weight.mul_(0.05)
    return network


def main(path, height, width):
    warnings.simplefilter("ignore")  # about the older exporter, which keeps BatchNorm
    torch.onnx.export(
        deeplab(), (torch.zeros(1, 3, height, width),), str(path), dynamo=False, opset_version=17,
        do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
        input_names=["input"], output_names=["logits"])
    sidecar = {
        "classes": [f"class {index}" for index in range(CLASSES)],
        "input": {"scale": 1 / 255, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
    }
    path.with_suffix(".json").write_text(json.dumps(sidecar))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
