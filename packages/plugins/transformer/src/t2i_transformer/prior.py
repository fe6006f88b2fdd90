"""A transformer over image tokens that reads the caption's words as additional keys and values in every layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from t2i.text import TextEmbedding
from t2i_transformer.config import TransformerConfig
from t2i_transformer.tokenizer import codes_of


@dataclass(frozen=True)
class Reading:
    """b captions as the layers see them, in s slots; the first slot is not a word and is always seen.

    Attributes:
        sentence: [b, d], added to every token.
        words: for each layer the slots' keys and values, [b, 2, h, s, e].
        mask: [b, s], True where a slot is seen.
    """

    sentence: Float[Tensor, "b d"]
    words: list[Float[Tensor, "b 2 h s e"]]
    mask: Bool[Tensor, "b s"]


class Prior(nn.Module):
    """GPT-2's layers over n tokens of a picture, row by row; the words are added to each layer's keys and values.

    The words' states come from the encoder and are not updated by the layers (as in GLIDE, Nichol et al. 2022,
    sec. 2.3), so that reading a caption takes only two of a layer's twelve matrices, once.
    """

    def __init__(self, config: TransformerConfig, side: int) -> None:
        """
        Args:
            side: tokens per side.
        """
        super().__init__()
        d = config.dim
        self.length, self.codes, self.causal = side**2, config.codes, config.prior == "autoregressive"
        self.depth = config.code_depth
        self.unknown = config.codes**config.code_depth  # the value of tokens that are still unknown
        self.tokens = nn.Embedding(config.codes * config.code_depth + 1, d)  # of every code; the last: no token yet
        self.rows, self.columns = nn.Parameter(torch.empty(side, 1, d)), nn.Parameter(torch.empty(side, d))
        self.sentence, self.words = nn.Linear(config.text_dim, d), nn.Linear(config.text_dim, d)
        self.no_sentence, self.no_word = nn.Parameter(torch.empty(d)), nn.Parameter(torch.empty(d))
        self.layers = nn.ModuleList(Layer(d, config.heads, config.dropout) for _ in range(config.depth))
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, config.codes)
        self.deeper = nn.ModuleList(Deeper(d, config.codes) for _ in range(config.code_depth - 1))
        self._init(config.depth)

    def read(self, text: TextEmbedding, dropped: Bool[Tensor, b]) -> Reading:
        """The captions as the layers see them; where `dropped`, no text."""
        sentence = self.sentence(_rms_normalised(text.sentence))
        words = self.words(_rms_normalised(text.words))
        words = torch.cat([self.no_word.expand(len(words), 1, -1), words], dim=1)
        seen = F.pad(text.mask & ~dropped[:, None], (1, 0), value=True)
        return Reading(
            sentence=torch.where(dropped[:, None], self.no_sentence, sentence),
            words=[cast(Layer, layer).read(words) for layer in self.layers],
            mask=seen,
        )

    def forward(self, tokens: Int[Tensor, "b n"], reading: Reading) -> Float[Tensor, "b m k"]:
        """Logits of all m codes, r per token, given the tokens before it (or all of them) and the codes before it in
        its own token. The value `unknown` marks unknown tokens."""
        b, n = tokens.shape
        given, seen = tokens, torch.ones(n, n, dtype=torch.bool, device=tokens.device)
        if self.causal:
            given = F.pad(tokens, (1, -1), value=self.unknown)
            seen = seen.tril()
        mask = torch.cat([reading.mask[:, None].expand(-1, n, -1), seen.expand(b, -1, -1)], dim=2)  # b n s+n
        x = self.embedded(given) + self.places() + reading.sentence[:, None]
        for layer, words in zip(self.layers, reading.words, strict=True):
            x = layer(x, words, mask[:, None])
        codes = codes_of(tokens, self.codes, self.depth)
        return torch.stack([self.logits(x, codes[..., :known]) for known in range(self.depth)], dim=2).flatten(1, 2)

    def logits(self, x: Float[Tensor, "*b d"], known: Int[Tensor, "*b j"]) -> Float[Tensor, "*b k"]:
        """Logits of a token's next code, from the layers' output and its first j codes."""
        j = known.shape[-1]
        if j == 0:
            return self.head(self.norm(x))
        return self.deeper[j - 1](x + self._embedded_codes(known))

    def embedded(self, tokens: Int[Tensor, "*b"]) -> Float[Tensor, "*b d"]:
        """Tokens as the layers read them: the sum of their codes' embeddings."""
        known = self._embedded_codes(codes_of(tokens, self.codes, self.depth))
        return torch.where((tokens == self.unknown)[..., None], self.tokens.weight[-1], known)

    def _embedded_codes(self, codes: Int[Tensor, "*b j"]) -> Float[Tensor, "*b d"]:
        """The sum of a token's first j codes' embeddings."""
        return self.tokens(codes + self.codes * torch.arange(codes.shape[-1], device=codes.device)).sum(-2)

    def places(self) -> Float[Tensor, "n d"]:
        """The position embeddings: a row's plus a column's."""
        return (self.rows + self.columns).flatten(0, 1)

    def _init(self, depth: int) -> None:
        """N(0, .02), residual branches narrower by the root of their number (Radford et al. 2019, sec. 2.3)."""
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1 or name.startswith("no_"):
                narrower = (2 * depth) ** -0.5 if name.endswith(("out.weight", "down.weight")) else 1
                nn.init.normal_(parameter, 0, 0.02 * narrower)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)


class Layer(nn.Module):
    """A layer of GPT-2: norm, attention, norm, MLP."""

    def __init__(self, d: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.up, self.down = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def read(self, words: Float[Tensor, "b s d"]) -> Float[Tensor, "b 2 h s e"]:
        """Keys and values of the words, by the same weights as the tokens'."""
        d = words.shape[2]
        keys_values = F.linear(self.norm1(words), self.qkv.weight[d:], self.qkv.bias[d:])
        return keys_values.view(*words.shape[:2], 2, self.heads, -1).permute(0, 2, 3, 1, 4)

    def forward(
        self, x: Float[Tensor, "b n d"], words: Float[Tensor, "b 2 h s e"], mask: Bool[Tensor, "b 1 n m"]
    ) -> Float[Tensor, "b n d"]:
        """All tokens at once; token i sees the m = s + n slots where mask[i] is True."""
        q, *kv = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # b h n e each
        k, v = (torch.cat(pair, dim=2) for pair in zip(words.unbind(1), kv, strict=True))
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = x + self._drop(self.out(seen.transpose(1, 2).flatten(2)))
        return x + self._drop(self._mlp(x))

    def step(
        self, x: Float[Tensor, "b d"], memory: Float[Tensor, "b 2 h m e"], mask: Float[Tensor, "b 1 1 end"]
    ) -> Float[Tensor, "b d"]:
        """One token, in slot end - 1 of `memory`, which sees the slots before it where mask is 0 (not -inf)."""
        end = mask.shape[3]
        q, k, v = self.qkv(self.norm1(x)).view(len(x), 3, self.heads, -1).unbind(1)  # b h e each
        keys, values = memory[:, 0, :, :end], memory[:, 1, :, :end]
        keys[:, :, -1], values[:, :, -1] = k, v
        seen = F.scaled_dot_product_attention(q[:, :, None], keys, values, attn_mask=mask)
        x = x + self.out(seen.view_as(x))
        return x + self._mlp(x)

    def _mlp(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class Deeper(nn.Module):
    """An MLP for a token's further codes; the paper has a depth transformer (Lee et al. 2022, sec. 3.2)."""

    def __init__(self, d: int, codes: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.up, self.down = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)
        self.head = nn.Linear(d, codes)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b k"]:
        x = x + self.down(F.gelu(self.up(self.norm1(x)), approximate="tanh"))
        return self.head(self.norm2(x))


class Memory:
    """The keys and values of one batch of captions and of the tokens written so far, in place."""

    def __init__(self, prior: Prior, reading: Reading) -> None:
        """Allocate the slots of a whole picture, and fill the first ones with the words."""
        self._prior, self._sentence = prior, reading.sentence
        b, s = reading.mask.shape
        first = reading.words[0]
        self._slots = first.new_empty(len(reading.words), b, 2, first.shape[2], s + prior.length, first.shape[4])
        for slots, words in zip(self._slots, reading.words, strict=True):
            slots[:, :, :, :s] = words
        self._layers = list(zip(cast(Iterable[Layer], prior.layers), self._slots, strict=True))
        mask = first.new_zeros(b, 1, 1, s + prior.length)
        mask[:, 0, 0, :s].masked_fill_(~reading.mask, float("-inf"))
        self._masks = [mask[..., : s + 1 + position] for position in range(prior.length)]
        self._places = prior.places()

    def step(self, tokens: Int[Tensor, b], position: int) -> Float[Tensor, "b d"]:
        """The layers' output at `position`, given the `tokens` before it (at position 0: `unknown`)."""
        x = self._prior.embedded(tokens) + self._places[position] + self._sentence
        mask = self._masks[position]
        for layer, slots in self._layers:
            x = layer.step(x, slots, mask)
        return x


def _rms_normalised(vectors: Float[Tensor, "... d"]) -> Float[Tensor, "... d"]:
    """Each vector scaled to a root mean square of 1; zeros stay zeros."""
    return F.rms_norm(vectors, vectors.shape[-1:])
