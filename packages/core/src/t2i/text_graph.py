"""A text encoder as one function of tensors, for other runtimes such as ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import nn


@dataclass(frozen=True)
class TextGraph:
    """The parts of a text encoder that another runtime needs.

    Attributes:
        network: token ids [b, l] of captions of equal length -> sentence [b, d] and words [b, l, d].
        tokenizer: a tokenizer.json of the package `tokenizers`, which also says where long captions are cut.
        latin_only: whether it has learned only words in Latin letters, so that others count as unread.
    """

    network: nn.Module
    tokenizer: str
    latin_only: bool = False


@runtime_checkable
class HasTextGraph(Protocol):
    """A TextEncoder that can be exported."""

    def graph(self) -> TextGraph:
        """Its parts; the network gives the numbers of `encode`, up to rounding."""
        ...
