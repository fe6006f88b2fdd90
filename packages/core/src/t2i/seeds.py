"""What a seed is."""

from __future__ import annotations

import secrets

from t2i.errors import InvalidInputError

MAX_SEED = 2**63 - 1


def check_seed(seed: int) -> int:
    """`seed` itself.

    Raises:
        InvalidInputError: it is not in [0, 2**63).
    """
    if not 0 <= seed <= MAX_SEED:
        raise InvalidInputError(f"A seed lies between 0 and {MAX_SEED}, but {seed} came.")
    return seed


def choose_seeds(seed: int | None, count: int) -> range:
    """The seeds of one prompt's `count` pictures, from `seed` on, or from a random one.

    Raises:
        InvalidInputError: `count` is below 1, or a seed would be outside [0, 2**63).
    """
    if count < 1:
        raise InvalidInputError(f"At least one picture per prompt is drawn, but {count} were asked for.")
    if seed is None:
        seed = secrets.randbelow(2**31)
    check_seed(seed)
    check_seed(seed + count - 1)
    return range(seed, seed + count)
