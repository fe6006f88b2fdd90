"""Plain networks of DF-GAN, from the paper (Tao et al. 2022, fig. 2, 3 and 5), under the released code's names."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fakes.official_stackgan import Holder


def widths_of(width: int, side: int) -> list[int]:
    """The channels double from the full side down to 4 px, up to 8 times the first."""
    return [width * min(2**level, 8) for level in range(side.bit_length() - 2)]


def two_layers(inputs: int, outputs: int) -> Holder:
    return Holder(linear1=nn.Linear(inputs, outputs), linear2=nn.Linear(outputs, outputs))


def fusion(condition: int, channels: int) -> Holder:
    affines = {
        f"affine{n}": Holder(fc_gamma=two_layers(condition, channels), fc_beta=two_layers(condition, channels))
        for n in range(2)
    }
    return Holder(**affines)


def fused(module: nn.Module, x: Tensor, condition: Tensor) -> Tensor:
    for affine in (module.affine0, module.affine1):
        gamma, beta = (each.linear2(F.relu(each.linear1(condition))) for each in (affine.fc_gamma, affine.fc_beta))
        x = F.leaky_relu(x * gamma[:, :, None, None] + beta[:, :, None, None], 0.2)
    return x


class Generator(nn.Module):
    def __init__(self, text: int, z: int, width: int, side: int) -> None:
        super().__init__()
        channels = widths_of(width, side)[::-1]
        self.fc = nn.Linear(z, channels[0] * 16)
        self.GBlocks = nn.ModuleList()
        for inputs, outputs in pairwise(channels):
            block = Holder(
                c1=nn.Conv2d(inputs, outputs, 3, padding=1),
                c2=nn.Conv2d(outputs, outputs, 3, padding=1),
                fuse1=fusion(text + z, inputs),
                fuse2=fusion(text + z, outputs),
            )
            if inputs != outputs:
                block.add_module("c_sc", nn.Conv2d(inputs, outputs, 1))
            self.GBlocks.append(block)
        self.to_rgb = nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(channels[-1], 3, 3, padding=1), nn.Tanh())

    def forward(self, z: Tensor, text: Tensor) -> Tensor:
        condition = torch.cat([z, text], 1)
        x = self.fc(z).view(len(z), -1, 4, 4)
        for block in self.GBlocks:
            x = F.interpolate(x, scale_factor=2)
            h = block.c1(fused(block.fuse1, x, condition))
            h = block.c2(fused(block.fuse2, h, condition))
            x = h + (block.c_sc(x) if hasattr(block, "c_sc") else x)
        return self.to_rgb(x)


class Discriminator(nn.Module):
    """The released netD and netC together."""

    def __init__(self, text: int, width: int, side: int) -> None:
        super().__init__()
        channels = widths_of(width, side)
        self.conv_img = nn.Conv2d(3, width, 3, padding=1)
        self.DBlocks = nn.ModuleList()
        for inputs, outputs in pairwise(channels):
            residual = nn.Sequential(
                nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
                nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.LeakyReLU(0.2),
            )  # fmt: skip
            block = Holder(conv_r=residual, conv_s=nn.Conv2d(inputs, outputs, 1))
            block.register_parameter("gamma", nn.Parameter(torch.zeros(1)))
            self.DBlocks.append(block)
        self.joint_conv = nn.Sequential(
            nn.Conv2d(channels[-1] + text, 2 * width, 3, padding=1, bias=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 4, bias=False),
        )

    def features(self, images: Tensor) -> Tensor:
        x = self.conv_img(images)
        for block in self.DBlocks:
            same = block.conv_s.in_channels == block.conv_s.out_channels
            x = F.avg_pool2d(x if same else block.conv_s(x), 2) + block.gamma * block.conv_r(x)
        return x

    def forward(self, features: Tensor, text: Tensor) -> Tensor:
        planes = text[:, :, None, None].repeat(1, 1, *features.shape[2:])
        return self.joint_conv(torch.cat([features, planes], 1)).flatten()


def moved(network: nn.Module) -> nn.Module:
    """`network` with perturbed parameters: a new generator ignores the text, and a new discriminator only averages."""
    stream = torch.Generator().manual_seed(3)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=stream)
    return network
