"""Our own networks: a generator of text-modulated residual blocks, and a spectrally normalised discriminator."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from t2i.toolbox.discriminator import outputs_of
from t2i.toolbox.modulation import modulated
from t2i.toolbox.sentences import rms_normalised
from t2i_cgan.config import CGANConfig

GROUPS = 8
BASE = 4  # pixels per side at the generator's first block


class ModulatedGenerator(nn.Module):
    """Sentence and z become one condition, from which the features at 4x4 are computed and which modulates every block.

    The last upsampling is sub-pixel, so no wide layer runs at the full resolution.
    """

    def __init__(self, config: CGANConfig) -> None:
        super().__init__()
        widths, condition = config.widths, config.condition_dim
        self.condition = nn.Sequential(
            nn.Linear(config.text_dim + config.noise_dim, config.hidden_dim),
            nn.LeakyReLU(0.2),
            nn.Linear(config.hidden_dim, condition),
            nn.LeakyReLU(0.2),
        )
        self.start = nn.Linear(condition, widths[0] * BASE**2)
        self.blocks = nn.ModuleList(UpBlock(inputs, outputs, condition) for inputs, outputs in pairwise(widths))
        self.norm = nn.GroupNorm(GROUPS, widths[-1])
        self.to_rgb = nn.Conv2d(widths[-1], 3 * config.pixel_shuffle**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(config.pixel_shuffle)
        with torch.no_grad():  # equal sub-pixels at first, against checkerboard artefacts (ICNR, Aitken 2017)
            self.to_rgb.weight.copy_(
                self.to_rgb.weight[:: config.pixel_shuffle**2].repeat_interleave(config.pixel_shuffle**2, 0)
            )

    def forward(self, sentence: Float[Tensor, "b d"], z: Float[Tensor, "b z"]) -> Float[Tensor, "b 3 h w"]:
        condition = self.condition(torch.cat([rms_normalised(sentence), 0.1 * z], dim=1))
        x = self.start(condition).unflatten(1, (-1, BASE, BASE)).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, condition)
        return torch.tanh(self.shuffle(self.to_rgb(F.leaky_relu(self.norm(x), 0.2))))


class UpBlock(nn.Module):
    """Residual block that doubles the resolution; the condition gives scale and shift of each group norm."""

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.modulate1, self.modulate2 = nn.Linear(condition, 2 * inputs), nn.Linear(condition, 2 * outputs)
        self.conv1, self.conv2 = (
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.conv1(modulated(x, self.modulate1(condition), GROUPS))
        h = F.interpolate(h, scale_factor=2)  # after the convolution: four times cheaper than before it
        h = self.conv2(modulated(h, self.modulate2(condition), GROUPS))
        return F.interpolate(self.skip(x), scale_factor=2) + h


class Discriminator(nn.Module):
    """Maps picture and sentence to one logit; the text is added at the end (Reed et al. 2016, fig. 2)."""

    def __init__(self, resolution: int, text_dim: int, widths: tuple[int, ...], *, spectral: bool) -> None:
        super().__init__()
        width, joined = widths[-1], 128
        side = resolution // 2 ** len(widths)
        self.stages = nn.ModuleList(
            [
                nn.Conv2d(3, widths[0], 4, 2, 1),
                *(DownBlock(inputs, outputs) for inputs, outputs in pairwise(widths)),
            ]
        )
        self.text = nn.Linear(text_dim, joined)
        self.joint = nn.Conv2d(width + joined, width, 1)
        self.judge = nn.Conv2d(width, 1, side)
        if spectral:
            for module in list(self.modules()):
                if isinstance(module, nn.Conv2d | nn.Linear):
                    spectral_norm(module)

    def features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The output of each stage, finest first."""
        return outputs_of(self.stages, images)

    def logits(self, features: list[Tensor], sentence: Float[Tensor, "b d"]) -> Float[Tensor, b]:
        """How real the picture is, and how well the sentence fits it."""
        top = F.leaky_relu(features[-1], 0.2)
        text = self.text(rms_normalised(sentence))[:, :, None, None].expand(-1, -1, *top.shape[2:])
        return self.judge(F.leaky_relu(self.joint(torch.cat([top, text], dim=1)), 0.2)).flatten()


class DownBlock(nn.Module):
    """Residual block that halves the resolution by averaging."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inputs, 3, padding=1)
        self.conv2 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv2(F.leaky_relu(self.conv1(F.leaky_relu(x, 0.2)), 0.2))
        return F.avg_pool2d(self.skip(x) + h, 2)
