"""DiffAugment (Zhao et al. 2020): a discriminator sees real and drawn pictures only after random changes that gradients
pass through, so it memorises a small dataset less easily, and the changes do not leak into what the generator draws."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.toolbox.adversarial import rolled
from t2i.toolbox.game_config import Change, GameConfig

SHIFTED, CUT = 1 / 8, 1 / 2
"""Shares of a picture's side: the largest translation, and the side of the square that is cut out (sec. 4)."""

Apply = Callable[[Tensor], Tensor]


def for_discriminator(config: GameConfig, *images: Float[Tensor, "_ 3 h w"]) -> tuple[Tensor, ...]:
    """All of `images` as discriminators see them: rolled by one offset, then changed picture by picture."""
    return augmented(config.augment, *rolled(config.shift, *images))


def augmented(policy: Sequence[Change], *images: Float[Tensor, "_ 3 h w"]) -> tuple[Tensor, ...]:
    """All of `images`, where picture i of each is changed in the same way.

    Args:
        policy: the kinds of change, made in the paper's order; with none, the pictures are unchanged.
    """
    for change, draw in DRAWS.items():
        if change in policy:
            apply = draw(max(images, key=len))
            images = tuple(apply(each) for each in images)
    return images


def _colour(like: Float[Tensor, "b 3 h w"]) -> Apply:
    """Brightness by up to 0.5 either way, saturation by a factor in [0, 2], contrast by one in [0.5, 1.5]."""
    brightness, saturation, contrast = torch.rand(3, len(like), 1, 1, 1, device=like.device)

    def apply(x: Tensor) -> Tensor:
        b = len(x)
        x = x + brightness[:b] - 0.5
        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * 2 * saturation[:b]
        mean = x.mean((1, 2, 3), keepdim=True)
        return mean + (x - mean) * (contrast[:b] + 0.5)

    return apply


def _translation(like: Float[Tensor, "b 3 h w"]) -> Apply:
    """A shift by up to SHIFTED of the side on each axis; the gap is filled with zeros."""
    b, _, h, w = like.shape
    most = max(1, round(h * SHIFTED)), max(1, round(w * SHIFTED))
    rows, columns = (
        torch.randint(0, 2 * margin + 1, (b, 1), device=like.device) + torch.arange(side, device=like.device)
        for margin, side in zip(most, (h, w), strict=True)
    )  # b h, b w: positions in the padded picture
    which = torch.arange(b, device=like.device)[:, None, None]

    def apply(x: Tensor) -> Tensor:
        n, padded = len(x), F.pad(x, (most[1], most[1], most[0], most[0])).permute(0, 2, 3, 1)  # b y x c
        return padded[which[:n], rows[:n, :, None], columns[:n, None]].permute(0, 3, 1, 2)

    return apply


def _cutout(like: Float[Tensor, "b 3 h w"]) -> Apply:
    """A square of CUT of the side becomes zero; its centre is anywhere in the picture."""
    b, _, h, w = like.shape
    inside = []
    for side in (h, w):
        centre = torch.randint(side, (b, 1), device=like.device)
        offset = torch.arange(side, device=like.device) - centre + round(side * CUT) // 2
        inside.append((offset >= 0) & (offset < round(side * CUT)))
    kept = ~(inside[0][:, None, :, None] & inside[1][:, None, None])  # b 1 h w
    return lambda x: x * kept[: len(x)]


DRAWS: dict[Change, Callable[[Tensor], Apply]] = {"colour": _colour, "translation": _translation, "cutout": _cutout}
