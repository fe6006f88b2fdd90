"""Parses untrusted YAML: only plain values, without self-references."""

from __future__ import annotations

import re
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Also reads 1e-5 as a number, as in YAML 1.2; PyYAML follows YAML 1.1, which needs a decimal point."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def load_yaml(text: str) -> Any:
    """The value that `text` describes: mappings, lists, strings, numbers, dates, true, false and null.

    Raises:
        ValueError: it is not YAML, refers to itself, or is too deeply nested.
    """
    try:
        value = yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
        _check_ends(value, set(), set())
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("it is too deeply nested") from None
    except (OverflowError, AttributeError, TypeError) as error:  # from PyYAML, for malformed numbers, dates and keys
        raise ValueError(str(error)) from None
    return value


def _check_ends(value: object, above: set[int], checked: set[int]) -> None:
    """
    Args:
        above: ids of the collections that hold `value`.
        checked: ids of the collections that are known to be finite.

    Raises:
        ValueError: a collection contains itself, by an alias.
    """
    if not isinstance(value, dict | list) or id(value) in checked:
        return
    if id(value) in above:
        raise ValueError("a part of it refers to itself")
    for part in value.values() if isinstance(value, dict) else value:
        _check_ends(part, above | {id(value)}, checked)
    checked.add(id(value))
