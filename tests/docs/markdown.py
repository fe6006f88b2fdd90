"""Markdown's fenced code blocks, with their titles."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)^```$', re.M | re.S)


@dataclass(frozen=True)
class Block:
    language: str
    title: str
    code: str


def blocks(page: str) -> list[Block]:
    """The code blocks of a page, by its path from the root."""
    found = FENCE.finditer((ROOT / page).read_text())
    return [Block(match["language"], match["title"] or "", match["code"]) for match in found]
