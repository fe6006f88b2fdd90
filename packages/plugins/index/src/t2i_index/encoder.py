"""MiniLM in NumPy: one sentence as a vector in milliseconds, without importing torch.

The network is the text encoder `minilm` of t2i-text-hf, with the same weights: BERT (Devlin et al., NAACL 2019) of six
layers, whose last hidden states are averaged and normalised (Reimers & Gurevych, EMNLP 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from t2i_text_hf.weights import SHA256 as ENCODER_SHA256
from t2i_text_hf.weights import minilm_file, read_verified

__all__ = ["DIM", "ENCODER_SHA256", "Sentences", "sentences"]

DIM, HEADS, LAYERS, EPSILON = 384, 12, 6, 1e-12
MAX_WORDS = 64  # tokens, as the text encoder `minilm` reads
AT_ONCE = 32  # sentences

Array = NDArray[np.float32]


@cache
def sentences() -> Sentences:
    """The encoder, loaded once per process."""
    return Sentences()


@final
class Sentences:
    """Sentences in, unit vectors out."""

    def __init__(self) -> None:
        """
        Raises:
            IntegrityError: the weights are not the published ones.
            OfflineError: they are not on this machine and cannot be fetched.
        """
        import safetensors.numpy
        from threadpoolctl import ThreadpoolController
        from tokenizers import Tokenizer

        self._weights: dict[str, Array] = safetensors.numpy.load(read_verified(minilm_file("model.safetensors")))
        self._tokenizer = Tokenizer.from_file(str(minilm_file("tokenizer.json")))
        self._threads = ThreadpoolController().select(internal_api="openblas")  # NumPy's, not torch's
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_WORDS)

    def encode(self, texts: Sequence[str]) -> Array:
        """[n, 384]: a vector of length 1 for each text; equal texts are computed once."""
        distinct = list(dict.fromkeys(texts))
        if len(distinct) > AT_ONCE:
            return self._encode(texts, distinct)
        with self._threads.limit(limits=1):  # on a busy machine, threads would wait for each other 30 times as long
            return self._encode(texts, distinct)

    def _encode(self, texts: Sequence[str], distinct: Sequence[str]) -> Array:
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch([text or " " for text in distinct])]
        order = sorted(range(len(distinct)), key=lambda index: len(tokens[index]))
        found = np.empty((len(distinct), DIM), np.float32)
        start = 0
        while start < len(order):
            length = len(tokens[order[start]])
            group = [index for index in order[start : start + AT_ONCE] if len(tokens[index]) == length]
            found[group] = self._forward(np.array([tokens[index] for index in group]))
            start += len(group)
        rows = {text: row for row, text in enumerate(distinct)}
        return found[[rows[text] for text in texts]]

    def _forward(self, ids: NDArray[np.int64]) -> Array:
        """[b, l] ids of texts of one length -> [b, 384]."""
        length = ids.shape[1]
        x = self._weight("embeddings.word_embeddings.weight")[ids]
        x = x + self._weight("embeddings.position_embeddings.weight")[:length]
        x = self._norm(x + self._weight("embeddings.token_type_embeddings.weight")[0], "embeddings.LayerNorm")
        for number in range(LAYERS):
            x = self._layer(x, f"encoder.layer.{number}")
        pooled = x.mean(1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def _layer(self, x: Array, name: str) -> Array:
        batch, length, _ = x.shape

        def heads(part: str) -> Array:
            return self._linear(x, f"{name}.attention.self.{part}").reshape(batch, length, HEADS, -1).swapaxes(1, 2)

        query, key, value = heads("query"), heads("key"), heads("value")  # b h l d
        scores = query @ key.swapaxes(2, 3) / np.float32((DIM / HEADS) ** 0.5)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True) @ value).swapaxes(1, 2).reshape(batch, length, DIM)
        x = self._norm(x + self._linear(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        hidden = _gelu(self._linear(x, f"{name}.intermediate.dense"))
        return self._norm(x + self._linear(hidden, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def _linear(self, x: Array, name: str) -> Array:
        flat = x.reshape(-1, x.shape[-1]) @ self._weight(f"{name}.weight").T
        return (flat + self._weight(f"{name}.bias")).reshape(*x.shape[:-1], -1)

    def _norm(self, x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        scale = 1 / np.sqrt((centred**2).mean(-1, keepdims=True) + np.float32(EPSILON))
        return centred * scale * self._weight(f"{name}.weight") + self._weight(f"{name}.bias")

    def _weight(self, name: str) -> Array:
        return self._weights[name]


def _gelu(x: Array) -> Array:
    """x P(X <= x) of a standard normal X; erf by Abramowitz & Stegun 7.1.26, exact to 1.5e-7."""
    z = np.abs(x) / np.float32(2**0.5)
    t: Any = 1 / (1 + np.float32(0.3275911) * z)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    erf = np.sign(x) * (1 - series.astype(np.float32) * np.exp(-z * z))
    return np.asarray(0.5 * x * (1 + erf), np.float32)
