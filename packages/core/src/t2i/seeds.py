"""What a seed is."""

from __future__ import annotations

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
