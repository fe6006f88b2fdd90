"""Preprocessing of caption vectors: normalisation and noise."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from t2i.noise import Noise
from t2i.text import TextEmbedding


def rms_normalised(sentence: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """Each sentence scaled to root mean square 1, independent of its encoder's scale."""
    return F.normalize(sentence, dim=1) * sentence.shape[1] ** 0.5


def sentence_and_words(text: TextEmbedding) -> tuple[Float[Tensor, "b l d"], Bool[Tensor, "b 1 1 l"]]:
    """The sentence as one more word, for attention.

    Returns:
        The sentence, then the words, all at root mean square 1; and the mask, for any queries and heads.
    """
    words = F.rms_norm(text.words, text.words.shape[2:])
    both = torch.cat([rms_normalised(text.sentence)[:, None], words], dim=1)
    return both, F.pad(text.mask, (1, 0), value=True)[:, None, None]


def noisy_sentence(sentence: Float[Tensor, "b d"], sd: float, noise: Noise) -> Float[Tensor, "b d"]:
    """The sentences with Gaussian noise, so that a network sees a neighbourhood of each caption.

    Args:
        sd: in units of each sentence's root mean square; 0 leaves it out and draws nothing.
        noise: one stream per sentence.
    """
    return _noisy(sentence, sd, noise.normal(*sentence.shape[1:])) if sd else sentence


def noisy_text(text: TextEmbedding, sd: float, noise: Noise) -> TextEmbedding:
    """Sentences and words with Gaussian noise; arguments as in `noisy_sentence`."""
    if not sd:
        return text
    vectors = torch.cat([text.sentence[:, None], text.words], dim=1)  # b 1+l d
    vectors = _noisy(vectors, sd, noise.normal(*vectors.shape[1:]))
    return TextEmbedding(vectors[:, 0], vectors[:, 1:], text.mask)


def _noisy(vectors: Float[Tensor, "b *n d"], sd: float, noise: Float[Tensor, "b *n d"]) -> Float[Tensor, "b *n d"]:
    return vectors + sd * vectors.square().mean(-1, keepdim=True).sqrt() * noise
