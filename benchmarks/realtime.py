"""Networks that are made for speed, as their papers have them, with random weights.

- BiSeNetV2: Yu et al., "BiSeNet V2: Bilateral Network with Guided Aggregation", IJCV 2021, tables 1 and 2.
- DDRNet-23-slim: Hong et al., "Deep Dual-resolution Networks", IEEE T-ITS 2022, table 2 and figure 4.
- PP-LiteSeg: Peng et al., 2022, on STDC1 (Fan et al., CVPR 2021). Its pyramid pools by strides here: the pools
  of 2x2 and 4x4 cells that the paper has cannot be exported for sizes that they do not divide.
"""

import torch
from torch import nn
from torch.nn import functional
from zoo import ConvNorm, Residual, conv, upsampled

CLASSES = 19


def strided(inputs, outputs, **options):
    return ConvNorm(inputs, outputs, 3, stride=2, **options)


class GatherExpand(nn.Module):
    """Figure 5 of BiSeNetV2."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        wide, depthwise = 6 * inputs, dict(groups=inputs, activation=None)
        first = [ConvNorm(inputs, wide, 3, stride=stride, **depthwise)]
        if stride == 2:
            first.append(ConvNorm(wide, wide, 3, None, groups=wide))
        self.path = nn.Sequential(ConvNorm(inputs, inputs, 3), *first, ConvNorm(wide, outputs, 1, None))
        self.shortcut = nn.Identity() if stride == 1 else nn.Sequential(
            ConvNorm(inputs, inputs, 3, stride=2, **depthwise), ConvNorm(inputs, outputs, 1, None))

    def forward(self, x):
        return torch.relu(self.path(x) + self.shortcut(x))


class BiSeNetV2(nn.Module):
    def __init__(self):
        super().__init__()
        self.detail = nn.Sequential(
            strided(3, 64), ConvNorm(64, 64, 3), strided(64, 64), ConvNorm(64, 64, 3), ConvNorm(64, 64, 3),
            strided(64, 128), ConvNorm(128, 128, 3), ConvNorm(128, 128, 3))
        self.stem = strided(3, 16)
        self.left = nn.Sequential(ConvNorm(16, 8), strided(8, 16))
        self.joined = ConvNorm(32, 16, 3)
        layers = []
        for inputs, outputs, count in ((16, 32, 2), (32, 64, 2), (64, 128, 4)):
            layers += [GatherExpand(inputs, outputs, 2)]
            layers += [GatherExpand(outputs, outputs, 1) for _ in range(count - 1)]
        self.semantic = nn.Sequential(*layers)
        self.context = nn.Sequential(nn.BatchNorm2d(128), ConvNorm(128, 128))
        self.context_end = ConvNorm(128, 128, 3)

        def separable():
            return nn.Sequential(ConvNorm(128, 128, 3, None, groups=128), conv(128, 128))

        self.detail_kept, self.semantic_kept = separable(), separable()
        self.detail_down = nn.Sequential(strided(128, 128, activation=None), nn.AvgPool2d(3, 2, 1))
        self.semantic_up = ConvNorm(128, 128, 3, None)
        self.fused = ConvNorm(128, 128, 3, None)
        self.head = nn.Sequential(ConvNorm(128, 1024, 3), conv(1024, CLASSES, bias=True))

    def forward(self, image):
        detail, x = self.detail(image), self.stem(image)
        x = self.joined(torch.cat([self.left(x), functional.max_pool2d(x, 3, 2, 1)], 1))
        x = self.semantic(x)
        x = self.context_end(x + self.context(functional.adaptive_avg_pool2d(x, 1)))
        fine = self.detail_kept(detail) * torch.sigmoid(upsampled(self.semantic_up(x), detail))
        coarse = self.detail_down(detail) * torch.sigmoid(self.semantic_kept(x))
        return upsampled(self.head(self.fused(fine + upsampled(coarse, fine))), image)


def normed(inputs, outputs, kernel=1):
    """Normalisation and activation before the convolution."""
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), conv(inputs, outputs, kernel))


class Pyramid(nn.Module):
    """Figure 4 of DDRNet."""

    def __init__(self, inputs, width, outputs):
        super().__init__()
        pools = [nn.AvgPool2d(2 * stride + 1, stride, stride) for stride in (2, 4, 8)]
        self.pools = nn.ModuleList([nn.Identity(), *pools, nn.AdaptiveAvgPool2d(1)])
        self.scales = nn.ModuleList([normed(inputs, width) for _ in self.pools])
        self.processes = nn.ModuleList([normed(width, width, 3) for _ in self.pools[1:]])
        self.compression = normed(5 * width, outputs)
        self.shortcut = normed(inputs, outputs)

    def forward(self, x):
        found = [scale(pool(x)) for pool, scale in zip(self.pools, self.scales)]
        parts = found[:1]
        for part, process in zip(found[1:], self.processes):
            parts.append(process(upsampled(part, x) + parts[-1]))
        return self.compression(torch.cat(parts, 1)) + self.shortcut(x)


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride=1):
        super().__init__()
        self.path = nn.Sequential(
            ConvNorm(inputs, width), ConvNorm(width, width, 3, stride=stride),
            ConvNorm(width, 2 * width, 1, None))
        self.shortcut = ConvNorm(inputs, 2 * width, 1, None, stride=stride)

    def forward(self, x):
        return self.path(x) + self.shortcut(x)


class DDRNet(nn.Module):
    """DDRNet-23-slim."""

    def __init__(self, width=32):
        super().__init__()
        def blocks(inputs, outputs, stride=1):
            return nn.Sequential(
                Residual.Block(inputs, outputs, stride), Residual.Block(outputs, outputs))
        self.stem = nn.Sequential(
            strided(3, width), strided(width, width), blocks(width, width),
            blocks(width, 2 * width, 2))
        fine = 2 * width
        self.coarse = nn.ModuleList([blocks(fine, 4 * width, 2), blocks(4 * width, 8 * width, 2)])
        self.fine = nn.ModuleList([blocks(fine, fine), blocks(fine, fine)])
        self.compression = nn.ModuleList(
            [ConvNorm(4 * width, fine, 1, None), ConvNorm(8 * width, fine, 1, None)])
        self.down = nn.ModuleList([
            strided(fine, 4 * width, activation=None),
            nn.Sequential(strided(fine, 4 * width), strided(4 * width, 8 * width, activation=None))])
        self.fine_end = Bottleneck(fine, fine)
        self.coarse_end = nn.Sequential(Bottleneck(8 * width, 8 * width, 2), Pyramid(16 * width, 128, 4 * width))
        self.head = nn.Sequential(normed(4 * width, 64, 3), normed(64, CLASSES))

    def forward(self, image):
        fine = coarse = self.stem(image)
        for layer, fine_layer, compression, down in zip(
                self.coarse, self.fine, self.compression, self.down):
            coarse, kept = layer(coarse), fine_layer(fine)
            fine = torch.relu(kept + upsampled(compression(coarse), kept))
            coarse = torch.relu(coarse + down(kept))
        return upsampled(self.head(self.fine_end(fine) + upsampled(self.coarse_end(coarse), fine)), image)


class ShortTerm(nn.Module):
    """The block of STDC: channels halve, and all of them are concatenated."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = ConvNorm(inputs, outputs // 2)
        self.thin = ConvNorm(outputs // 2, outputs // 2, 3, None, stride=2, groups=outputs // 2)
        self.skip = nn.AvgPool2d(3, 2, 1)
        if stride == 1:
            self.thin = self.skip = nn.Identity()
        self.rest = nn.ModuleList([
            ConvNorm(outputs // 2, outputs // 4, 3), ConvNorm(outputs // 4, outputs // 8, 3),
            ConvNorm(outputs // 8, outputs // 8, 3)])

    def forward(self, x):
        x = self.first(x)
        parts, x = [self.skip(x)], self.thin(x)
        for layer in self.rest:
            x = layer(x)
            parts.append(x)
        return torch.cat(parts, 1)


class Attention(nn.Module):
    """The unified attention fusion module, with spatial attention."""

    def __init__(self, low, high, outputs):
        super().__init__()
        self.low = ConvNorm(low, high, 3)
        self.weight = nn.Sequential(ConvNorm(4, 2, 3), ConvNorm(2, 1, 3, None))
        self.end = ConvNorm(high, outputs, 3)

    def forward(self, low, high):
        low, high = self.low(low), upsampled(high, low)
        looks = [(x.mean(1, True), x.amax(1, True)) for x in (low, high)]
        share = torch.sigmoid(self.weight(torch.cat(sum(looks, ()), 1)))
        return self.end(low * share + high * (1 - share))


class PPLiteSeg(nn.Module):
    def __init__(self):
        super().__init__()
        def stage(inputs, outputs):
            return nn.Sequential(ShortTerm(inputs, outputs, 2), ShortTerm(outputs, outputs, 1))
        self.stem = nn.Sequential(strided(3, 32), strided(32, 64))
        self.stages = nn.ModuleList([stage(64, 256), stage(256, 512), stage(512, 1024)])
        pools = [nn.AdaptiveAvgPool2d(1), nn.AvgPool2d(5, 4, 2), nn.AvgPool2d(3, 2, 1)]
        self.pyramid = nn.ModuleList([nn.Sequential(pool, ConvNorm(1024, 128)) for pool in pools])
        self.pyramid_end = ConvNorm(128, 128, 3)
        self.fusions = nn.ModuleList([Attention(512, 128, 96), Attention(256, 96, 64)])
        self.head = nn.Sequential(ConvNorm(64, 64, 3), conv(64, CLASSES))

    def forward(self, image):
        x, found = self.stem(image), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        x = self.pyramid_end(sum(upsampled(pool(x), x) for pool in self.pyramid))
        for fusion, low in zip(self.fusions, found[1::-1]):
            x = fusion(low, x)
        return upsampled(self.head(x), image)
