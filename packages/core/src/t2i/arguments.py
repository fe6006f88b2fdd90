"""Checks of a caller's arguments, one per kind of value; Python and the command line report the same errors."""

from __future__ import annotations

import reprlib
from numbers import Integral

from t2i.display import printable
from t2i.errors import InvalidInputError

LONGEST_VALUE = 200  # characters


def check_whole_number(value: object, what: str, least: int, most: int | None = None) -> int:
    """`value` as an int. NumPy's integers are whole numbers; True, 3.0 and "3" are not.

    Args:
        what: the start of the error message, such as "A seed".
        least, most: the range, both ends included; there is no upper limit if `most` is None.

    Raises:
        InvalidInputError: it is not a whole number, or is outside the range.
    """
    number = None if isinstance(value, bool) or not isinstance(value, Integral) else int(value)
    if number is None or number < least or (most is not None and number > most):
        limits = f"of {least} or more" if most is None else f"from {least} to {most}"
        raise InvalidInputError(f"{what} must be a whole number {limits}, got {shown(value)}.")
    return number


def check_text(value: object, what: str) -> str:
    """Return `value` if it is a string.

    Args:
        what: the start of the error message, such as "A model's name".

    Raises:
        InvalidInputError: it is not a string.
    """
    if not isinstance(value, str):
        raise InvalidInputError(f"{what} must be a string, got {shown(value)}.")
    return value


def shown(value: object) -> str:
    """`repr(value)` of at most LONGEST_VALUE characters, so that an untrusted file cannot produce pages of output."""
    shortened = reprlib.Repr()
    shortened.maxlevel = 2
    shortened.maxstring = shortened.maxother = shortened.maxlong = 120
    try:
        return printable(shortened.repr(value), LONGEST_VALUE)
    except ValueError:  # Python refuses to print an int of more than 4300 digits
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else f"a {type(value).__name__}"


def is_address(out: object) -> bool:
    """Whether it is an address such as s3://bucket/prefix, not a path."""
    return isinstance(out, str) and "://" in out
