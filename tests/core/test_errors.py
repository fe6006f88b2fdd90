"""The exception tree matches its drawing in the docstring."""

from __future__ import annotations

import re

import pytest

from t2i import errors
from t2i.errors import T2IError, did_you_mean

CLASSES = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, T2IError)}


def drawn_parents() -> dict[str, str]:
    """Each class in the module's drawing with its parent, according to the indentation."""
    parents, path = {}, ["T2IError"]
    for line in errors.__doc__.splitlines():
        found = re.match(r" {4}([│ ]*)[├└]── (\w+)", line)
        if found:
            depth = len(found[1]) // 4 + 1
            path[depth:] = [found[2]]
            parents[found[2]] = path[depth - 1]
    return parents


def test_the_drawing_is_the_tree():
    real = {name: kind.__base__.__name__ for name, kind in CLASSES.items() if kind is not T2IError}
    assert drawn_parents() == real


def test_every_class_has_the_description_of_the_drawing():
    assert all(kind.__doc__ for kind in CLASSES.values())


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("stackgna", " Did you mean 'stackgan'?"),
        ("attgan", " Did you mean 'attngan'"),
        ("zzzzzz", ""),
        ("", ""),
    ],
)
def test_only_similar_names_are_suggested(name, hint):
    suggestion = did_you_mean(name, ["stackgan", "attngan"])
    assert suggestion.startswith(hint) if hint else suggestion == ""
