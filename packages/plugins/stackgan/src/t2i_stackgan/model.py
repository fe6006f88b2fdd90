"""The generators' networks, both out of the same few blocks; v1 ends its blocks with ReLU, v2 with GLU."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import fusion

from t2i_stackgan.config import StackGANConfig, StackGANv2Config

BASE = 4  # pixels a side where the picture begins
FAINT = 1e-3  # initial sd of a stage's correction: not seen, but gradients reach what is behind it


class Condition(NamedTuple):
    """What a text becomes: a Gaussian, and one draw from it."""

    drawn: Float[Tensor, "b c"]
    mu: Float[Tensor, "b c"]
    logvar: Float[Tensor, "b c"]


class ConditioningAugmentation(nn.Module):
    """Text to N(mu, sigma^2); what is drawn from it conditions the picture (v1 sec. 3.2)."""

    def __init__(self, config: StackGANConfig | StackGANv2Config) -> None:
        super().__init__()
        self.normalize, self.activation = config.normalize_text, config.augmentation
        width = 2 * config.condition_dim
        self.fc = nn.Linear(config.text_dim, 2 * width if self.activation == "glu" else width)

    def forward(self, sentence: Float[Tensor, "b d"], noise: Float[Tensor, "b c"]) -> Condition:
        """`noise` is standard normal, perhaps scaled."""
        mu, logvar = self.gaussian(sentence)
        return Condition(mu + noise * (0.5 * logvar).exp(), mu, logvar)

    def gaussian(self, sentence: Float[Tensor, "b d"]) -> tuple[Float[Tensor, "b c"], Float[Tensor, "b c"]]:
        """mu and log sigma^2."""
        if self.normalize:
            sentence = F.normalize(sentence, dim=1) * sentence.shape[1] ** 0.5
        mu, logvar = self._activated(self.fc(sentence)).chunk(2, dim=1)
        return mu, logvar

    def _activated(self, x: Tensor) -> Tensor:
        match self.activation:
            case "glu":
                return F.glu(x)
            case "relu":
                return F.relu(x)
            case _:
                return x


class UpConv(nn.Module):
    """Nearest-neighbour upsampling to twice the side, then a 3x3 convolution without bias.

    Computed as one transposed convolution whose 4x4 kernel is the sum of the 3x3 kernel's four shifts: the same
    numbers with 4 instead of 9 products per pixel.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Conv2d(inputs, outputs, 3, bias=False).weight  # o i 3 3

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h2 w2"]:
        return F.conv_transpose2d(x, self.kernel(), stride=2, padding=1)

    def for_drawing(self) -> nn.ConvTranspose2d:
        """The same as a plain layer, its kernel summed once."""
        outputs, inputs = self.weight.shape[:2]
        layer = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1, bias=False)
        layer.weight = nn.Parameter(self.kernel().detach().contiguous(), requires_grad=False)
        return layer

    def kernel(self) -> Float[Tensor, "i o 4 4"]:
        shifts = [F.pad(self.weight, (x, 1 - x, y, 1 - y)) for x in (0, 1) for y in (0, 1)]
        return torch.stack(shifts).sum(0).flip(2, 3).transpose(0, 1)


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def block(layer: type[UpConv] | type[nn.Conv2d], inputs: int, outputs: int, gated: bool) -> nn.Sequential:
    """A 3x3 convolution (or UpConv), batch norm, then GLU or ReLU."""
    width = 2 * outputs if gated else outputs
    convolution = UpConv(inputs, width) if layer is UpConv else conv3x3(inputs, width)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.GLU(1) if gated else nn.ReLU())


class JointConv(nn.Module):
    """A 3x3 convolution without bias over features and a condition that stands at every pixel.

    What the condition adds is one vector at all inner pixels, so it is computed on 3x3 pixels and spread: the same
    numbers without a convolution over planes of constants.
    """

    bias: nn.Parameter | None

    def __init__(self, condition: int, features: int, outputs: int, condition_first: bool) -> None:
        super().__init__()
        self.weight = nn.Conv2d(condition + features, outputs, 3, bias=False).weight  # o (c + f, or f + c) 3 3
        self.register_parameter("bias", None)  # of a twin for drawing
        self.condition, self.condition_first = condition, condition_first

    def forward(self, condition: Float[Tensor, "b c"], features: Float[Tensor, "b f h w"]) -> Float[Tensor, "b o h w"]:
        """`features` are at least 2 pixels a side."""
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


class Joint(nn.Module):
    """JointConv, batch norm, then GLU or ReLU."""

    def __init__(self, condition: int, features: int, gated: bool) -> None:
        super().__init__()
        width = 2 * features if gated else features
        self.convolution = JointConv(condition, features, width, condition_first=gated)  # each paper's order
        self.norm: nn.Module = nn.BatchNorm2d(width)
        self.activation = nn.GLU(1) if gated else nn.ReLU()

    def forward(self, condition: Float[Tensor, "b c"], features: Float[Tensor, "b f h w"]) -> Float[Tensor, "b f h w"]:
        return self.activation(self.norm(self.convolution(condition, features)))

    def for_drawing(self) -> Joint:
        """The same, its norm folded into the convolution."""
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
    """Two 3x3 convolutions around a skip; v1 ends with ReLU, v2 with nothing."""

    def __init__(self, width: int, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        self.body = nn.Sequential(*block(nn.Conv2d, width, width, gated), conv3x3(width, width), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.body(x)
        return x if self.gated else F.relu(x)


class Trunk(nn.Module):
    """A vector to features at 4, 8, 16, ... pixels, the last of which it gives."""

    def __init__(self, inputs: int, widths: tuple[int, ...], gated: bool) -> None:
        super().__init__()
        start = widths[0] * BASE**2 * (2 if gated else 1)
        self.start = nn.Sequential(
            nn.Linear(inputs, start, bias=False), nn.BatchNorm1d(start), nn.GLU(1) if gated else nn.ReLU()
        )
        self.ups = nn.Sequential(*(block(UpConv, inputs, outputs, gated) for inputs, outputs in pairwise(widths)))

    def forward(self, x: Float[Tensor, "b i"]) -> Float[Tensor, "b o h w"]:
        x = self.start(x).unflatten(1, (-1, BASE, BASE)).contiguous(memory_format=torch.channels_last)
        return self.ups(x)


class StageOne(nn.Module):
    """v1 stage I: text and z to a small picture (v1 sec. 3.3)."""

    def __init__(self, config: StackGANConfig) -> None:
        super().__init__()
        self.augmentation = ConditioningAugmentation(config)
        self.trunk = Trunk(config.noise_dim + config.condition_dim, config.widths, gated=False)
        self.to_rgb = conv3x3(config.widths[-1], 3)
        self.apply(normal_init)

    def forward(
        self, sentence: Float[Tensor, "b d"], z: Float[Tensor, "b z"], noise: Float[Tensor, "b c"]
    ) -> tuple[Float[Tensor, "b 3 h w"], Condition]:
        """The picture before its tanh, and the condition it was drawn from."""
        condition = self.augmentation(sentence, noise)
        return self.to_rgb(self.trunk(torch.cat([z, condition.drawn], dim=1))), condition


class StageTwo(nn.Module):
    """v1 stage II: reads stage I's picture and the text again, and draws it larger (v1 sec. 3.4)."""

    def __init__(self, config: StackGANConfig) -> None:
        super().__init__()
        down, up, condition = config.encoder_widths, config.decoder_widths, config.condition_dim
        self.augmentation = ConditioningAugmentation(config)
        self.encoder = nn.Sequential(
            nn.Sequential(conv3x3(3, down[0]), nn.ReLU()),
            *(
                nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
                for inputs, outputs in pairwise(down)
            ),
        )
        self.joint = Joint(condition, down[-1], gated=False)
        self.residuals = nn.Sequential(*(Residual(down[-1], gated=False) for _ in range(config.residual_blocks)))
        self.ups = nn.Sequential(*(block(UpConv, *pair, gated=False) for pair in pairwise((down[-1], *up))))
        self.to_rgb = conv3x3(up[-1], 3)
        self.side, self.skip = config.resolutions[1], config.skip
        self.apply(normal_init)
        if self.skip:
            nn.init.normal_(self.to_rgb.weight, 0, FAINT)  # it begins as stage I, enlarged

    def forward(
        self, before: Float[Tensor, "b 3 h w"], sentence: Float[Tensor, "b d"], noise: Float[Tensor, "b c"]
    ) -> tuple[Float[Tensor, "b 3 h2 w2"], Condition]:
        """The picture before its tanh, given stage I's before its own; and the condition."""
        condition = self.augmentation(sentence, noise)
        h = self.joint(condition.drawn, self.encoder(torch.tanh(before)))
        picture = self.to_rgb(self.ups(self.residuals(h)))
        return picture + enlarged(before, self.side) if self.skip else picture, condition


class Tree(nn.Module):
    """v2: features and a picture at the first scale, then a branch for each larger one (v2 sec. 4.1)."""

    def __init__(self, config: StackGANv2Config) -> None:
        super().__init__()
        scales = (config.widths[-1], *config.branch_widths)
        self.skip = config.skip
        self.augmentation = ConditioningAugmentation(config)
        self.trunk = Trunk(config.noise_dim + config.condition_dim, config.widths, gated=True)
        self.branches = nn.ModuleList(Branch(*pair, config) for pair in pairwise(scales))
        self.to_rgb = nn.ModuleList(conv3x3(width, 3) for width in scales)
        self.apply(orthogonal_init)
        if self.skip:
            for weight in list(self.to_rgb.parameters())[1:]:
                nn.init.normal_(weight, 0, FAINT)  # each begins as the one before it, enlarged

    def forward(
        self, sentence: Float[Tensor, "b d"], z: Float[Tensor, "b z"], noise: Float[Tensor, "b c"]
    ) -> tuple[list[Float[Tensor, "b 3 _ _"]], Condition]:
        """A picture at each scale, in [-1, 1], and the condition they were drawn from."""
        condition = self.augmentation(sentence, noise)
        h = self.trunk(torch.cat([condition.drawn, z], dim=1))
        drawn = [self.to_rgb[0](h)]
        for branch, to_rgb in zip(self.branches, list(self.to_rgb)[1:], strict=True):
            h = branch(h, condition.drawn)
            picture = to_rgb(h)
            drawn.append(picture + enlarged(drawn[-1], picture.shape[-1]) if self.skip else picture)
        return [torch.tanh(picture) for picture in drawn], condition


class Branch(nn.Module):
    """Features and the condition to features at twice the side."""

    def __init__(self, inputs: int, outputs: int, config: StackGANv2Config) -> None:
        super().__init__()
        self.joint = Joint(config.condition_dim, inputs, gated=True)
        self.residuals = nn.Sequential(*(Residual(inputs, gated=True) for _ in range(config.residual_blocks)))
        self.up = block(UpConv, inputs, outputs, gated=True)

    def forward(self, h: Float[Tensor, "b i h w"], condition: Float[Tensor, "b c"]) -> Float[Tensor, "b o h2 w2"]:
        return self.up(self.residuals(self.joint(condition, h)))


def enlarged(picture: Float[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 s s"]:
    """The picture at `side` pixels, bilinear."""
    return F.interpolate(picture, size=(side, side), mode="bilinear")


def normal_init(module: nn.Module) -> None:
    """N(0, .02), as DCGAN and v1."""
    if isinstance(module, nn.Conv2d | nn.Linear | UpConv | JointConv):
        nn.init.normal_(module.weight, 0, 0.02)
    _other_init(module)


def orthogonal_init(module: nn.Module) -> None:
    """Orthogonal, as v2's released code."""
    if isinstance(module, nn.Conv2d | nn.Linear | UpConv | JointConv):
        nn.init.orthogonal_(module.weight)
    _other_init(module)


def _other_init(module: nn.Module) -> None:
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
