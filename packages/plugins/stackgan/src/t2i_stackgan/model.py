"""The generators' networks: v1's two stages, and v2's tree."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2i.toolbox.conditioning import Condition, ConditioningAugmentation
from t2i.toolbox.convolutions import UpConv, conv3x3
from t2i.toolbox.initial_weights import normal_init, orthogonal_init
from t2i.toolbox.stage_game import enlarged
from t2i.toolbox.stages import Joint, Residual, Trunk, block
from t2i_stackgan.config import StackGANConfig, StackGANv2Config

FAINT = 1e-3  # initial sd of a stage's last layer: its correction is invisible, but gradients pass through it


class StageOne(nn.Module):
    """v1 stage I: maps text and z to a small picture (v1 sec. 3.3)."""

    def __init__(self, config: StackGANConfig) -> None:
        super().__init__()
        self.augmentation = _augmentation(config)
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
        self.augmentation = _augmentation(config)
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
            nn.init.normal_(self.to_rgb.weight, 0, FAINT)  # at first it returns stage I's picture, enlarged

    def forward(
        self, before: Float[Tensor, "b 3 h w"], sentence: Float[Tensor, "b d"], noise: Float[Tensor, "b c"]
    ) -> tuple[Float[Tensor, "b 3 h2 w2"], Condition]:
        """The picture and the condition, given stage I's picture `before`; both pictures are before their tanh."""
        condition = self.augmentation(sentence, noise)
        h = self.joint(condition.drawn, self.encoder(torch.tanh(before)))
        picture = self.to_rgb(self.ups(self.residuals(h)))
        return picture + enlarged(before, self.side) if self.skip else picture, condition


class Tree(nn.Module):
    """v2: features and a picture at the first scale, then a branch for each larger scale (v2 sec. 4.1)."""

    def __init__(self, config: StackGANv2Config) -> None:
        super().__init__()
        scales = (config.widths[-1], *config.branch_widths)
        self.skip = config.skip
        self.augmentation = _augmentation(config)
        self.trunk = Trunk(config.noise_dim + config.condition_dim, config.widths, gated=True)
        self.branches = nn.ModuleList(
            Branch(*pair, blocks, config.condition_dim)
            for pair, blocks in zip(pairwise(scales), config.branch_blocks, strict=True)
        )
        self.to_rgb = nn.ModuleList(conv3x3(width, 3) for width in scales)
        self.apply(orthogonal_init)
        if self.skip:
            for weight in list(self.to_rgb.parameters())[1:]:
                nn.init.normal_(weight, 0, FAINT)  # at first each returns the picture before it, enlarged

    def forward(
        self, sentence: Float[Tensor, "b d"], z: Float[Tensor, "b z"], noise: Float[Tensor, "b c"]
    ) -> tuple[list[Float[Tensor, "b 3 _ _"]], Condition]:
        """A picture in [-1, 1] at each scale, and the condition they were drawn from."""
        condition = self.augmentation(sentence, noise)
        return list(self.pictures(condition, z)), condition

    def pictures(self, condition: Condition, z: Float[Tensor, "b z"]) -> Iterator[Float[Tensor, "b 3 _ _"]]:
        """A picture in [-1, 1] at each scale, as soon as it is drawn."""
        h = self.trunk(torch.cat([condition.drawn, z], dim=1))
        drawn = self.to_rgb[0](h)
        yield torch.tanh(drawn)
        for branch, to_rgb in zip(self.branches, list(self.to_rgb)[1:], strict=True):
            h = branch(h, condition.drawn)
            picture = to_rgb(h)
            drawn = picture + enlarged(drawn, picture.shape[-1]) if self.skip else picture
            yield torch.tanh(drawn)

    def coarsest(
        self, sentence: Float[Tensor, "b d"], z: Float[Tensor, "b z"], noise: Float[Tensor, "b c"]
    ) -> Float[Tensor, "b 3 _ _"]:
        """The picture in [-1, 1] at the first scale alone."""
        condition = self.augmentation(sentence, noise)
        return torch.tanh(self.to_rgb[0](self.trunk(torch.cat([condition.drawn, z], dim=1))))


class Branch(nn.Module):
    """Maps features and the condition to features at twice the resolution."""

    def __init__(self, inputs: int, outputs: int, blocks: int, condition_dim: int) -> None:
        super().__init__()
        self.joint = Joint(condition_dim, inputs, gated=True)
        self.residuals = nn.Sequential(*(Residual(inputs, gated=True) for _ in range(blocks)))
        self.up = block(UpConv, inputs, outputs, gated=True)

    def forward(self, h: Float[Tensor, "b i h w"], condition: Float[Tensor, "b c"]) -> Float[Tensor, "b o h2 w2"]:
        return self.up(self.residuals(self.joint(condition, h)))


def _augmentation(config: StackGANConfig | StackGANv2Config) -> ConditioningAugmentation:
    return ConditioningAugmentation(
        config.text_dim, config.condition_dim, config.augmentation, normalize=config.normalize_text
    )
