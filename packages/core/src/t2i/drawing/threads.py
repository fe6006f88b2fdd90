"""Draws several tiles at once on a CPU: small networks, one after the other, leave most of its cores idle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

T = TypeVar("T")


def at_once(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """What the jobs return, in their order.

    They run on as many threads as torch may use here (`torch.get_num_threads()`), each with one thread of torch.

    Raises:
        Exception: the first that a job raised.
    """
    threads = torch.get_num_threads()
    if min(threads, len(jobs)) < 2:
        return [job() for job in jobs]
    try:
        with ThreadPoolExecutor(min(threads, len(jobs)), "t2i-draw", torch.set_num_threads, (1,)) as pool:
            return list(pool.map(lambda job: job(), jobs))
    finally:
        torch.set_num_threads(threads)  # the workers' setting is also that of threads that begin later
