"""Segmentation networks of public packages, small, with random weights: decoders and encoders that
people export. networks.py makes golden gradients of them as of zoo.py's.
"""

import sys
import types
from unittest import mock

import torch
from torch import nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

# PyPI's torchvision is built for CUDA and does not load its kernels beside a CPU build of torch;
# the networks need none of them, only this module asks for them.
sys.modules.setdefault(
    "torchvision._meta_registrations", types.ModuleType("torchvision._meta_registrations"))

import segmentation_models_pytorch as smp
import transformers
from torchvision.models import segmentation
from transformers.models.eomt import modeling_eomt

CLASSES = 5


class Scores(nn.Module):
    """A network whose answer holds the class scores among other things."""

    def __init__(self, network, *path):
        super().__init__()
        self.network = network
        self.path = path

    def forward(self, image):
        answer = self.network(image)
        for key in self.path:
            answer = answer[key]
        return answer


def decoder(name, encoder, **options):
    def make():
        return getattr(smp, name)(
            encoder_name=encoder, encoder_weights=None, classes=CLASSES, **options)
    return make


def vision(name, **options):
    def make():
        network = getattr(segmentation, name)(
            weights=None, weights_backbone=None, num_classes=CLASSES, **options)
        return Scores(network, "out")
    return make


def transformer(name, config, **options):
    def make():
        settings = getattr(transformers, config)(num_labels=CLASSES, **options)
        return Scores(getattr(transformers, name)(settings), "logits")
    return make


def upernet():
    backbone = transformers.ConvNextConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[16, 24, 32, 48],
        out_features=["stage1", "stage2", "stage3", "stage4"])
    config = transformers.UperNetConfig(
        backbone_config=backbone, hidden_size=32, use_auxiliary_head=False, num_labels=CLASSES)
    return Scores(transformers.UperNetForSemanticSegmentation(config), "logits")


class MaskScores(nn.Module):
    """Scores of classes from a network of queries, each a mask and a class."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, image):
        answer = self.network(image)
        classes = answer.class_queries_logits.softmax(-1)[..., :-1]
        masks = answer.masks_queries_logits.sigmoid()
        return torch.einsum("bqc,bqhw->bchw", classes, masks)


def eomt():
    config = transformers.EomtConfig(
        image_size=64, patch_size=16, hidden_size=32, num_hidden_layers=4, num_attention_heads=2,
        num_blocks=2, num_queries=12, num_upscale_blocks=1, num_register_tokens=1,
        num_labels=CLASSES)
    with mock.patch.object(modeling_eomt, "requires_backends"):  # its loss would need scipy
        network = transformers.EomtForUniversalSegmentation(config)
    network.attn_mask_probs.zero_()  # as at the end of its training: attention without masks
    return MaskScores(network)


def convolution(inputs, outputs, kernel=1, stride=1):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs), nn.SiLU())


class Split(nn.Module):
    """A block of YOLO: halves of the channels, each bottleneck's answer kept beside them."""

    def __init__(self, channels, depth):
        super().__init__()
        half = channels // 2
        self.enter = convolution(channels, channels)
        self.blocks = nn.ModuleList(
            nn.Sequential(convolution(half, half, 3), convolution(half, half, 3))
            for _ in range(depth))
        self.leave = convolution((2 + depth) * half, channels)

    def forward(self, x):
        parts = list(self.enter(x).chunk(2, 1))
        for block in self.blocks:
            parts.append(parts[-1] + block(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Pyramid(nn.Module):
    """Three max-poolings one after the other (SPPF)."""

    def __init__(self, channels):
        super().__init__()
        self.enter = convolution(channels, channels // 2)
        self.leave = convolution(2 * channels, channels)

    def forward(self, x):
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(functional.max_pool2d(parts[-1], 5, 1, 2))
        return self.leave(torch.cat(parts, 1))


class YoloLike(nn.Module):
    """Backbone, neck and head as YOLO networks have them, with a score for each class and pixel."""

    def __init__(self):
        super().__init__()
        self.stem = convolution(3, 16, 3, 2)
        self.down = nn.ModuleList(
            nn.Sequential(convolution(c, 2 * c, 3, 2), Split(2 * c, 1)) for c in (16, 32, 64))
        self.pool = Pyramid(128)
        self.up = nn.ModuleList(
            nn.Sequential(convolution(3 * c, c), Split(c, 1)) for c in (64, 32))
        self.head = nn.Sequential(convolution(32, 32, 3), nn.Conv2d(32, CLASSES, 1))

    def forward(self, image):
        maps = [self.stem(image)]
        for block in self.down:
            maps.append(block(maps[-1]))
        x = self.pool(maps[-1])
        for block, skip in zip(self.up, (maps[2], maps[1])):
            x = block(torch.cat([functional.interpolate(x, scale_factor=2), skip], 1))
        return functional.interpolate(self.head(x), scale_factor=4, mode="bilinear")


# Maker, height and width.
PUBLIC = {
    "unet_resnet18": (decoder("Unet", "resnet18"), 64, 96),
    "unet_vgg11_bn": (decoder("Unet", "vgg11_bn"), 64, 64),
    "unetplusplus_mobilenet_v2": (decoder("UnetPlusPlus", "mobilenet_v2"), 64, 64),
    "manet_resnet10t": (decoder("MAnet", "tu-resnet10t"), 64, 64),
    "linknet_efficientnet_lite0": (decoder("Linknet", "timm-tf_efficientnet_lite0"), 128, 128),
    "fpn_efficientnet_b0": (decoder("FPN", "efficientnet-b0"), 64, 96),
    "fpn_densenet121": (decoder("FPN", "densenet121"), 64, 64),
    "pspnet_resnext50": (decoder("PSPNet", "resnext50_32x4d"), 96, 96),
    "deeplabv3_regnetx": (decoder("DeepLabV3", "timm-regnetx_002"), 64, 96),
    "deeplabv3plus_mobilenetv3": (decoder("DeepLabV3Plus", "tu-mobilenetv3_small_100"), 64, 96),
    "pan_gernet": (decoder("PAN", "timm-gernet_s"), 160, 160),
    "upernet_convnext": (decoder("UPerNet", "tu-convnext_atto"), 192, 192),
    "segformer_mit_b0": (decoder("Segformer", "mit_b0"), 64, 96),
    "dpt_vit": (decoder("DPT", "tu-vit_tiny_patch16_224", img_size=64, dynamic_img_size=False), 64, 64),
    "unet_res2net": (decoder("Unet", "timm-res2net50_26w_4s"), 64, 64),
    "unet_skresnet18": (decoder("Unet", "timm-skresnet18"), 64, 64),
    "unet_resnest14d": (decoder("Unet", "timm-resnest14d"), 64, 64),
    "unet_mobileone": (decoder("Unet", "mobileone_s0"), 64, 64),
    "fpn_hrnet_w18": (decoder("FPN", "tu-hrnet_w18_small"), 64, 64),
    "unet_ghostnet": (decoder("Unet", "tu-ghostnet_050"), 64, 64),
    "unet_ecaresnet": (decoder("Unet", "tu-ecaresnet26t"), 64, 64),
    "fpn_xception": (decoder("FPN", "xception"), 64, 64),
    "torchvision_fcn": (vision("fcn_resnet50"), 64, 64),
    "torchvision_deeplabv3": (vision("deeplabv3_resnet50"), 64, 64),
    "torchvision_deeplabv3_mobilenet": (vision("deeplabv3_mobilenet_v3_large"), 64, 64),
    "torchvision_lraspp": (vision("lraspp_mobilenet_v3_large"), 64, 96),
    "transformers_segformer": (
        transformer(
            "SegformerForSemanticSegmentation", "SegformerConfig", depths=[1, 1, 1, 1],
            hidden_sizes=[16, 32, 48, 64], decoder_hidden_size=32), 64, 96),
    "transformers_beit": (
        transformer(
            "BeitForSemanticSegmentation", "BeitConfig", image_size=192, hidden_size=32,
            num_hidden_layers=4, num_attention_heads=2, intermediate_size=64,
            out_indices=[1, 2, 3, 4], use_auxiliary_head=False,
            use_relative_position_bias=True), 192, 192),
    "transformers_dpt": (
        transformer(
            "DPTForSemanticSegmentation", "DPTConfig", image_size=64, hidden_size=32,
            num_hidden_layers=4, num_attention_heads=2, intermediate_size=64,
            backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[16, 24, 32, 32],
            fusion_hidden_size=16, use_auxiliary_head=False), 64, 64),
    "transformers_upernet": (upernet, 192, 192),
    "transformers_eomt": (eomt, 64, 64),
    "yolo_like": (YoloLike, 64, 96),
}


class KinkDistance(TorchDispatchMode):
    """How near the inputs of ReLU and its kind come to a kink, and two winners of a max-pooling to
    each other, in units of the map's RMS. Float32 decides what lies within its rounding, in every
    library otherwise, and where a map has few values one of them moves all gradients before it."""

    FEW = 32768
    aten = torch.ops.aten
    KINKS = {
        aten.relu: (0,), aten.relu_: (0,), aten.leaky_relu: (0,), aten.leaky_relu_: (0,),
        aten.hardtanh: (0, 6), aten.hardtanh_: (0, 6), aten.hardsigmoid: (-3, 3),
        aten.hardsigmoid_: (-3, 3), aten.hardswish: (-3, 3), aten.hardswish_: (-3, 3),
    }

    def __init__(self):
        super().__init__()
        self.least = float("inf")

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        operator = function.overloadpacket
        if operator in self.KINKS and args[0].numel() <= self.FEW:
            for kink in self.KINKS[operator]:
                self.meet(args[0], (args[0] - kink).abs())
        if operator is self.aten.max_pool2d_with_indices and args[0].numel() <= self.FEW:
            self.meet_pool(*args)
        return function(*args, **(kwargs or {}))

    def meet(self, values, distances):
        if distances.numel():
            least = distances.min() / values.square().mean().sqrt()
            self.least = min(self.least, least.item())

    def meet_pool(self, values, kernel, stride=None, padding=(0, 0), *_):
        rows, columns = padding
        padded = functional.pad(values, (columns, columns, rows, rows), value=-1e30)
        windows = functional.unfold(padded, kernel, stride=stride or kernel)
        windows = windows.unflatten(1, (values.shape[1], -1))
        first, second = windows.topk(2, dim=2).values.unbind(2)
        self.meet(values, (first - second)[first > 0])  # what a ReLU cut gets no gradient


def image_off_kinks(network, height, width, candidates=48):
    """Of some random images that which stays farthest from every kink."""
    def distance(image):
        with torch.no_grad(), KinkDistance() as kinks:
            network(image)
        return kinks.least

    images = [torch.randn(1, 3, height, width) for _ in range(candidates)]
    return max(images, key=distance)


def settle(network, generator):
    """Statistics that do something and no two parameters alike: the exporter would make them one."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1 or not parameter.any():
                noise = torch.rand(parameter.shape, generator=generator)
                parameter.add_(0.2 * noise - 0.1)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 1.5, generator=generator)
