"""A generator that fuses noise and text into every block, and a discriminator that adds the text at the end."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from t2i.toolbox.convolutions import JointConv, UpConv
from t2i.toolbox.discriminator import outputs_of
from t2i_dfgan.config import BASE, DFGANConfig


class FusionGenerator(nn.Module):
    """z becomes 4x4 features; each block upsamples them and fuses the condition, z and the sentence (fig. 2)."""

    def __init__(self, config: DFGANConfig) -> None:
        super().__init__()
        widths, condition = config.widths, config.noise_dim + config.text_dim
        self.fc = nn.Linear(config.noise_dim, widths[0] * BASE**2)
        self.blocks = nn.ModuleList(UpBlock(*pair, condition, config.normalize_features) for pair in pairwise(widths))
        self.norm = PixelNorm() if config.normalize_features else nn.Identity()
        self.to_rgb = nn.Conv2d(widths[-1], 3 * config.patch**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(config.patch)

    def forward(self, z: Float[Tensor, "b z"], sentence: Float[Tensor, "b d"]) -> Float[Tensor, "b 3 h w"]:
        condition = torch.cat([z, sentence], dim=1)
        x = self.fc(z).unflatten(1, (-1, BASE, BASE)).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, condition)
        return torch.tanh(self.shuffle(self.to_rgb(F.leaky_relu(self.norm(x), 0.2))))


class UpBlock(nn.Module):
    """Doubles the side: a residual of two fusions, each before a convolution (fig. 3b).

    The paper upsamples first. Norms, scales, shifts, activations and 1x1 convolutions treat each pixel alone, so they
    may come before upsampling: the same numbers from a quarter of the pixels.
    """

    def __init__(self, inputs: int, outputs: int, condition: int, normalize: bool) -> None:
        super().__init__()
        self.fuse1, self.fuse2 = Fusion(condition, inputs, normalize), Fusion(condition, outputs, normalize)
        self.conv1 = UpConv(inputs, outputs, bias=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Float[Tensor, "b i h w"], condition: Float[Tensor, "b c"]) -> Float[Tensor, "b o h2 w2"]:
        h = self.conv1(self.fuse1(x, condition))
        h = self.conv2(self.fuse2(h, condition))
        return F.interpolate(self.skip(x), scale_factor=2) + h


class Fusion(nn.Module):
    """Deep fusion: scale and shift each channel by the condition, then a leaky ReLU, and both again (fig. 3c)."""

    def __init__(self, condition: int, channels: int, normalize: bool) -> None:
        super().__init__()
        self.norm = PixelNorm() if normalize else nn.Identity()
        self.affines = nn.ModuleList(Affine(condition, channels) for _ in range(2))

    def forward(self, x: Float[Tensor, "b i h w"], condition: Float[Tensor, "b c"]) -> Float[Tensor, "b i h w"]:
        x = self.norm(x)
        for affine in self.affines:
            x = F.leaky_relu(affine(x, condition), 0.2, inplace=True)
        return x


class PixelNorm(nn.Module):
    """Each pixel's channels at root mean square 1."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4)


class Affine(nn.Module):
    """A scale and a shift per channel, each by a network of one hidden layer; at first 1 and 0 (eq. 3 and 4)."""

    def __init__(self, condition: int, channels: int) -> None:
        super().__init__()
        self.gamma, self.beta = (
            nn.Sequential(nn.Linear(condition, channels), nn.ReLU(), nn.Linear(channels, channels)) for _ in range(2)
        )
        for network, start in ((self.gamma, 1.0), (self.beta, 0.0)):
            last = network[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.constant_(last.bias, start)

    def forward(self, x: Float[Tensor, "b i h w"], condition: Float[Tensor, "b c"]) -> Float[Tensor, "b i h w"]:
        gamma, beta = (network(condition)[:, :, None, None] for network in (self.gamma, self.beta))
        return torch.addcmul(beta, x, gamma)


class Discriminator(nn.Module):
    """One-way output: picture and sentence together give one logit (fig. 5b)."""

    def __init__(
        self, text_dim: int, patch: int, widths: tuple[int, ...], joint_width: int, *, spectral: bool = False
    ) -> None:
        """
        Args:
            widths: channels at the picture's side (in patches), half of it, ... down to 4.
        """
        super().__init__()
        start = nn.Sequential(nn.PixelUnshuffle(patch), nn.Conv2d(3 * patch**2, widths[0], 3, padding=1))
        self.stages = nn.ModuleList([start, *(DownBlock(*pair) for pair in pairwise(widths))])
        self.joint = JointConv(text_dim, widths[-1], joint_width, condition_first=False)
        self.judge = nn.Conv2d(joint_width, 1, BASE, bias=False)
        if spectral:
            for module in list(self.modules()):
                if isinstance(module, nn.Conv2d | JointConv):
                    spectral_norm(module)

    def features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The output of each stage, finest first."""
        return outputs_of(self.stages, images)

    def logits(self, features: list[Tensor], condition: Float[Tensor, "b d"]) -> Float[Tensor, " b"]:
        """How real the picture is, and how well the sentence fits it."""
        return self.judge(F.leaky_relu(self.joint(condition, features[-1]), 0.2)).flatten()


class DownBlock(nn.Module):
    """Halves the side: averages, plus a residual whose weight starts at 0."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.LeakyReLU(0.2),
        )
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h2 w2"]:
        return torch.addcmul(self.skip(F.avg_pool2d(x, 2)), self.gamma, self.residual(x))
