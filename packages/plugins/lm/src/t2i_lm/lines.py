"""Extracts one prompt from a language model's answer, and checks whether it is usable."""

from __future__ import annotations

import re

MOST_WORDS, MOST_CHARACTERS = 40, 240
MARKER = re.compile(r"^\s*(?:[-*•>#]+|\(?\d{1,3}[.):])\s*")  # of a list, a quotation or a heading
LABEL = re.compile(r"^(?:prompt|picture|image|description|caption|answer|details)\s*\d*\s*:\s*", re.IGNORECASE)
QUOTES = "\"'\u201c\u201d\u2018\u2019\u00ab\u00bb`*_ "
TALK = re.compile(
    r"\b(?:sorry|as an ai|language model|here (?:is|are)|sure\b|certainly|of course"
    r"|i (?:can|can't|cannot|would|will|am)|i'm|let me|you (?:can|could|should|want)|your (?:prompt|question|request)"
    r"|https?:|www\.)",
    re.IGNORECASE,
)
REPEATED = re.compile(r"\b(\w+)(?:\W+\1\b){2,}", re.IGNORECASE)
MARKUP = re.compile(r"[<>{}|\[\]\\=]|\*\*|```")


def cleaned(answer: str) -> str:
    """The answer's first line with content, without list marks, labels and quotation marks, as one sentence."""
    line = next((line for line in answer.splitlines() if line.strip(QUOTES)), "")
    line = LABEL.sub("", MARKER.sub("", line).strip(QUOTES)).strip(QUOTES)
    line = " ".join(line.split())
    first = re.split(r"(?<=[a-z\d)][.!])\s+(?=[A-Z])", line, maxsplit=1)[0]
    return first.rstrip(". ").strip(QUOTES)


def is_usable(line: str) -> bool:
    """Whether a line is one prompt: 2 to 40 words on one line that describe a picture and do not address the reader.

    It has at most 240 printable characters, begins with a letter or digit, is no question, has no markup, no word three
    times in a row, and none of the phrases with which a model talks about itself or its task.
    """
    words = line.split()
    return (
        2 <= len(words) <= MOST_WORDS
        and len(line) <= MOST_CHARACTERS
        and line.isprintable()
        and line[0].isalnum()
        and line[-1] not in "?:,;"
        and not any(pattern.search(line) for pattern in (TALK, REPEATED, MARKUP))
    )
