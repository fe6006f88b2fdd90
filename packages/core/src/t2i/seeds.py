"""Check and choose seeds."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from t2i.arguments import check_whole_number, shown
from t2i.errors import InvalidInputError

MAX_SEED = 2**63 - 1
MAX_PICTURES_PER_PROMPT = 1_000_000_000


def check_seed(seed: int, what: str = "A seed") -> int:
    """`seed` as an int.

    Args:
        what: the start of the error message.

    Raises:
        InvalidInputError: it is not a whole number in [0, 2**63).
    """
    return check_whole_number(seed, what, 0, MAX_SEED)


def check_seeds(seeds: Iterable[int]) -> tuple[int, ...]:
    """Each of `seeds` as an int.

    Raises:
        InvalidInputError: it is not a list, or a seed is not a whole number in [0, 2**63).
    """
    if not isinstance(seeds, Iterable):
        raise InvalidInputError(f"Seeds must be a list of whole numbers, got {shown(seeds)}.")
    return tuple(map(check_seed, seeds))


def choose_seeds(seed: int | None, count: int) -> range:
    """The seeds of one prompt's `count` pictures: consecutive, starting at `seed` or at a random one.

    Raises:
        InvalidInputError: `count` is not a whole number from 1 to MAX_PICTURES_PER_PROMPT, or a seed is not one in
            [0, 2**63).
    """
    count = check_whole_number(count, "The number of pictures per prompt", 1, MAX_PICTURES_PER_PROMPT)
    seed = secrets.randbelow(2**31) if seed is None else check_seed(seed)
    check_seed(seed + count - 1)
    return range(seed, seed + count)
