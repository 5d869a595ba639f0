"""Small segmentation networks, one for each way of building them: what the golden gradients cover.

`ZOO` maps a name to (network class, input height, input width). Weights are the caller's to set.
"""

import torch
from torch import nn
from torch.nn import functional

CLASSES = 5


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def conv(inputs, outputs, kernel=1, stride=1, dilation=1, groups=1, bias=False):
    """A convolution that keeps the size at stride 1."""
    padding = tuple((k - 1) // 2 * d for k, d in zip(pair(kernel), pair(dilation)))
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias)


class ConvNorm(nn.Sequential):
    def __init__(self, inputs, outputs, kernel=1, activation=nn.ReLU, **options):
        layers = [conv(inputs, outputs, kernel, **options), nn.BatchNorm2d(outputs)]
        super().__init__(*layers, *([activation()] if activation else []))


def upsampled(x, like, align_corners=False):
    size = like.shape[2:]
    return functional.interpolate(x, size=size, mode="bilinear", align_corners=align_corners)


class Residual(nn.Module):
    """ResNet's basic blocks."""

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride=1):
            super().__init__()
            self.first = ConvNorm(inputs, outputs, 3, stride=stride)
            self.second = ConvNorm(outputs, outputs, 3, None)
            self.shortcut = nn.Identity()
            if stride != 1 or inputs != outputs:
                self.shortcut = ConvNorm(inputs, outputs, 1, None, stride=stride)

        def forward(self, x):
            return torch.relu(self.second(self.first(x)) + self.shortcut(x))

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 8, 3, stride=2)
        self.blocks = nn.Sequential(self.Block(8, 8), self.Block(8, 16, stride=2))
        self.head = conv(16, CLASSES, bias=True)

    def forward(self, x):
        return upsampled(self.head(self.blocks(self.stem(x))), x)


class Inception(nn.Module):
    """Branches of different kernels and pools, concatenated; the size halved in three ways."""

    class Block(nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.one = ConvNorm(inputs, 6)
            self.three = nn.Sequential(ConvNorm(inputs, 5), ConvNorm(5, 7, 3))
            self.five = nn.Sequential(ConvNorm(inputs, 3), ConvNorm(3, 5, 5))
            self.pool = nn.Sequential(nn.MaxPool2d(3, 1, 1), ConvNorm(inputs, 6))

        def forward(self, x):
            return torch.cat([self.one(x), self.three(x), self.five(x), self.pool(x)], 1)

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 8, 3)
        self.first = self.Block(8)
        self.stride = ConvNorm(24, 8, 3, stride=2)
        self.most = nn.MaxPool2d(3, 2, 1)
        self.mean = nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        self.second = self.Block(56)
        self.head = conv(24, CLASSES, bias=True)

    def forward(self, x):
        y = self.first(self.stem(x))
        y = torch.cat([self.stride(y), self.most(y), self.mean(y)], 1)
        return self.head(self.second(y))


class Dense(nn.Module):
    """DenseNet: normalisation before the convolution, every layer sees all earlier ones."""

    class Layer(nn.Sequential):
        def __init__(self, inputs, outputs, kernel=3):
            super().__init__(nn.BatchNorm2d(inputs), nn.ReLU(), conv(inputs, outputs, kernel))

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 8, 3)
        self.first = nn.ModuleList(self.Layer(8 + 5 * i, 5) for i in range(3))
        self.transition = nn.Sequential(self.Layer(23, 11, 1), nn.AvgPool2d(2))
        self.second = nn.ModuleList(self.Layer(11 + 5 * i, 5) for i in range(3))
        self.head = self.Layer(26, CLASSES, 1)

    def forward(self, x):
        y = self.stem(x)
        for layer in self.first:
            y = torch.cat([y, layer(y)], 1)
        y = self.transition(y)
        for layer in self.second:
            y = torch.cat([y, layer(y)], 1)
        return upsampled(self.head(y), x)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList(
            nn.Sequential(ConvNorm(i, o, 3), ConvNorm(o, o, 3))
            for i, o in ((3, 6), (6, 10), (10, 14)))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, 2) for i, o in ((14, 10), (10, 6)))
        self.join = nn.ModuleList(ConvNorm(2 * o, o, 3) for o in (10, 6))
        self.head = conv(6, CLASSES, bias=True)

    def forward(self, x):
        fine = self.down[0](x)
        middle = self.down[1](functional.max_pool2d(fine, 2))
        y = self.down[2](functional.max_pool2d(middle, 2))
        y = self.join[0](torch.cat([middle, self.up[0](y)], 1))
        return self.head(self.join[1](torch.cat([self.up[1](y), fine], 1)))


class PyramidPooling(nn.Module):
    """PSPNet's head; both conventions of the bilinear resize."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(ConvNorm(3, 8, 3, stride=2), ConvNorm(8, 12, 3, stride=2))
        self.pools = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(size), ConvNorm(12, 4)) for size in (1, 2, 3, 6))
        self.join = ConvNorm(28, 12, 3)
        self.head = conv(12, CLASSES, bias=True)

    def forward(self, x):
        y = self.trunk(x)
        pooled = [upsampled(pool(y), y, i % 2 == 0) for i, pool in enumerate(self.pools)]
        return upsampled(self.head(self.join(torch.cat([y, *pooled], 1))), x, align_corners=True)


class SqueezeExcite(nn.Module):
    """Channels weighed by the frame's mean: by fully connected layers and by 1×1 convolutions."""

    class Gate(nn.Module):
        def __init__(self, channels, connected):
            super().__init__()
            layer = nn.Linear if connected else nn.Conv2d
            size = () if connected else (1,)
            self.flat = connected
            self.narrow = layer(channels, channels // 4, *size)
            self.wide = layer(channels // 4, channels, *size)

        def forward(self, x):
            y = functional.adaptive_avg_pool2d(x, 1)
            y = torch.flatten(y, 1) if self.flat else y
            y = torch.sigmoid(self.wide(torch.relu(self.narrow(y))))
            return x * (y[:, :, None, None] if self.flat else y)

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 12, 3, stride=2)
        self.first = nn.Sequential(ConvNorm(12, 12, 3), self.Gate(12, connected=True))
        self.second = nn.Sequential(ConvNorm(12, 16, 3), self.Gate(16, connected=False))
        self.head = conv(16, CLASSES, bias=True)

    def forward(self, x):
        y = self.stem(x)
        return upsampled(self.head(self.second(self.first(y) + y)), x)


class ChannelShuffle(nn.Module):
    """ShuffleNetV2: half of the channels pass, then the halves are interleaved."""

    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            half = channels // 2
            self.branch = nn.Sequential(
                ConvNorm(half, half), ConvNorm(half, half, 3, None, groups=half),
                ConvNorm(half, half, groups=2))

        def forward(self, x):
            kept, changed = x.chunk(2, 1)
            y = torch.cat([kept, self.branch(changed)], 1)
            batch, channels, height, width = y.shape
            y = y.view(batch, 2, channels // 2, height, width).transpose(1, 2)
            return y.reshape(batch, channels, height, width)

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 12, 3, stride=2)
        self.blocks = nn.Sequential(*(self.Block(12) for _ in range(3)))
        self.head = conv(12, CLASSES, bias=True)

    def forward(self, x):
        return self.head(self.blocks(self.stem(x)))


class DilatedDepthwise(nn.Module):
    """ESPNetv2: depthwise convolutions of growing dilation, fused by running sums; PReLU."""

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride=1):
            super().__init__()
            part = outputs // 4
            self.project = ConvNorm(inputs, part, activation=lambda: nn.PReLU(part), groups=2)
            self.spread = nn.ModuleList(
                conv(part, part, 3, stride=stride, dilation=d, groups=part) for d in (1, 2, 3, 4))
            self.norm = nn.Sequential(nn.BatchNorm2d(outputs), nn.PReLU(outputs))
            self.expand = ConvNorm(outputs, outputs, activation=None, groups=4)

        def forward(self, x):
            y = self.project(x)
            parts = [self.spread[0](y)]
            for layer in self.spread[1:]:
                parts.append(layer(y) + parts[-1])
            return self.expand(self.norm(torch.cat(parts, 1)))

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 8, 3, lambda: nn.PReLU(8), stride=2)
        self.down = self.Block(8, 8, stride=2)
        self.keep = self.Block(16, 16)
        self.last = nn.PReLU()
        self.head = conv(16, CLASSES, bias=True)

    def forward(self, x):
        y = self.stem(x)
        y = torch.cat([self.down(y), functional.avg_pool2d(y, 3, 2, 1)], 1)
        return upsampled(self.head(self.last(y + self.keep(y))), x)


class Asymmetric(nn.Module):
    """ERFNet's and ENet's factored kernels, their downsampler and their decoder."""

    class Factored(nn.Module):
        def __init__(self, channels, kernel, dilation):
            super().__init__()
            self.layers = nn.Sequential(
                conv(channels, channels, (kernel, 1), bias=True), nn.ReLU(),
                ConvNorm(channels, channels, (1, kernel), bias=True),
                conv(channels, channels, (kernel, 1), dilation=dilation, bias=True), nn.ReLU(),
                ConvNorm(channels, channels, (1, kernel), None, dilation=dilation, bias=True))

        def forward(self, x):
            return torch.relu(x + self.layers(x))

    class Down(nn.Module):
        def __init__(self, inputs, outputs):
            super().__init__()
            self.conv = conv(inputs, outputs - inputs, 3, stride=2, bias=True)
            self.norm = nn.BatchNorm2d(outputs)
            self.activation = nn.PReLU(outputs)

        def forward(self, x):
            y = torch.cat([self.conv(x), functional.max_pool2d(x, 2, 2)], 1)
            return self.activation(self.norm(y))

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            self.Down(3, 8), self.Factored(8, 3, 1), self.Down(8, 14), self.Factored(14, 5, 2))
        self.up = nn.ConvTranspose2d(14, 8, 3, 2, 1, 1)
        self.norm = nn.BatchNorm2d(8)
        self.last = self.Factored(8, 3, (2, 3))
        self.head = nn.ConvTranspose2d(8, CLASSES, 2, 2)

    def forward(self, x):
        return self.head(self.last(torch.relu(self.norm(self.up(self.encoder(x))))))


class TransposedDecoder(nn.Module):
    """Transposed convolutions with groups, dilation, uneven strides and output padding."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            ConvNorm(3, 8, 3, stride=2), ConvNorm(8, 12, 5, stride=2),
            ConvNorm(12, 12, 3, stride=(1, 2)))
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(12, 12, (3, 4), (1, 2), 1, groups=3), nn.BatchNorm2d(12), nn.ReLU(),
            nn.ConvTranspose2d(12, 8, 3, 2, 1, (0, 0), groups=2, bias=False), nn.ReLU(),
            nn.ConvTranspose2d(8, 8, 3, 1, 2, dilation=2), nn.ReLU(),
            nn.ConvTranspose2d(8, CLASSES, 3, 2, 1, (0, 1)))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class DeepLab(nn.Module):
    """DeepLab-V2: dilated bottlenecks instead of strides, a sum of four dilated classifiers."""

    class Bottleneck(nn.Module):
        def __init__(self, inputs, outputs, dilation=1):
            super().__init__()
            middle = outputs // 4
            self.layers = nn.Sequential(
                ConvNorm(inputs, middle), ConvNorm(middle, middle, 3, dilation=dilation),
                ConvNorm(middle, outputs, activation=None))
            self.shortcut = nn.Identity()
            if inputs != outputs:
                self.shortcut = ConvNorm(inputs, outputs, activation=None)

        def forward(self, x):
            return torch.relu(self.layers(x) + self.shortcut(x))

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            ConvNorm(3, 8, 7, stride=2), nn.MaxPool2d(3, 2, 1, ceil_mode=True))
        self.trunk = nn.Sequential(
            self.Bottleneck(8, 16), self.Bottleneck(16, 16, 2), self.Bottleneck(16, 24, 4))
        self.heads = nn.ModuleList(
            conv(24, CLASSES, 3, dilation=d, bias=True) for d in (6, 12, 18, 24))

    def forward(self, x):
        y = self.trunk(self.stem(x))
        return upsampled(sum(head(y) for head in self.heads), x, align_corners=True)


class SegFormer(nn.Module):
    """Attention over spatially reduced keys, a feed-forward part with a depthwise convolution."""

    class Block(nn.Module):
        def __init__(self, channels, heads, reduction):
            super().__init__()
            self.heads, self.width = heads, channels // heads
            self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
            self.query = nn.Linear(channels, channels)
            self.reduce = nn.Conv2d(channels, channels, reduction, reduction)
            self.key_value = nn.Linear(channels, 2 * channels)
            self.join = nn.Linear(channels, channels)
            self.wide = nn.Linear(channels, 3 * channels)
            self.depthwise = conv(3 * channels, 3 * channels, 3, groups=3 * channels, bias=True)
            self.narrow = nn.Linear(3 * channels, channels)

        @staticmethod
        def tokens(x):
            return x.flatten(2).transpose(1, 2)

        def split(self, x):
            return x.reshape(1, -1, self.heads, self.width).transpose(1, 2)

        def attention(self, x, height, width):
            picture = x.transpose(1, 2).reshape(1, -1, height, width)
            few = self.norms[1](self.tokens(self.reduce(picture)))
            key, value = (self.split(part) for part in self.key_value(few).chunk(2, -1))
            scores = self.split(self.query(x)) @ key.transpose(-2, -1) * self.width ** -0.5
            return self.join((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))

        def feed_forward(self, x, height, width):
            y = self.wide(x).transpose(1, 2).reshape(1, -1, height, width)
            return self.narrow(functional.gelu(self.tokens(self.depthwise(y))))

        def forward(self, x, height, width):
            x = x + self.attention(self.norms[0](x), height, width)
            return x + self.feed_forward(self.norms[2](x), height, width)

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv2d(3, 16, 7, 4, 3)
        self.norm = nn.LayerNorm(16)
        self.blocks = nn.ModuleList(self.Block(16, 2, 2) for _ in range(2))
        self.last = nn.LayerNorm(16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x):
        y = self.embed(x)
        height, width = y.shape[2:]
        y = self.norm(self.Block.tokens(y))
        for block in self.blocks:
            y = block(y, height, width)
        y = self.head(self.last(y)).transpose(1, 2).reshape(1, CLASSES, height, width)
        return upsampled(y, x)


class MobileNet(nn.Module):
    """MobileNetV3: inverted residuals, hard swish, gates of hard sigmoids."""

    class Block(nn.Module):
        def __init__(self, inputs, wide, outputs, kernel, stride, activation):
            super().__init__()
            self.adds = stride == 1 and inputs == outputs
            self.expand = ConvNorm(inputs, wide, 1, activation)
            self.depthwise = ConvNorm(
                wide, wide, kernel, activation, stride=stride, groups=wide)
            self.gate = nn.Sequential(
                nn.AdaptiveAvgPool2d(1), conv(wide, wide // 4, bias=True), nn.ReLU(),
                conv(wide // 4, wide, bias=True), nn.Hardsigmoid())
            self.project = ConvNorm(wide, outputs, activation=None)

        def forward(self, x):
            y = self.depthwise(self.expand(x))
            y = self.project(y * self.gate(y))
            return x + y if self.adds else y

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 8, 3, nn.Hardswish, stride=2)
        self.first = self.Block(8, 16, 12, 5, 2, nn.Hardswish)
        self.second = self.Block(12, 24, 12, 3, 1, nn.ReLU6)
        self.high = ConvNorm(12, 10)
        self.scale = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), conv(12, 10), nn.Sigmoid())
        self.low_head = conv(8, CLASSES, bias=True)
        self.high_head = conv(10, CLASSES, bias=True)

    def forward(self, x):
        low = self.stem(x)
        y = self.second(self.first(low))
        y = upsampled(self.high(y) * self.scale(y), low)
        return upsampled(self.low_head(low) + self.high_head(y), x)


class TiedPool(nn.Module):
    """Maxima that occur several times: input and first weights are multiples of a half, so that
    sums are exact in any order and a window's first maximum is a matter of definition."""

    exact = "edges.weight"

    def __init__(self):
        super().__init__()
        self.edges = conv(3, 8, 3)
        self.pool = nn.MaxPool2d(3, 2, 0, ceil_mode=True)
        self.middle = ConvNorm(8, 10, 3)
        self.wide = nn.MaxPool2d((2, 4), (2, 3), (1, 2), dilation=(2, 1), ceil_mode=True)
        self.head = conv(10, CLASSES, bias=True)

    def forward(self, x):
        return self.head(self.wide(self.middle(self.pool(torch.relu(self.edges(x))))))


class OtherNorms(nn.Module):
    """Group, instance and layer normalisation of frames.

    The last convolution keeps the permuted gradient of the layer norm away from the instance norm,
    whose own gradient PyTorch 2.13 then gets wrong (finite differences say so).
    """

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            conv(3, 12, 3, stride=2), nn.GroupNorm(3, 12), nn.ReLU(),
            conv(12, 12, 3), nn.InstanceNorm2d(12, affine=True), nn.LeakyReLU(0.1),
            conv(12, 12, 3), nn.GroupNorm(1, 12), nn.ELU(),
            conv(12, 12, 3, bias=True), nn.InstanceNorm2d(12), nn.Tanh(), conv(12, 12, 1))
        self.norm = nn.LayerNorm(12)
        self.head = conv(12, CLASSES, bias=True)

    def forward(self, x):
        y = self.layers(x).permute(0, 2, 3, 1)
        return self.head(self.norm(y).permute(0, 3, 1, 2))


class FeaturePyramid(nn.Module):
    """FPN: coarse features doubled by nearest neighbours and added to finer ones."""

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(
            ConvNorm(i, o, 3, stride=2) for i, o in ((3, 8), (8, 12), (12, 16)))
        self.lateral = nn.ModuleList(conv(i, 10, bias=True) for i in (8, 12, 16))
        self.smooth = nn.ModuleList(conv(10, 6, 3, bias=True) for _ in range(3))
        self.head = conv(6, CLASSES, bias=True)

    def forward(self, x):
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        level, total = None, 0
        for i in (2, 1, 0):
            side = self.lateral[i](found[i])
            if level is not None:
                side = side + functional.interpolate(level, scale_factor=2.0, mode="nearest")
            level = side
            total = total + functional.interpolate(self.smooth[i](level), size=found[0].shape[2:])
        return self.head(torch.relu(total))


class SharedWeights(nn.Module):
    """One convolution, one BatchNorm and one slope used at two scales and twice in a row."""

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 8, 3)
        self.shared = ConvNorm(8, 8, 3, nn.PReLU)
        self.head = conv(8, CLASSES, bias=True)

    def forward(self, x):
        y = self.stem(x)
        fine = self.shared(self.shared(y))
        coarse = self.shared(functional.avg_pool2d(y, 2, ceil_mode=True))
        return self.head(fine) + upsampled(self.head(coarse), x)


class Rearranged(nn.Module):
    """Reflected borders, channels picked and swapped, focus slices, crops, space to depth."""

    def __init__(self):
        super().__init__()
        self.focus = nn.Conv2d(12, 12, 3)
        self.register_buffer("order", torch.tensor([7, 3, 3, 0, 11, 8, 1, 5]))
        self.middle = nn.Conv2d(8, 16, 3)
        self.norm = nn.BatchNorm2d(16)
        self.deep = nn.Conv2d(16, 4 * CLASSES, 1)
        self.bias = nn.Parameter(torch.zeros(1, CLASSES, 1, 1))

    def forward(self, x):
        y = torch.cat([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)
        y = torch.relu(self.focus(functional.pad(y, (1, 1, 1, 1), mode="reflect")))
        y = torch.index_select(y, 1, self.order)
        y = self.middle(functional.pad(y, (2, 1, 1, 2), mode="replicate"))
        y = torch.relu(self.norm(y[..., :-1, 1:]))
        y = functional.pixel_shuffle(self.deep(y), 2)
        return functional.pad(y, (1, -1, -1, 1), value=0.5) + self.bias


class NonLocal(nn.Module):
    """Attention between all pixels and between all channels, as in DANet."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(ConvNorm(3, 8, 3, stride=2), ConvNorm(8, 12, 3, stride=2))
        self.query, self.key = conv(12, 4, bias=True), conv(12, 4, bias=True)
        self.value = conv(12, 12, bias=True)
        self.gain = nn.Parameter(torch.zeros(1))
        self.head = conv(12, CLASSES, bias=True)

    def forward(self, x):
        y = self.stem(x)
        query, key, value, flat = (
            part.flatten(2) for part in (self.query(y), self.key(y), self.value(y), y))
        pixels = value @ (query.transpose(1, 2) @ key).softmax(-1).transpose(1, 2)
        energy = flat @ flat.transpose(1, 2) / flat.shape[2]
        channels = (energy.amax(-1, keepdim=True) - energy).softmax(-1) @ flat
        y = y + self.gain * pixels.reshape(y.shape) + channels.reshape(y.shape)
        return upsampled(self.head(y), x)


class Activations(nn.Module):
    """Smooth and clipped activations, powers, quotients and extremes; learnt scalars."""

    def __init__(self):
        super().__init__()
        self.stem = ConvNorm(3, 12, 3, nn.SiLU, stride=2)
        names = (nn.Mish, nn.Softplus, nn.SELU, nn.Softsign, nn.Hardtanh, nn.GELU)
        self.blocks = nn.ModuleList(ConvNorm(12, 12, 3, name, groups=3) for name in names)
        self.power = nn.Parameter(torch.ones(12, 1, 1))
        self.head = conv(12, CLASSES, bias=True)

    def forward(self, x):
        y = self.stem(x)
        for block in self.blocks:
            y = y + block(y)
        size = (y * y).mean(1, keepdim=True).sqrt()
        y = y / (size + 0.1) * self.power.exp()
        y = torch.maximum(y, -0.5 * y.abs()) - torch.minimum(y, y.amax((2, 3), keepdim=True) / 2)
        return self.head(torch.where(y > 0.25, y ** 2, y - 0.1))


ZOO = {
    "residual": (Residual, 45, 61),
    "inception": (Inception, 45, 61),
    "dense": (Dense, 45, 61),
    "unet": (UNet, 44, 60),
    "pyramid_pooling": (PyramidPooling, 48, 72),
    "squeeze_excite": (SqueezeExcite, 45, 61),
    "channel_shuffle": (ChannelShuffle, 45, 61),
    "dilated_depthwise": (DilatedDepthwise, 45, 61),
    "asymmetric": (Asymmetric, 44, 60),
    "transposed_decoder": (TransposedDecoder, 45, 62),
    "deeplab": (DeepLab, 65, 81),
    "segformer": (SegFormer, 48, 64),
    "mobilenet": (MobileNet, 45, 61),
    "tied_pool": (TiedPool, 45, 61),
    "other_norms": (OtherNorms, 45, 61),
    "feature_pyramid": (FeaturePyramid, 48, 64),
    "shared_weights": (SharedWeights, 45, 61),
    "rearranged": (Rearranged, 46, 62),
    "non_local": (NonLocal, 45, 61),
    "activations": (Activations, 45, 61),
}
