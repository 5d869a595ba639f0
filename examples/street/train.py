"""Trains the small street network on frames drawn by generate.py and writes street.onnx."""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

from generate import CLASSES, COLOURS, draw

SCALE, MEAN, STD = 1 / 255, [0.5, 0.5, 0.5], [0.25, 0.25, 0.25]
VALIDATION_SEED = 900_000  # the frames that ship are the first of these; none is trained on


class Unit(nn.Sequential):
  """Convolution, BatchNorm, PReLU."""

  def __init__(self, inputs, outputs, kernel=3, stride=1, dilation=1, groups=1):
    padding = dilation * (kernel // 2)
    super().__init__(
      nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False),
      nn.BatchNorm2d(outputs), nn.PReLU(outputs))


class Separable(nn.Module):
  """Depthwise then pointwise convolution, added to the input where the sizes allow."""

  def __init__(self, inputs, outputs, stride=1, dilation=1):
    super().__init__()
    self.adds = stride == 1 and inputs == outputs
    self.depthwise = nn.Sequential(
      nn.Conv2d(inputs, inputs, 3, stride, dilation, dilation, inputs, bias=False),
      nn.BatchNorm2d(inputs))
    self.pointwise = Unit(inputs, outputs, 1)

  def forward(self, x):
    y = self.pointwise(self.depthwise(x))
    return x + y if self.adds else y


class StreetNet(nn.Module):
  """A U-Net of separable convolutions: 3×H×W → classes×H×W logits; H and W divide by 8."""

  def __init__(self, classes):
    super().__init__()
    self.level2 = nn.Sequential(Unit(3, 16, stride=2), Separable(16, 16))
    self.level4 = nn.Sequential(Separable(16, 40, stride=2), Separable(40, 40))
    self.level8 = nn.Sequential(
      nn.MaxPool2d(2), Separable(40, 80), *(Separable(80, 80, dilation=d) for d in (1, 2, 4, 8)))
    self.scene = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(80, 80, 1), nn.ReLU())
    self.narrow = Unit(80, 40, 1)
    self.join4 = nn.Sequential(Unit(80, 40, 1), Separable(40, 40))
    self.widen = nn.Sequential(
      nn.ConvTranspose2d(40, 24, 2, 2, bias=False), nn.BatchNorm2d(24), nn.PReLU(24))
    self.join2 = nn.Sequential(Unit(40, 24, 1), Separable(24, 24))
    self.classify = nn.ConvTranspose2d(24, classes, 4, 2, 1)

  def forward(self, image):
    at2 = self.level2(image)
    at4 = self.level4(at2)
    at8 = self.level8(at4)
    up8 = self.narrow(at8 + self.scene(at8))
    up4 = F.interpolate(up8, scale_factor=2.0, mode="bilinear", align_corners=False)
    up4 = self.join4(torch.cat([up4, at4], 1))
    return self.classify(self.join2(torch.cat([self.widen(up4), at2], 1)))


def normalise(images):
  """uint8 N×H×W×3 → float32 N×3×H×W as the network expects it."""
  x = torch.from_numpy(images).permute(0, 3, 1, 2).float() * SCALE
  return (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def draw_all(seeds):
  images, labels = zip(*map(draw, seeds))
  return np.stack(images), np.stack(labels)


def evaluate(network, images, labels):
  """IoU per class from one confusion matrix."""
  network.eval()
  count = len(CLASSES)
  confusion = np.zeros((count, count), np.int64)
  with torch.no_grad():
    for image, truth in zip(images, labels):
      found = network(normalise(image[None])).argmax(1)[0].numpy()
      confusion += np.bincount(truth.ravel() * count + found.ravel().astype(np.int64),
                               minlength=count * count).reshape(count, count)
  hit = confusion.diagonal()
  return hit / (confusion.sum(0) + confusion.sum(1) - hit)


def train(network, images, labels, steps, batch):
  rng = np.random.default_rng(1)
  share = np.bincount(labels.ravel(), minlength=len(CLASSES)) / labels.size
  weight = torch.tensor((share + 0.01) ** -0.35, dtype=torch.float32)
  optimiser = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=1e-3)
  schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, steps, pct_start=0.15)
  network.train()
  started = time.time()
  for step in range(steps):
    picked = rng.integers(0, len(images), batch)
    x, y = images[picked], labels[picked]
    if rng.random() < 0.5:
      x, y = x[:, :, ::-1].copy(), y[:, :, ::-1].copy()
    x = normalise(x) * rng.uniform(0.8, 1.2) + rng.uniform(-0.2, 0.2)
    loss = F.cross_entropy(network(x), torch.from_numpy(y).long(), weight)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    if step % 50 == 0 or step == steps - 1:
      print(f"step {step:5d}  loss {loss.item():.3f}  {time.time() - started:.0f} s", flush=True)


def export(network, path):
  """Writes ONNX with free height and width, BatchNorm kept, and the model's metadata."""
  network.eval()
  torch.onnx.export(
    network, (torch.zeros(1, 3, 240, 320),), str(path), opset_version=13, dynamo=False,
    training=torch.onnx.TrainingMode.PRESERVE, input_names=["image"], output_names=["logits"],
    dynamic_axes={"image": {0: "batch", 2: "height", 3: "width"},
                  "logits": {0: "batch", 2: "height", 3: "width"}})
  model = onnx.load(path)
  onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in {
    "classes": CLASSES,
    "colours": COLOURS,
    "ignore": 255,
    "input": {"colour_order": "rgb", "scale": SCALE, "mean": MEAN, "std": STD},
    "output": {"name": "logits", "kind": "logits"},
  }.items()})
  onnx.checker.check_model(model)
  onnx.save(model, path)


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--frames", type=int, default=1000)
  parser.add_argument("--steps", type=int, default=1750)
  parser.add_argument("--batch", type=int, default=6)
  parser.add_argument("--output", type=Path, default=Path(__file__).with_name("street.onnx"))
  options = parser.parse_args()
  torch.set_num_threads(1)
  torch.manual_seed(1)
  network = StreetNet(len(CLASSES)).to(memory_format=torch.channels_last)
  print(sum(p.numel() for p in network.parameters()), "parameters", flush=True)
  train(network, *draw_all(range(options.frames)), options.steps, options.batch)
  iou = evaluate(network, *draw_all(range(VALIDATION_SEED, VALIDATION_SEED + 64)))
  for name, value in zip(CLASSES, iou):
    print(f"{name:12s} {100 * value:5.1f}")
  print(f"mIoU {100 * iou.mean():.2f}")
  export(network, options.output)


if __name__ == "__main__":
  main()
