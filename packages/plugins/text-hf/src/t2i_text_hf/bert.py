"""BERT's encoder (Devlin et al., NAACL 2019) without transformers, whose import takes seconds.

Modules have the same names as in the published checkpoints, so that their keys load strictly.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from t2i.config import Config
from t2i.uninitialised import Uninitialised


class BertConfig(Config):
    """Sizes of all-MiniLM-L6-v2, under the names of its published config.json."""

    vocab_size: int = 30522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12


class BertEncoder(nn.Module):
    """Maps token ids of captions of equal length to the last hidden states; no padding, no dropout, no pooler."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config)
        layers = [_Layer(config) for _ in range(config.num_hidden_layers)]
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(layers)})

    def forward(self, ids: Int[Tensor, "b l"]) -> Float[Tensor, "b l d"]:
        """Encode `ids`; l is at most `max_position_embeddings`."""
        hidden: Tensor = self.embeddings(ids)
        for layer in self.encoder["layer"].children():
            hidden = layer(hidden)
        return hidden


class _Embeddings(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, ids: Tensor) -> Tensor:
        words = self.word_embeddings(ids) + self.token_type_embeddings.weight[0]
        normed: Tensor = self.LayerNorm(words + self.position_embeddings.weight[: ids.shape[1]])
        return normed


class _Layer(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        width, wide = config.hidden_size, config.intermediate_size
        self.attention = nn.ModuleDict(
            {"self": _SelfAttention(config), "output": _ResidualOutput(width, width, config.layer_norm_eps)}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, wide)})
        self.output = _ResidualOutput(wide, width, config.layer_norm_eps)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.attention["output"](self.attention["self"](hidden), hidden)
        output: Tensor = self.output(F.gelu(self.intermediate["dense"](hidden)), hidden)
        return output


class _SelfAttention(nn.Module):
    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden: Tensor) -> Tensor:
        def heads(x: Tensor) -> Tensor:
            return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # b l (h e) -> b h l e

        query, key, value = heads(self.query(hidden)), heads(self.key(hidden)), heads(self.value(hidden))
        mixed = F.scaled_dot_product_attention(query, key, value)
        return mixed.transpose(1, 2).flatten(2)  # b h l e -> b l (h e)


class _ResidualOutput(nn.Module):
    def __init__(self, width_in: int, width: int, eps: float) -> None:
        super().__init__()
        self.dense = nn.Linear(width_in, width)
        self.LayerNorm = nn.LayerNorm(width, eps=eps)

    def forward(self, hidden: Tensor, residual: Tensor) -> Tensor:
        normed: Tensor = self.LayerNorm(self.dense(hidden) + residual)
        return normed


def load_bert(config: BertConfig, tensors: dict[str, Tensor]) -> BertEncoder:
    """A frozen BertEncoder of the tensors themselves, not of copies; pooler and position_ids are ignored.

    Raises:
        RuntimeError: a key is missing, unexpected, or has another shape (as `load_state_dict` does).
    """
    unused = {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias"}
    with torch.device("meta"), Uninitialised():
        encoder = BertEncoder(config)
    used = {key: value for key, value in tensors.items() if key not in unused}
    encoder.load_state_dict(used, assign=True)
    return encoder.eval().requires_grad_(False)
