"""The network of lookout-n: a small anchor-free detector made of dense convolutions and ReLU.

Backbone of five strided stages with residual blocks, spatial pyramid pooling, a two-way feature
pyramid of constant width that adds (not concatenates), and one decoupled head per stride.
Only Conv2d, BatchNorm2d, ReLU, MaxPool2d, Upsample, addition and concatenation are used, so that
the exporter (export.py) and INT8 engines stay simple.
"""

import math

import torch
from torch import nn

from common import CLASSES, STRIDES

STAGES = (16, 24, 64, 96, 160)  # channels at strides 2, 4, 8, 16, 32
BLOCKS = (0, 1, 2, 2, 1)  # residual blocks of each stage
NECK = 64  # channels of the feature pyramid
HEAD = 32  # channels of each head's hidden layer
PRIOR = 0.01  # probability of every class at the start of training


def conv(inputs, outputs, kernel=3, stride=1):
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """x + f(x), with a 1x1 squeeze to half the channels before the 3x3."""

    def __init__(self, channels):
        super().__init__()
        hidden = max(16, channels // 2)
        self.squeeze = conv(channels, hidden, kernel=1)
        self.spread = conv(hidden, channels)

    def forward(self, x):
        return x + self.spread(self.squeeze(x))


class PyramidPool(nn.Module):
    """Three chained 5x5 max pools: context of 5, 9 and 13 cells beside the cell itself."""

    def __init__(self, inputs, outputs):
        super().__init__()
        hidden = outputs // 2
        self.reduce = conv(inputs, hidden, kernel=1)
        self.pool = nn.MaxPool2d(5, stride=1, padding=2)
        self.merge = conv(4 * hidden, outputs, kernel=1)

    def forward(self, x):
        a = self.reduce(x)
        b = self.pool(a)
        c = self.pool(b)
        return self.merge(torch.cat([a, b, c, self.pool(c)], 1))


class Head(nn.Module):
    """One level: class logits and logarithms of the four distances, in strides."""

    def __init__(self, classes):
        super().__init__()
        self.class_hidden = conv(NECK, HEAD)
        self.class_out = nn.Conv2d(HEAD, classes, 1)
        self.box_hidden = conv(NECK, HEAD)
        self.box_out = nn.Conv2d(HEAD, 4, 1)
        nn.init.normal_(self.class_out.weight, std=0.01)
        nn.init.constant_(self.class_out.bias, -math.log((1 - PRIOR) / PRIOR))
        nn.init.normal_(self.box_out.weight, std=0.01)
        nn.init.constant_(self.box_out.bias, 0.7)  # boxes of about 4 strides

    def forward(self, x):
        return self.class_out(self.class_hidden(x)), self.box_out(self.box_hidden(x))


class Lookout(nn.Module):
    """Images [N, 3, H, W] in 0..1 -> per stride: logits [N, C, h, w], log distances [N, 4, h, w]."""

    def __init__(self, classes=len(CLASSES)):
        super().__init__()
        stages, inputs = [], 3
        for channels, blocks in zip(STAGES, BLOCKS):
            stages.append(
                nn.Sequential(conv(inputs, channels, stride=2), *(Residual(channels) for _ in range(blocks)))
            )
            inputs = channels
        self.stem = nn.Sequential(stages[0], stages[1])
        self.stage3, self.stage4, self.stage5 = stages[2:]
        self.pool = PyramidPool(STAGES[4], 2 * NECK)
        self.lateral3 = conv(STAGES[2], NECK, kernel=1)
        self.lateral4 = conv(STAGES[3], NECK, kernel=1)
        self.lateral5 = conv(2 * NECK, NECK, kernel=1)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.smooth4, self.smooth3 = conv(NECK, NECK), conv(NECK, NECK)
        self.down4, self.down5 = conv(NECK, NECK, stride=2), conv(NECK, NECK, stride=2)
        self.out4, self.out5 = conv(NECK, NECK), conv(NECK, NECK)
        self.heads = nn.ModuleList(Head(classes) for _ in STRIDES)

    def forward(self, x):
        c3 = self.stage3(self.stem(x))
        c4 = self.stage4(c3)
        p5 = self.lateral5(self.pool(self.stage5(c4)))
        p4 = self.smooth4(self.lateral4(c4) + self.up(p5))
        p3 = self.smooth3(self.lateral3(c3) + self.up(p4))
        p4 = self.out4(p4 + self.down4(p3))
        p5 = self.out5(p5 + self.down5(p4))
        return [head(p) for head, p in zip(self.heads, (p3, p4, p5))]


def anchors(width, height, device=None):
    """Centres [A, 2] of all cells in input pixels, and their strides [A, 1], level by level."""
    points, strides = [], []
    for s in STRIDES:
        xs = (torch.arange(width // s, device=device) + 0.5) * s
        ys = (torch.arange(height // s, device=device) + 0.5) * s
        y, x = torch.meshgrid(ys, xs, indexing="ij")
        points.append(torch.stack([x, y], -1).reshape(-1, 2))
        strides.append(torch.full((points[-1].shape[0], 1), float(s), device=device))
    return torch.cat(points), torch.cat(strides)


def flatten(levels):
    """Outputs of all levels as logits [N, A, C] and log distances [N, A, 4], in float32."""
    logits = torch.cat([c.flatten(2) for c, _ in levels], 2).transpose(1, 2)
    logs = torch.cat([b.flatten(2) for _, b in levels], 2).transpose(1, 2)
    return logits.float(), logs.float()


def corners(logs, points, strides):
    """Log distances [N, A, 4] -> boxes x1, y1, x2, y2 [N, A, 4] in input pixels."""
    left_top, right_bottom = (logs.exp() * strides).split(2, -1)
    return torch.cat([points - left_top, points + right_bottom], -1)


def size(net, width, height):
    """Parameters, and multiply-accumulates of all convolutions for one `width` x `height` image."""
    macs = 0

    def count(module, _inputs, output):
        nonlocal macs
        macs += output.shape[2] * output.shape[3] * module.weight.numel()

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d)]
    training = net.training
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, height, width, device=next(net.parameters()).device))
    net.train(training)
    for hook in hooks:
        hook.remove()
    return sum(p.numel() for p in net.parameters()), macs
