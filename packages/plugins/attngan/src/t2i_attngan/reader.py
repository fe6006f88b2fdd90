"""DAMSM's text side: the words of any text encoder, read once more by a network that DAMSM trains."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from t2i.text import TextEmbedding
from t2i_attngan.config import AttnGANConfig


def reader_of(config: AttnGANConfig) -> nn.Module:
    """The module that turns a TextEmbedding of `text_dim` into one of `word_dim`."""
    match config.reader:
        case "lstm":
            return LSTMReader(config.text_dim, config.word_dim)
        case "linear":
            return LinearReader(config.text_dim, config.word_dim)
    return SameReader()


class LSTMReader(nn.Module):
    """A bidirectional LSTM (sec. 3.2): a word is its two states, the sentence the last state of each direction.

    Both directions run over the whole batch at once, the second over reversed captions, so that a caption's numbers do
    not depend on the lengths of its neighbours.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.there, self.back = (nn.LSTM(inputs, outputs // 2, batch_first=True) for _ in range(2))

    def forward(self, text: TextEmbedding, dropout: float = 0.0) -> TextEmbedding:
        """
        Args:
            dropout: on the input, in training.
        """
        places = _words_first(text.mask)
        first = places.argsort(1)
        words, mask = _picked(text.words, first), text.mask.gather(1, first)
        words = F.dropout(words, dropout, self.training)
        backwards, last = _reversed(mask), mask.sum(1, keepdim=True) - 1
        there, _ = self.there(words)
        back, _ = self.back(_picked(words, backwards))
        sentence = torch.cat([_picked(states, last)[:, 0] for states in (there, back)], dim=1)
        read = torch.cat([there, _picked(back, backwards)], dim=2).masked_fill(~mask[..., None], 0)
        return TextEmbedding(sentence, _picked(read, places), text.mask)


class LinearReader(nn.Module):
    """Words and sentence through a linear layer each."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.words, self.sentence = nn.Linear(inputs, outputs), nn.Linear(inputs, outputs)

    def forward(self, text: TextEmbedding, dropout: float = 0.0) -> TextEmbedding:
        """
        Args:
            dropout: on the input, in training.
        """
        words = self.words(F.dropout(text.words, dropout, self.training)).masked_fill(~text.mask[..., None], 0)
        return TextEmbedding(self.sentence(F.dropout(text.sentence, dropout, self.training)), words, text.mask)


class SameReader(nn.Module):
    """The encoder's own words, for encoders that DAMSM has trained."""

    def forward(self, text: TextEmbedding, dropout: float = 0.0) -> TextEmbedding:
        """`text` itself."""
        return text


def _words_first(mask: Bool[Tensor, "b l"]) -> Int[Tensor, "b l"]:
    """The place of each word in the order that puts each caption's real words before its padding."""
    return torch.where(mask, mask.cumsum(1), mask.sum(1, keepdim=True) + (~mask).cumsum(1)) - 1


def _reversed(mask: Bool[Tensor, "b l"]) -> Int[Tensor, "b l"]:
    """The order that reverses each caption's words and leaves its padding behind them; its own inverse."""
    places, lengths = torch.arange(mask.shape[1], device=mask.device), mask.sum(1, keepdim=True)
    return torch.where(places < lengths, lengths - 1 - places, places)


def _picked(vectors: Float[Tensor, "b l d"], places: Int[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
    return vectors.gather(1, places[..., None].expand(-1, -1, vectors.shape[2]))
