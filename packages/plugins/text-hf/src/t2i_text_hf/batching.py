"""Encodes captions in batches such that a caption's embedding does not depend on its batch, bit for bit.

Padding would change the sums of attention, so captions are grouped by exact length and not padded. A matmul selects
its kernel by the number of rows, which changes the last bits, so a group is filled up to a multiple of four captions;
then (measured, MKL) a row's bits do not depend on the other rows.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.text import TextEmbedding

ROWS_MULTIPLE = 4
CACHE_BYTES = 2**28


@dataclass(frozen=True)
class EncodedCaption:
    """One caption: sentence [d], words [l, d] without padding."""

    sentence: Float[Tensor, " d"]
    words: Float[Tensor, "l d"]


class CaptionBatcher:
    """Groups captions by length, runs each group once, and caches the most recent captions."""

    def __init__(
        self,
        *,
        tokenize: Callable[[list[str]], list[list[int]]],
        forward: Callable[[Int[Tensor, "b l"]], Float[Tensor, "b l d"]],
        pool: Callable[[Float[Tensor, "l d"]], Float[Tensor, " d"]],
        batch_size: int = 64,
        cache_captions: int = 4096,
    ) -> None:
        """Combine a tokenizer and a network.

        Args:
            tokenize: captions -> token ids, with the special ones, truncated.
            forward: ids of captions of equal length -> their words, on the device of the network.
            pool: the words of one caption -> its sentence.
            batch_size: the most captions read at once, a multiple of 4; a CPU computes four of them at a time.
            cache_captions: how many captions are cached.
        """
        if batch_size < ROWS_MULTIPLE or batch_size % ROWS_MULTIPLE:
            raise InvalidInputError(f"batch_size must be a positive multiple of {ROWS_MULTIPLE}, got {batch_size}.")
        self._tokenize, self._forward, self._pool = tokenize, forward, pool
        self._batch_size, self._cache_captions = batch_size, cache_captions
        self._start()

    def __getstate__(self) -> dict[str, Any]:
        """Everything except the cache and its lock."""
        return {name: value for name, value in vars(self).items() if name not in ("_cache", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._start()

    def _start(self) -> None:
        self._cache: OrderedDict[str, EncodedCaption] = OrderedDict()
        self._lock = threading.Lock()

    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        """Encode b captions; see `t2i.text.TextEncoder.encode`.

        Raises:
            InvalidInputError: there is no caption, or one is empty.
        """
        check_captions(captions)
        known = self._recall(captions)
        new = [caption for caption in dict.fromkeys(captions) if caption not in known]
        if new:
            known |= self._run(new)
        self._remember((caption, known[caption]) for caption in new)
        return collate([known[caption] for caption in captions])

    def forget(self) -> None:
        """Empty the cache, for example after a move to another device."""
        with self._lock:
            self._cache.clear()

    @torch.inference_mode(False)
    @torch.no_grad()
    def _run(self, captions: list[str]) -> dict[str, EncodedCaption]:
        by_length: dict[int, list[tuple[str, list[int]]]] = {}
        for caption, ids in zip(captions, self._tokenize(captions), strict=True):
            by_length.setdefault(len(ids), []).append((caption, ids))
        encoded = {}
        for group in by_length.values():
            for start in range(0, len(group), self._batch_size):
                chunk = group[start : start + self._batch_size]
                filler = [chunk[-1][1]] * (-len(chunk) % ROWS_MULTIPLE)
                words = self._in_tiles(torch.tensor([ids for _, ids in chunk] + filler))
                for (caption, _), row in zip(chunk, words, strict=False):  # filler rows are dropped here
                    own = row.clone()
                    encoded[caption] = EncodedCaption(self._pool(own), own)
        return encoded

    def _in_tiles(self, ids: Int[Tensor, "b l"]) -> Float[Tensor, "b l d"]:
        """On a CPU, batches have equally many rows: matrix kernels add in an order that depends on their number."""
        first, *others = torch.split(ids, ROWS_MULTIPLE)
        words = [self._forward(first)]
        if others:
            words += map(self._forward, others if words[0].device.type == "cpu" else [torch.cat(others)])
        return torch.cat(words)

    def _recall(self, captions: Iterable[str]) -> dict[str, EncodedCaption]:
        with self._lock:
            known = {caption: self._cache[caption] for caption in captions if caption in self._cache}
            for caption in known:
                self._cache.move_to_end(caption)
        return known

    def _remember(self, items: Iterable[tuple[str, EncodedCaption]]) -> None:
        with self._lock:
            self._cache.update(items)
            while len(self._cache) > self._cache_captions:
                self._cache.popitem(last=False)


def check_captions(captions: Sequence[str]) -> None:
    """
    Raises:
        InvalidInputError: there is no caption, or one is empty.
    """
    if not captions or not all(caption.strip() for caption in captions):
        raise InvalidInputError(f"Expected at least one caption, none of them empty, got {list(captions)[:4]!r}.")


def collate(encoded: Sequence[EncodedCaption]) -> TextEmbedding:
    """The captions as one batch: words are padded with zeros to the longest; the mask is False for padding."""
    longest = max(len(caption.words) for caption in encoded)
    first = encoded[0].words
    words = first.new_zeros(len(encoded), longest, first.shape[1])
    mask = torch.zeros(len(encoded), longest, dtype=torch.bool, device=first.device)
    for row, caption in enumerate(encoded):
        words[row, : len(caption.words)] = caption.words
        mask[row, : len(caption.words)] = True
    return TextEmbedding(torch.stack([caption.sentence for caption in encoded]), words, mask)


def cache_captions(max_words: int, dim: int, most: int = 4096) -> int:
    """How many captions of `max_words` float32 words fit into CACHE_BYTES, at most `most`."""
    return max(1, min(most, CACHE_BYTES // (4 * max_words * dim)))
