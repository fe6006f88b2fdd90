"""A transformer over patches that predicts a picture from a noisy one, its share of noise and a caption."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from t2i.text import TextEmbedding
from t2i_flow.config import FlowConfig

FREQUENCIES = 256  # width of the embedding of t
LONGEST_PERIOD = 10_000.0
LEAST_LENGTH = 1e-6  # of a query or key, which is divided by it
MULTIPLE = 16  # of the number of keys: attention is a fifth slower with a few more


@dataclass(frozen=True)
class Reading:
    """b captions as the blocks see them, in s slots; the first one is not a word and is always seen, the last ones may
    be empty.

    Attributes:
        sentence: [b, d], added to the embedding of t, which modulates every block.
        words: for each block the slots' keys and values, [b, 2, h, s, e].
        mask: [b, s], True where a slot is seen.
    """

    sentence: Float[Tensor, "b d"]
    words: list[Float[Tensor, "b 2 h s e"]]
    mask: Bool[Tensor, "b s"]

    def __getitem__(self, index: slice) -> Reading:
        """The captions at `index`, still as a batch."""
        return Reading(self.sentence[index], [words[index] for words in self.words], self.mask[index])


class Denoiser(nn.Module):
    """JiT (Li and He 2025): predicts the clean picture from large noisy patches; or clean latents from noisy ones."""

    def __init__(self, config: FlowConfig, channels: int = 3, pixels: int | None = None) -> None:
        """
        Args:
            channels, pixels: of what is drawn, and per side: those of pictures by default.
        """
        super().__init__()
        d, values = config.dim, channels * config.patch**2
        self.patch, self.side = config.patch, (pixels or config.resolution) // config.patch
        self.embed = nn.Sequential(nn.Linear(values, config.bottleneck, bias=False), nn.Linear(config.bottleneck, d))
        self.time = nn.Sequential(nn.Linear(FREQUENCIES, d), nn.SiLU(), nn.Linear(d, d))
        self.sentence = nn.Sequential(nn.Linear(config.text_dim, d), nn.SiLU(), nn.Linear(d, d))
        self.no_sentence, self.no_word = (nn.Parameter(torch.empty(config.text_dim)) for _ in range(2))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.modulation = nn.Linear(d, 2 * d)
        self.out = nn.Linear(d, values)
        self._init()

    def read(self, text: TextEmbedding, dropped: Bool[Tensor, b]) -> Reading:
        """The captions as the blocks see them; where `dropped`, no text. Does not depend on t."""
        sentence = torch.where(dropped[:, None], self.no_sentence, _rms_normalised(text.sentence))
        empty = -(1 + text.words.shape[1] + self.side**2) % MULTIPLE
        words = F.pad(_rms_normalised(text.words), (0, 0, 0, empty))
        mask = F.pad(text.mask & ~dropped[:, None], (0, empty), value=False)
        return Reading(
            sentence=self.sentence(sentence),
            words=[cast(Block, block).read(words, self.no_word) for block in self.blocks],
            mask=F.pad(mask, (1, 0), value=True),
        )

    def forward(
        self, noisy: Float[Tensor, "b c h w"], t: Float[Tensor, b], reading: Reading
    ) -> Float[Tensor, "b c h w"]:
        """The predicted pictures or latents; the share t of `noisy` is noise."""
        x = F.pixel_unshuffle(noisy, self.patch).flatten(2).transpose(1, 2)  # b n values
        x = self.embed(x) + places(self.side, self.modulation.in_features).to(x)
        condition = F.silu(self.time(waves(1000 * t, FREQUENCIES)) + reading.sentence)
        seen = F.pad(reading.mask, (0, x.shape[1]), value=True)[:, None, None]  # b 1 1 s+n
        for block, words in zip(self.blocks, reading.words, strict=True):
            x = block(x, condition, words, seen)
        x = self.out(_modulated(x, *self.modulation(condition)[:, None].chunk(2, dim=2)))
        return F.pixel_shuffle(x.transpose(1, 2).unflatten(2, (self.side, self.side)), self.patch)

    def _init(self) -> None:
        """Xavier; every block begins as the identity, and the prediction as grey (adaLN-zero, Peebles and Xie 2023)."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for parameter in (self.no_sentence, self.no_word):
            nn.init.normal_(parameter, 0, 0.02)
        for layer in (self.modulation, self.out, *(cast(Block, block).modulation for block in self.blocks)):
            nn.init.zeros_(layer.weight)


class Block(nn.Module):
    """Attention over tokens and words, then a SwiGLU; the time and the sentence scale, shift and gate both."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        d, hidden = config.dim, config.hidden_dim
        self.heads = config.heads
        self.qkv, self.attended = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.words = nn.Linear(config.text_dim, 2 * d)
        self.query_norm, self.key_norm = nn.RMSNorm(d // config.heads), nn.RMSNorm(d // config.heads)
        self.up, self.down = nn.Linear(d, 2 * hidden), nn.Linear(hidden, d)
        self.modulation = nn.Linear(d, 6 * d)

    def read(self, words: Float[Tensor, "b l t"], no_word: Float[Tensor, t]) -> Float[Tensor, "b 2 h s e"]:
        """Keys, without the norm's weights, and values of s = 1 + l slots: no word, and l words or empty ones."""
        first = self.words(no_word).expand(len(words), 1, -1)  # apart, so that no gradient is computed for the words
        slots = torch.cat([first, self.words(words)], dim=1)
        k, v = torch.unflatten(slots, 2, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return torch.stack([_unit(k), v], dim=1)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        condition: Float[Tensor, "b d"],
        words: Float[Tensor, "b 2 h s e"],
        seen: Bool[Tensor, "b 1 1 m"],
    ) -> Float[Tensor, "b n d"]:
        """Each token sees those of the m = s + n words and tokens where `seen` is True."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.modulation(condition)[:, None].chunk(6, dim=2)
        x = torch.addcmul(x, gate1, self._attend(_modulated(x, shift1, scale1), words, seen))
        gate, value = self.up(_modulated(x, shift2, scale2)).chunk(2, dim=2)
        return torch.addcmul(x, gate2, self.down(F.silu(gate) * value))

    def _attend(self, x: Tensor, words: Tensor, seen: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # b h n e each
        keys, values = (torch.cat(pair, dim=2) for pair in zip(words.unbind(1), (_unit(k), v), strict=True))
        weights = self.query_norm.weight * self.key_norm.weight  # of both norms; only products count
        mixed = F.scaled_dot_product_attention(_unit(q) * weights, keys, values, attn_mask=seen)
        return self.attended(mixed.transpose(1, 2).flatten(2))


def waves(positions: Float[Tensor, n], width: int) -> Float[Tensor, "n width"]:
    """Sines and cosines of positions, in periods from 2 pi to 10,000 times that (Vaswani et al. 2017, sec. 3.5)."""
    half = torch.arange(width // 2, device=positions.device)
    angles = positions[:, None] * torch.exp(half * (-math.log(LONGEST_PERIOD) / len(half)))
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def places(side: int, d: int) -> Float[Tensor, "n d"]:
    """The position embeddings of the tokens: half of the width for the row, half for the column."""
    along = waves(torch.arange(side, dtype=torch.float32), d // 2)
    return torch.cat([along.repeat_interleave(side, dim=0), along.repeat(side, 1)], dim=1)


def _modulated(
    x: Float[Tensor, "b n d"], shift: Float[Tensor, "b 1 d"], scale: Float[Tensor, "b 1 d"]
) -> Float[Tensor, "b n d"]:
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)


def _unit(x: Float[Tensor, "... e"]) -> Float[Tensor, "... e"]:
    """`x` with a root mean square of 1, as by nn.RMSNorm, whose parts would take twice the passes over memory."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * (x.shape[-1] ** 0.5 / length.clamp_min(LEAST_LENGTH)).to(x.dtype)


def _rms_normalised(vectors: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
    """Each vector scaled to a root mean square of 1; zeros stay zeros."""
    return F.rms_norm(vectors, vectors.shape[-1:])
