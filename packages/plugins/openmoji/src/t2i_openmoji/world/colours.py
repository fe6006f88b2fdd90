"""The eleven basic colour words (Berlin and Kay 1969) in OpenMoji's palette."""

from __future__ import annotations

import re

PALETTE = {  # word: light, dark; OpenMoji uses the dark one for shades of the light one
    "red": ("ea5a47", "d22f27"),
    "blue": ("92d3f5", "61b2e4"),
    "green": ("b1cc33", "5c9e31"),
    "yellow": ("fcea2b", "f1b31c"),
    "orange": ("f4aa41", "e27022"),
    "pink": ("ffa7c0", "e67a94"),
    "purple": ("b399c8", "8967aa"),
    "brown": ("a57939", "6a462f"),
    "grey": ("d0cfce", "9b9b9a"),
    "black": ("3f3f3f", "000000"),
    "white": ("ffffff", "d0cfce"),
}
COLOURS = tuple(PALETTE)
PAINTS = PALETTE | {  # to recolour with; a fifth of the drawings are mostly in the dark shade, which for these two is
    "yellow": ("fcea2b", "f2d31b"),  # nearly the light orange
    "white": ("ffffff", "ebebeb"),  # the light grey
}
_HEX = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b")


def recolour(svg: str, old: str, new: str) -> str:
    """The fills of colour word `old` replaced by those of `new`: light by light and dark by dark."""
    swap = dict(zip(PALETTE[old], PAINTS[new], strict=True))

    def swapped(match: re.Match[str]) -> str:
        digits = match[0][1:].lower()
        digits = digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)
        return f"#{swap.get(digits, digits)}"

    return _HEX.sub(swapped, svg)
