"""The encoders' networks as one function of token ids, for export."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class SentenceAndWords(nn.Module):
    """A network's last hidden states, and their mean as the sentence."""

    def __init__(
        self, network: nn.Module, words: Callable[[Int[Tensor, "b l"]], Float[Tensor, "b l d"]], *, normalize: bool
    ) -> None:
        """
        Args:
            words: runs the network: token ids -> hidden states.
            normalize: whether sentences get the length 1.
        """
        super().__init__()
        self.network, self.words, self.normalize = network, words, normalize

    def forward(self, ids: Int[Tensor, "b l"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b l d"]]:
        """Captions of equal length."""
        words = self.words(ids)
        sentence = words.mean(1)
        return F.normalize(sentence, dim=1) if self.normalize else sentence, words
