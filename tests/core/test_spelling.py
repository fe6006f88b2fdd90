"""Emoji are replaced by their Unicode names, and nothing else changes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2i.spelling import spelled


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a red heart", "a red heart"),
        ("a ❤️", "a red heart"),
        ("a🐼eats🍎", "a panda eats red apple"),
        ("👩🏿‍🚒", "woman firefighter dark skin tone"),
        ("🇯🇵 and 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "flag of Japan and flag of England"),
        ("🏴‍☠️", "pirate flag"),
        ("日本の旗,  café #1 *", "日本の旗,  café #1 *"),
    ],
)
def test_emoji_become_their_names(text, says):
    assert spelled(text) == says


@given(st.text(st.characters(codec="utf-8", categories=("Lu", "Ll", "Lo", "Nd", "Zs"), exclude_characters="ℹ")))
@settings(deadline=None)
def test_text_without_emoji_is_unchanged(text):
    assert spelled(text) == text


@pytest.mark.parametrize("symbol", ["🐼", "🍕", "🚀", "🦄", "☂", "⚽", "🪿"])
def test_names_are_those_of_unicode(symbol):
    """Compared with Python's own table of characters, whose names are longer, such as PANDA FACE."""
    assert set(spelled(symbol).split()) & set(unicodedata.name(symbol, spelled(symbol)).lower().split())
