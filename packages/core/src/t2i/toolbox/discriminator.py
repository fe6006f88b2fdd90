"""The discriminator that StackGAN, StackGAN++ and AttnGAN have for every picture they draw (v1 fig. 2, v2 fig. 3)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate, pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from t2i.toolbox.convolutions import DeepConv
from t2i.toolbox.initial_weights import normal_init, orthogonal_init

SIDE = 4  # height and width in pixels where the text is added
TOP = 8  # maximum width where the text is added, as a multiple of the first width


class StageDiscriminator(nn.Module):
    """Pictures to a logit for picture and condition together, and one for the picture alone.

    Convolutions halve the resolution down to 4 pixels and double the width; further ones reduce the width to 8 times
    the first.
    """

    def __init__(
        self, resolution: int, condition_dim: int, width: int, *, spectral: bool, unconditional: bool, orthogonal: bool
    ) -> None:
        """
        Args:
            resolution: height and width in pixels, 4 times a power of two above 1.
            unconditional: whether there is the second logit (v1's stage I has none).
            orthogonal: v2's initial weights; else v1's.
        """
        super().__init__()
        halvings = (resolution // SIDE).bit_length() - 1
        down = [width * 2**step for step in range(halvings)]
        narrow = [width * 2**step for step in reversed(range(TOP.bit_length() - 1, halvings))]
        top = narrow[-1] if narrow else down[-1]

        def layer(convolution: nn.Conv2d) -> nn.Sequential:
            norm = [] if spectral else [nn.BatchNorm2d(convolution.out_channels)]
            return nn.Sequential(convolution, *norm, nn.LeakyReLU(0.2))

        self.stages = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(3, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)),
                *(layer(nn.Conv2d(*pair, 4, 2, 1, bias=False)) for pair in pairwise(down[:-1])),
                *(layer(DeepConv(*pair, 4, 2, 1, bias=False)) for pair in pairwise(down[-2:])),
                *(layer(_deep3x3(*pair)) for pair in pairwise(narrow)),
            ]
        )
        self.joint = layer(_deep3x3(top + condition_dim, top))
        self.judge = nn.Conv2d(top, 1, SIDE)
        self.judge_picture = nn.Conv2d(top, 1, SIDE) if unconditional else None
        self.apply(orthogonal_init if orthogonal else normal_init)
        if spectral:
            for module in list(self.modules()):
                if isinstance(module, nn.Conv2d):
                    spectral_norm(module)

    def features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The outputs of each layer, finest first."""
        return outputs_of(self.stages, images)

    def logits(self, features: list[Tensor], condition: Float[Tensor, "b c"]) -> Float[Tensor, " b"]:
        """How real the picture is, and how well the condition fits it."""
        top = features[-1]
        planes = condition[:, :, None, None].expand(-1, -1, *top.shape[2:])
        return self.judge(self.joint(torch.cat([top, planes], dim=1))).flatten()

    def picture_logits(self, features: list[Tensor]) -> Float[Tensor, " b"]:
        """How real the picture is, regardless of the text."""
        assert self.judge_picture is not None
        return self.judge_picture(features[-1]).flatten()


def _deep3x3(inputs: int, outputs: int) -> DeepConv:
    return DeepConv(inputs, outputs, 3, padding=1, bias=False)


def tree_discriminators(
    sides: Iterable[int], condition_dim: int, width: int, *, spectral: bool, unconditional: bool
) -> dict[int, StageDiscriminator]:
    """A discriminator for each scale of a tree, by its side in pixels (StackGAN++ sec. 4.1; AttnGAN sec. 3.1)."""
    return {
        side: StageDiscriminator(
            side, condition_dim, width, spectral=spectral, unconditional=unconditional, orthogonal=True
        )
        for side in sides
    }


def outputs_of(stages: Iterable[nn.Module], x: Tensor) -> list[Tensor]:
    """The output of each of `stages`, applied one after the other."""
    return list(accumulate(stages, lambda given, stage: stage(given), initial=x))[1:]
