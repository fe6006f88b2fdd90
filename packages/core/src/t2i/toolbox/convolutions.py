"""Convolutions that compute the same numbers as the standard layers with fewer multiplications."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

FEW = 256  # up to this many pixels per batch, upsampling trains faster than summing the kernel


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """A 3x3 convolution without bias that keeps the height and width."""
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


class DeepConv(nn.Conv2d):
    """A convolution over few pixels, whose weights are larger than what it reads: they stay in the plain memory layout.

    In the layout channels_last, which `train.channels_last` gives to a run's networks, torch reorders the gradient of
    such weights after every backward pass, and the optimiser reorders them again.
    """

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o _ _"]:
        return super().forward(x.contiguous())

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> DeepConv:
        """Called by `to`: its parameters, and those that a parametrization made of them, keep their layout."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for parameter in self.parameters():
            parameter.data = parameter.data.contiguous()
        return self


class UpConv(nn.Module):
    """Nearest-neighbour upsampling to twice the side, then a 3x3 convolution.

    Computed as one transposed convolution whose 4x4 kernel is the sum of the 3x3 kernel's four shifts: the same
    numbers with 4 instead of 9 multiplications per pixel.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = False) -> None:
        super().__init__()
        plain = nn.Conv2d(inputs, outputs, 3, bias=bias)
        self.weight, self.bias = plain.weight, plain.bias  # o i 3 3, o

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h2 w2"]:
        if self.training and x[:, 0].numel() <= FEW:
            return F.conv2d(F.interpolate(x, scale_factor=2), self.weight, self.bias, padding=1)
        return F.conv_transpose2d(x, self.kernel(), self.bias, stride=2, padding=1)

    def for_drawing(self) -> nn.ConvTranspose2d:
        """The same as a plain layer, with its kernel summed once."""
        outputs, inputs = self.weight.shape[:2]
        layer = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
        layer.bias = None if self.bias is None else nn.Parameter(self.bias.detach().clone(), requires_grad=False)
        layer.weight = nn.Parameter(self.kernel().detach().contiguous(), requires_grad=False)
        return layer

    def kernel(self) -> Float[Tensor, "i o 4 4"]:
        """The sum as one matrix product, channels last."""
        outputs, inputs = self.weight.shape[:2]
        flat = self.weight.permute(1, 2, 3, 0).reshape(inputs, 9, outputs)
        return (SHIFTS.to(flat) @ flat).view(inputs, 4, 4, outputs).permute(0, 3, 1, 2)


def _shifts() -> Float[Tensor, "16 9"]:
    """The places of each number of the 3x3 kernel in the transposed 4x4 kernel: one for each of its four shifts."""
    each = torch.eye(9, device="cpu").view(9, 3, 3)
    shifted = [F.pad(each, (x, 1 - x, y, 1 - y)) for x in (0, 1) for y in (0, 1)]
    return torch.stack(shifted).sum(0).flip(1, 2).flatten(1).T.contiguous()


SHIFTS = _shifts()


class JointConv(nn.Module):
    """A 3x3 convolution without bias over features and a condition that is repeated at every pixel.

    The condition's contribution is the same at all inner pixels, so it is computed on 3x3 pixels and expanded: the same
    numbers without a convolution over constant planes.
    """

    bias: nn.Parameter | None

    def __init__(self, condition: int, features: int, outputs: int, condition_first: bool) -> None:
        super().__init__()
        self.weight = conv3x3(condition + features, outputs).weight  # o (c + f, or f + c) 3 3
        self.register_parameter("bias", None)  # set only in a copy for drawing
        self.condition, self.condition_first = condition, condition_first

    def forward(self, condition: Float[Tensor, "b c"], features: Float[Tensor, "b f h w"]) -> Float[Tensor, "b o h w"]:
        """`features` are at least 2 x 2 pixels."""
        start = 0 if self.condition_first else self.weight.shape[1] - self.condition
        rest = self.condition if self.condition_first else 0
        of_condition = self.weight.narrow(1, start, self.condition)
        of_features = self.weight.narrow(1, rest, self.weight.shape[1] - self.condition)
        added = F.conv2d(condition[:, :, None, None].expand(-1, -1, 3, 3), of_condition, self.bias, padding=1)
        for axis in (2, 3):  # first, inner and last pixels
            first, inner, last = added.chunk(3, axis)
            shape = [-1, -1, *inner.shape[2:]]
            shape[axis] = features.shape[axis] - 2
            added = torch.cat([first, inner.expand(shape), last], axis)
        return F.conv2d(features, of_features, padding=1) + added
