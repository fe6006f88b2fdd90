"""The tree of generators whose further scales attend to the caption's words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from t2i.text import TextEmbedding
from t2i.toolbox.conditioning import Condition, ConditioningAugmentation
from t2i.toolbox.convolutions import UpConv
from t2i.toolbox.initial_weights import orthogonal_init
from t2i.toolbox.stage_game import enlarged
from t2i.toolbox.stages import Residual, Trunk, block
from t2i_attngan.config import AttnGANConfig

FAINT = 1e-3  # initial sd of a further scale's last layer: its correction is invisible, but gradients pass through it


class Grown(NamedTuple):
    """What the tree draws for b captions.

    Attributes:
        pictures: in [-1, 1], one at each scale, smallest first.
        condition: what the pictures were drawn from.
        features: those that each further scale attends with, to be given to `Attention.maps`.
    """

    pictures: list[Float[Tensor, "b 3 _ _"]]
    condition: Condition
    features: list[Float[Tensor, "b c y x"]]


class Tree(nn.Module):
    """Features and a picture at the first scale, then a branch for each larger scale (sec. 3.1, fig. 2)."""

    def __init__(self, config: AttnGANConfig) -> None:
        super().__init__()
        scales = (config.widths[-1], *config.branch_widths)
        self.skip = config.skip
        self.augmentation = ConditioningAugmentation(
            config.word_dim, config.condition_dim, "glu", normalize=config.normalize_text
        )
        self.trunk = Trunk(config.condition_dim + config.noise_dim, config.widths, gated=True)
        self.branches = nn.ModuleList(
            Branch(*pair, blocks, config.word_dim)
            for pair, blocks in zip(pairwise(scales), config.branch_blocks, strict=True)
        )
        self.to_rgb = nn.ModuleList(nn.Conv2d(c, 3 * config.patch**2, 3, padding=1, bias=False) for c in scales)
        self.shuffle = nn.PixelShuffle(config.patch)
        self.apply(orthogonal_init)
        if self.skip:
            for weight in list(self.to_rgb.parameters())[1:]:
                nn.init.normal_(weight, 0, FAINT)  # at first each returns the picture before it, enlarged

    def forward(
        self,
        text: TextEmbedding,
        z: Float[Tensor, "b z"],
        noise: Float[Tensor, "b c"],
        *,
        legacy_mask: bool = False,
    ) -> Grown:
        """
        Args:
            text: as DAMSM's reader returns it.
            z, noise: standard normal, perhaps scaled.
            legacy_mask: see `Attention`.
        """
        condition = self.augmentation(text.sentence, noise)
        pictures, features = zip(*self.scales(text, condition, z, legacy_mask=legacy_mask), strict=True)
        return Grown(list(pictures), condition, list(features[:-1]))

    def coarsest(
        self, text: TextEmbedding, z: Float[Tensor, "b z"], noise: Float[Tensor, "b c"]
    ) -> Float[Tensor, "b 3 _ _"]:
        """The first scale's picture alone, in [-1, 1]; the others are not computed."""
        condition = self.augmentation(text.sentence, noise)
        return next(self.scales(text, condition, z, legacy_mask=False))[0]

    def scales(
        self, text: TextEmbedding, condition: Condition, z: Float[Tensor, "b z"], *, legacy_mask: bool
    ) -> Iterator[tuple[Float[Tensor, "b 3 _ _"], Float[Tensor, "b c y x"]]]:
        """At each scale the picture in [-1, 1] and its features, as soon as they are drawn."""
        h = self.trunk(torch.cat([condition.drawn, z], dim=1))
        drawn = self.shuffle(self.to_rgb[0](h))
        yield torch.tanh(drawn), h
        for branch, to_rgb in zip(self.branches, list(self.to_rgb)[1:], strict=True):
            h = branch(h, text, legacy_mask)
            picture = self.shuffle(to_rgb(h))
            drawn = picture + enlarged(drawn, picture.shape[-1]) if self.skip else picture
            yield torch.tanh(drawn), h


class Branch(nn.Module):
    """Features and the words they attend to become features at twice the side (eq. 1)."""

    def __init__(self, inputs: int, outputs: int, blocks: int, word_dim: int) -> None:
        super().__init__()
        self.attention = Attention(inputs, word_dim)
        self.residuals = nn.Sequential(*(Residual(2 * inputs, gated=True) for _ in range(blocks)))
        self.up = block(UpConv, 2 * inputs, outputs, gated=True)

    def forward(
        self, h: Float[Tensor, "b i y x"], text: TextEmbedding, legacy_mask: bool
    ) -> Float[Tensor, "b o y2 x2"]:
        joined = torch.cat([h, self.attention(h, text, legacy_mask)], dim=1)
        return self.up(self.residuals(joined.contiguous(memory_format=torch.channels_last)))


class Attention(nn.Module):
    """For each place a mixture of the words, weighted by how well its features fit each word (eq. 2)."""

    def __init__(self, features: int, word_dim: int) -> None:
        super().__init__()
        self.context = nn.Linear(word_dim, features, bias=False)  # U of eq. 2

    def forward(
        self, h: Float[Tensor, "b c y x"], text: TextEmbedding, legacy_mask: bool = False
    ) -> Float[Tensor, "b c y x"]:
        """
        Args:
            legacy_mask: place q of caption i takes the mask of caption (i y x + q) mod b, as in the released code.
        """
        words, places = self.context(text.words)[:, None], h.flatten(2).transpose(1, 2)[:, None]  # b 1 l c, b 1 n c
        seen = seen_words(text.mask, places.shape[2], legacy_mask)
        mixed = F.scaled_dot_product_attention(places, words, words, attn_mask=seen, scale=1.0)
        return mixed[:, 0].transpose(1, 2).reshape(h.shape)

    def maps(
        self, h: Float[Tensor, "b c y x"], text: TextEmbedding, legacy_mask: bool = False
    ) -> Float[Tensor, "b l y x"]:
        """The weights alone; those of a place sum to 1."""
        logits = torch.einsum("bcyx,blc->byxl", h, self.context(text.words))
        seen = seen_words(text.mask, h[0, 0].numel(), legacy_mask).reshape(logits.shape)
        return logits.masked_fill(~seen, -torch.inf).softmax(3).permute(0, 3, 1, 2)


def seen_words(mask: Bool[Tensor, "b l"], places: int, legacy: bool) -> Bool[Tensor, "b 1 _ l"]:
    """Which words each place may attend to; with `legacy`, another caption's, as released (its issue 93)."""
    if not legacy:
        return mask[:, None, None].expand(-1, -1, places, -1)
    rows = torch.arange(len(mask) * places, device=mask.device) % len(mask)
    return mask[rows].view(len(mask), 1, places, -1)
