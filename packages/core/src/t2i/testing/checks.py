"""What several suites ask: is nothing random but what is given, and are two tensors the same?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from t2i.text import TextEmbedding

ROUNDING = 1e-4  # in [-1, 1]; what a kernel for another batch size may change


@contextmanager
def no_global_randomness(what: str) -> Iterator[None]:
    """Fail where the block reads or sets the global generators of torch or NumPy.

    Python's own is left out, for runtime type checkers such as beartype draw from it.
    """
    torch.seed()  # a state that no fixed seed leads back to
    np.random.seed()
    before = _global_states()
    yield
    for library, state in _global_states().items():
        assert state == before[library], f"{what} touches the global random generator of {library}"


def _global_states() -> dict[str, object]:
    numpy = np.random.get_state(legacy=False)["state"]
    return {
        "torch": torch.get_rng_state().tolist(),
        "NumPy": (numpy["pos"], numpy["key"].tobytes()),
    }


def same(one: Tensor, other: Tensor, tolerance: float = 0.0) -> bool:
    """Whether two tensors have one shape and differ by at most `tolerance`."""
    return one.shape == other.shape and bool(((one - other).abs() <= tolerance).all())


def captions(count: int, dim: int, seed: int = 0) -> TextEmbedding:
    """`count` made-up captions of 1, 2, 3, ... words, as an encoder would give them."""
    stream = torch.Generator().manual_seed(seed)
    lengths = torch.arange(count) % 5 + 1
    mask = torch.arange(int(lengths.max())) < lengths[:, None]  # b l
    words = torch.randn(*mask.shape, dim, generator=stream) / dim**0.5 * mask[..., None]
    return TextEmbedding(words.sum(1) / lengths[:, None], words, mask)
