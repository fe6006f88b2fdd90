"""DAMSM (Xu et al. 2018, sec. 3.2): how well a picture fits a caption, word by word and as a whole."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from t2i.text import TextEmbedding
from t2i_attngan.config import AttnGANConfig, DAMSMConfig
from t2i_attngan.reader import reader_of

HIDDEN = -1e4  # a similarity that no softmax sees, also in half precision


@dataclass(frozen=True)
class Seen:
    """b pictures as DAMSM sees them.

    Attributes:
        regions: n places each, [b, n, d].
        whole: [b, d].
    """

    regions: Float[Tensor, "b n d"]
    whole: Float[Tensor, "b d"]


class DAMSM(nn.Module):
    """Both sides' trained parts: the reader of words, and projections of a frozen backbone's features."""

    def __init__(self, config: AttnGANConfig) -> None:
        super().__init__()
        self.reader = reader_of(config)
        if config.backbone:
            of_regions, of_whole = config.backbone_channels
            self.regions, self.whole = (nn.Linear(c, config.word_dim) for c in (of_regions, of_whole))

    def see(self, maps: tuple[Float[Tensor, "b r y x"], Float[Tensor, "b c v u"]]) -> Seen:
        """Pictures, given the backbone's last two feature maps."""
        local, last = maps
        return Seen(self.regions(local.flatten(2).transpose(1, 2)), self.whole(last.mean((2, 3))))


def word_similarities(seen: Seen, text: TextEmbedding, config: DAMSMConfig) -> Float[Tensor, "c p"]:
    """R of every caption with every picture (eq. 7 to 10), in units of a cosine.

    Each word mixes the regions it fits; R is a soft maximum over words of the cosine between word and mixture.
    """
    words, regions = text.words, seen.regions  # c l d, p n d
    fits = torch.einsum("cld,pnd->cpln", words, regions)
    fits = fits.masked_fill(~text.mask[:, None, :, None], HIDDEN).softmax(2)  # eq. 8, over the words
    mixed = torch.einsum("cpln,pnd->cpld", (config.gamma1 * fits).softmax(3), regions)  # eq. 9
    cosines = F.cosine_similarity(mixed, words[:, None], dim=3)
    heard = (config.gamma2 * cosines).masked_fill(~text.mask[:, None], -torch.inf)
    return heard.logsumexp(2) / config.gamma2  # eq. 10


def sentence_similarities(seen: Seen, text: TextEmbedding) -> Float[Tensor, "c p"]:
    """The cosine of every caption's sentence with every picture as a whole."""
    return F.normalize(text.sentence, dim=1) @ F.normalize(seen.whole, dim=1).T


def matching_losses(
    seen: Seen, text: TextEmbedding, groups: Int[Tensor, b], config: DAMSMConfig
) -> dict[str, Float[Tensor, ""]]:
    """The four terms of eq. 13: each caption chooses its picture and each picture its caption, by words and sentences.

    Args:
        seen, text: b pictures and their captions, in the same order.
        groups: other pictures of a caption's own group do not count as wrong answers.
    """
    same = (groups[:, None] == groups) & ~torch.eye(len(groups), dtype=torch.bool, device=groups.device)
    terms = {}
    for name, table in {
        "words": word_similarities(seen, text, config),
        "sentence": sentence_similarities(seen, text),
    }.items():
        logits = (config.gamma3 * table.float()).masked_fill(same, -torch.inf)
        terms[f"{name}_to_picture"] = _right(logits)
        terms[f"picture_to_{name}"] = _right(logits.T)
    return terms


def accuracy(table: Float[Tensor, "c p"], groups: Int[Tensor, b]) -> Float[Tensor, ""]:
    """The share of captions that fit their own picture best."""
    same: Bool[Tensor, "b b"] = groups[:, None] == groups
    own = table.diagonal()
    others = table.masked_fill(same, -torch.inf).amax(1)
    return (own > others).float().mean()


def _right(logits: Float[Tensor, "b b"]) -> Float[Tensor, ""]:
    return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
