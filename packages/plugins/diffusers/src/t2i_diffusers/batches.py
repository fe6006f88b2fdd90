"""How many pictures are drawn at once: as many as fit, found by trying and halving."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from t2i.display import brief
from t2i.errors import InvalidInputError

Item = TypeVar("Item")
Made = TypeVar("Made")
PIXELS_AT_ONCE = {"cpu": 2**22, "cuda": 2**24, "mps": 2**22}
"""Pixels of the first batch; on a CPU of every batch, for there the system kills what takes too much memory."""

log = logging.getLogger(__name__)


def first_batch(device: str, width: int, height: int) -> int:
    """How many pictures of this size are tried at once."""
    return max(1, PIXELS_AT_ONCE.get(device.partition(":")[0], 2**22) // (width * height))


class Batches:
    """Draws in batches that fit into memory; the size that was found is kept.

    Attributes:
        size: the largest batch that is tried.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def each(self, items: Sequence[Item], make: Callable[[Sequence[Item]], list[Made]], remedy: str) -> list[Made]:
        """`make` of all items, in parts that fit.

        Raises:
            InvalidInputError: one item alone does not fit; the message ends with `remedy`.
        """
        made: list[Made] = []
        while len(made) < len(items):
            part = items[len(made) : len(made) + self.size]
            try:
                made += make(part)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                if len(part) == 1:
                    raise InvalidInputError(
                        f"One picture does not fit into memory ({brief(error, 120)}). {remedy}"
                    ) from None
                self.size = len(part) // 2
            else:
                continue
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            log.info(f"out of memory: drawing {self.size} at once from now on")
        return made


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the CPU's allocator has no more memory."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in text or "out of memory" in text
