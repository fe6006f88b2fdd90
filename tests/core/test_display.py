"""Untrusted text is shown without control characters and with bounded length."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2i.arguments import LONGEST_VALUE, shown
from t2i.display import LONGEST_MESSAGE, printable
from t2i.errors import SnapshotError, T2IError

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=300)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[2J\x9b31m", "\\x1b[2J\\x9b31m"),
        ("a\r\nb\tc\x7f", "a\\r\\nb\\tc\\x7f"),
        ("admin\u202egnp.exe", "admin\\u202egnp.exe"),
        ("zero\u200bwidth\u2028line", "zero\\u200bwidth\\u2028line"),
        ("caf\udce9", "caf\\udce9"),
        ("ein Mädchen, 女の子　と 👩‍🚀, \u00a0می‌خواهم", "ein Mädchen, 女の子　と 👩‍🚀, \u00a0می‌خواهم"),
    ],
    ids=["escape", "line", "bidi", "hidden", "not UTF-8", "languages"],
)
def test_control_and_invisible_characters_are_escaped(text: str, seen: str) -> None:
    assert printable(text) == seen


@settings(deadline=None)
@given(ANYTHING, st.integers(20, 400))
def test_any_text_is_escaped_and_bounded(text: str, limit: int) -> None:
    found = printable(text, limit)
    assert len(found) <= limit
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or 0xD800 <= ord(c) < 0xE000 for c in found)
    assert printable(found, limit) == found


def test_a_long_text_is_shortened_to_its_start_and_end() -> None:
    found = printable("Weights must be finite" + "x" * 1_000_000 + "Publish them again.")
    assert len(found) == LONGEST_MESSAGE
    assert found.startswith("Weights must be finite") and found.endswith("Publish them again.")


@settings(deadline=None)
@given(ANYTHING)
def test_every_error_message_is_escaped_and_bounded(text: str) -> None:
    for error in (SnapshotError(text), T2IError(f"{text * 100}")):
        assert len(str(error)) <= LONGEST_MESSAGE
        assert printable(error, keep="\n\t") == str(error)


def nested(depth: int) -> object:
    value: object = "red"
    for _ in range(depth):
        value = [value] * 9
    return value


@pytest.mark.parametrize("value", [nested(6), {"k" * 9: nested(5)}, "\x1b" * 1000, 10**5000, b"x" * 10**6], ids=type)
def test_any_value_is_shown_on_one_line(value: object) -> None:
    assert len(shown(value)) <= LONGEST_VALUE and "\x1b" not in shown(value)
