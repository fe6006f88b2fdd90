"""Fenced code blocks of Markdown pages, with their titles."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
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


def commands(page: str) -> list[list[str]]:
    """The lines of a page's sh blocks, without their comments, as words."""
    lines = [line for block in blocks(page) if block.language == "sh" for line in block.code.splitlines()]
    return [shlex.split(line, comments=True) for line in lines]


def printed(snippet: str) -> list[str]:
    """The output that a snippet documents: the comment after each print."""
    return [line.split("  # ")[-1].strip() for line in snippet.splitlines() if line.lstrip().startswith("print")]


def pages() -> list[str]:
    """The paths of all hand-written pages of the site, from the root."""
    made = {DOCS / "_build", DOCS / "_generated"}
    return [str(path.relative_to(ROOT)) for path in sorted(DOCS.rglob("*.md")) if made.isdisjoint(path.parents)]
