"""The building blocks of StackGAN, StackGAN++ and AttnGAN; v1 ends its blocks with ReLU, the later ones with GLU."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import fusion

from t2i.toolbox.convolutions import JointConv, UpConv, conv3x3

BASE = 4  # height and width in pixels of the first feature map


class GLU(nn.Module):
    """The first half of the channels, gated by the second (Dauphin et al. 2017).

    In training it is two operations: the gradient of torch's own GLU is not channels last, which makes a batch norm's
    backward pass eight times slower.
    """

    def forward(self, x: Float[Tensor, "b c2 *hw"]) -> Float[Tensor, "b c *hw"]:
        if not self.training:
            return F.glu(x, 1)
        value, gate = x.chunk(2, dim=1)
        return value * gate.sigmoid()


def block(layer: type[UpConv] | type[nn.Conv2d], inputs: int, outputs: int, gated: bool) -> nn.Sequential:
    """A 3x3 convolution (or UpConv), batch norm, then GLU or ReLU."""
    width = 2 * outputs if gated else outputs
    convolution = UpConv(inputs, width) if layer is UpConv else conv3x3(inputs, width)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), GLU() if gated else nn.ReLU())


class Joint(nn.Module):
    """JointConv, batch norm, then GLU or ReLU."""

    def __init__(self, condition: int, features: int, gated: bool) -> None:
        super().__init__()
        width = 2 * features if gated else features
        self.convolution = JointConv(condition, features, width, condition_first=gated)  # each paper's order
        self.norm: nn.Module = nn.BatchNorm2d(width)
        self.activation = GLU() if gated else nn.ReLU()

    def forward(self, condition: Float[Tensor, "b c"], features: Float[Tensor, "b f h w"]) -> Float[Tensor, "b f h w"]:
        return self.activation(self.norm(self.convolution(condition, features)))

    def for_drawing(self) -> Joint:
        """The same, with its norm folded into the convolution."""
        twin, norm = copy.deepcopy(self), self.norm
        if isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None and norm.running_var is not None
            folded = fusion.fuse_conv_bn_weights(
                self.convolution.weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            twin.convolution.weight, twin.convolution.bias = folded
            twin.norm = nn.Identity()
        return twin


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip; v1 ends with ReLU, the later ones with nothing."""

    def __init__(self, width: int, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        self.body = nn.Sequential(*block(nn.Conv2d, width, width, gated), conv3x3(width, width), nn.BatchNorm2d(width))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        x = x + self.body(x)
        return x if self.gated else F.relu(x)


class Trunk(nn.Module):
    """A vector to features at 4, 8, 16, ... pixels; returns the last."""

    def __init__(self, inputs: int, widths: tuple[int, ...], gated: bool) -> None:
        super().__init__()
        start = widths[0] * BASE**2 * (2 if gated else 1)
        self.start = nn.Sequential(
            nn.Linear(inputs, start, bias=False), nn.BatchNorm1d(start), GLU() if gated else nn.ReLU()
        )
        self.ups = nn.Sequential(*(block(UpConv, inputs, outputs, gated) for inputs, outputs in pairwise(widths)))

    def forward(self, x: Float[Tensor, "b i"]) -> Float[Tensor, "b o h w"]:
        x = self.start(x).unflatten(1, (-1, BASE, BASE)).contiguous(memory_format=torch.channels_last)
        return self.ups(x)
