"""Helpers for several checks: global randomness, file and network access, equal tensors, made-up captions."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from t2i.text import TextEmbedding

ROUNDING = 1e-4  # in [-1, 1]: a kernel for another batch size may change this much
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@contextmanager
def no_global_randomness(what: str) -> Iterator[None]:
    """Fail if the block reads or sets the global random generators of torch or NumPy.

    Python's own is not checked, because runtime type checkers such as beartype use it.
    """
    torch.seed()  # a state that no fixed seed can restore
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


@dataclass
class Touched:
    """The file and network accesses of a block of code.

    Attributes:
        read, written: paths of files and folders.
        reached: addresses that were looked up or connected to.
    """

    read: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)

    @property
    def everything(self) -> list[str]:
        return [*self.read, *self.written, *self.reached]


@contextmanager
def watched(*, unplugged: bool = False) -> Iterator[Touched]:
    """Record what Python code in this block reads, writes and connects to; compiled code is not observed.

    Args:
        unplugged: fail every network access, as with the cable unplugged.
    """
    global _hooked, _touched, _unplugged
    if not _hooked:
        sys.addaudithook(_hear)
        _hooked = True
    before = _touched, _unplugged
    _touched, _unplugged = Touched(), unplugged
    try:
        yield _touched
    finally:
        _touched, _unplugged = before


_hooked = False  # audit hooks cannot be removed, so one is added once
_touched: Touched | None = None
_unplugged = False


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _touched is None:
        return
    match event, arguments:
        case "open", (str() | bytes() | os.PathLike() as path, _, int(flags)):
            (_touched.written if flags & WRITING else _touched.read).append(os.fsdecode(path))
        case (("os.mkdir" | "os.remove" | "os.rmdir"), (path, *_, -1)):  # else within a folder that is removed, too
            _touched.written.append(str(path))
        case "os.rename", (_, path, *_):
            _touched.written.append(str(path))
        case "socket.connect", (_, address):
            _reach(_touched, str(address))
        case "socket.getaddrinfo", (host, *_):
            _reach(_touched, str(host))
        case _:
            pass


def _reach(touched: Touched, address: str) -> None:
    touched.reached.append(address)
    if _unplugged:
        raise OSError(f"the network is disabled during this check, so {address} cannot be reached")


def same(one: Tensor, other: Tensor, tolerance: float = 0.0) -> bool:
    """Whether two tensors have the same shape and differ by at most `tolerance`."""
    return one.shape == other.shape and bool(((one - other).abs() <= tolerance).all())


def captions(count: int, dim: int, seed: int = 0) -> TextEmbedding:
    """`count` made-up captions of 1 to 5 words, in turn, as an encoder would give them."""
    return captions_of_lengths([index % 5 + 1 for index in range(count)], dim, seed)


def captions_of_lengths(lengths: list[int], dim: int, seed: int = 0) -> TextEmbedding:
    """Made-up captions with these numbers of words."""
    stream, counts = torch.Generator().manual_seed(seed), torch.tensor(lengths)
    mask = torch.arange(int(counts.max())) < counts[:, None]  # b l
    words = torch.randn(*mask.shape, dim, generator=stream) / dim**0.5 * mask[..., None]
    return TextEmbedding(words.sum(1) / counts[:, None], words, mask)


def undocumented(*kinds: type) -> list[str]:
    """The names of the classes that have no docstring of their own."""
    return [kind.__qualname__ for kind in kinds if not (vars(kind).get("__doc__") or "").strip()]
