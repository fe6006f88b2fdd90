"""Words for networks that take one vector per caption."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2i.text import TextEmbedding
from t2i.toolbox.sentences import sentence_and_words


class WordReader(nn.Module):
    """Adds to each sentence what learned queries read from its words by attention (Vaswani et al. 2017, sec. 3.2).

    A sentence vector is a mean of its words, in which "a red cat and a blue dog" and "a blue cat and a red dog" are
    nearly equal. A query that looks for the first thing's colour finds it.
    """

    def __init__(self, text_dim: int, queries: int, *, heads: int = 4, head_dim: int = 32) -> None:
        """
        Args:
            queries: vectors that are read from each caption; each can attend to `heads` places.
        """
        super().__init__()
        self.queries = nn.Parameter(torch.randn(heads, queries, head_dim))
        self.keys_values = nn.Linear(text_dim, 2 * heads * head_dim)
        self.out = nn.Linear(queries * heads * head_dim, text_dim)

    def forward(self, text: TextEmbedding) -> Float[Tensor, "b d"]:
        """The sentences at root mean square 1, plus what was read. The sentence is also read as one of the words."""
        words, mask = sentence_and_words(text)
        heads, _, head_dim = self.queries.shape
        k, v = self.keys_values(words).unflatten(2, (2, heads, head_dim)).permute(2, 0, 3, 1, 4)  # b h l e each
        read = F.scaled_dot_product_attention(self.queries.expand(len(words), -1, -1, -1), k, v, attn_mask=mask)
        return words[:, 0] + self.out(read.transpose(1, 2).flatten(1))
