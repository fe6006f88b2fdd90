"""Replaces emoji by words, because text encoders, fonts and file names rarely support emoji."""

from __future__ import annotations

REGIONAL_INDICATORS = ("\U0001f1e6", "\U0001f1ff")  # two of these form a country's flag
BLACK_FLAG = "\U0001f3f4"  # with tags, it is a region's flag


def spelled(text: str) -> str:
    """The text with each emoji replaced by its English name: "a 🐼 and 🇯🇵" as "a panda and flag of Japan".

    The names are those of the package `emoji`, which has the Unicode CLDR's. White space is normalised if there is
    an emoji; a text without one is returned as it is.
    """
    if text.isascii():
        return text
    import emoji

    named = emoji.replace_emoji(text, lambda symbol, facts: f" {_name(symbol, facts['en'])} ")
    return text if named == text else " ".join(named.split())


def _name(symbol: str, listed: str) -> str:
    """The name as words, from ":woman_firefighter:"."""
    name = listed.strip(":").replace("_", " ")
    first, last = REGIONAL_INDICATORS
    is_flag = first <= symbol[0] <= last or (symbol[0] == BLACK_FLAG and symbol[-1] == "\U000e007f")
    return f"flag of {name}" if is_flag else name
