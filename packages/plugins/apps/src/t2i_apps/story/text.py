"""A story's text as paragraphs, with headings and the writer's own prompts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from t2i.arguments import shown
from t2i.drawing.prompts import utf8_text
from t2i.errors import InvalidInputError
from t2i.files import read_bytes
from t2i.plain_text import MAX_PROMPT_CHARACTERS, text_lines

MOST_BYTES = 50_000_000
MOST_PARAGRAPHS, MOST_CHARACTERS = 10_000, 20_000
HEADING = re.compile(r"#{1,6}\s+(.*)")
PICTURE = re.compile(r"\[picture:(.*)\]", re.IGNORECASE)


@dataclass(frozen=True)
class Paragraph:
    """A paragraph on one line.

    Attributes:
        heading: of the chapter that begins with it; "" if none does.
        picture: the prompt that the writer gave; "" if none.
    """

    text: str
    heading: str = ""
    picture: str = ""


@dataclass(frozen=True)
class Story:
    """A text to illustrate.

    Attributes:
        title: "" if the text does not begin with a heading.
        paragraphs: 1 to MOST_PARAGRAPHS.
    """

    title: str
    paragraphs: tuple[Paragraph, ...]


def read_story(path: Path) -> Story:
    """Read a text file, in which an empty line ends a paragraph.

    A line that begins with # is a heading; the first one, before any paragraph, is the title. A line such as
    [picture: a red fox] gives the prompt of the paragraph that it is in, or of the next one.

    Raises:
        InvalidInputError: the file is missing, too large, not UTF-8, or its text cannot be a story.
    """
    try:
        content = read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise InvalidInputError(f"Cannot read the story in {path}: {error.strerror}.") from None
    return parse_story(utf8_text(content, str(path)), str(path))


def parse_story(text: str, name: str) -> Story:
    """
    Args:
        name: of the text, for messages.

    Raises:
        InvalidInputError: it has no paragraph or too many, or one is too long; a prompt has no paragraph.
    """
    title = heading = picture = ""
    paragraphs: list[Paragraph] = []
    for blank, block in groupby(map(str.strip, text_lines(text)), key=lambda line: not line):
        words: list[str] = []
        for line in () if blank else block:
            if match := HEADING.fullmatch(line):
                heading = match[1].strip()
                if not title and not paragraphs:
                    title, heading = heading, ""
            elif match := PICTURE.fullmatch(line):
                picture = _prompt(match[1], name)
            else:
                words.append(line)
        if words:
            paragraphs.append(Paragraph(_checked(" ".join(" ".join(words).split()), name), heading, picture))
            heading = picture = ""
    if picture:
        raise InvalidInputError(
            f"{name} ends with the prompt {shown(picture)}, but no paragraph follows it. Move it up."
        )
    if not 0 < len(paragraphs) <= MOST_PARAGRAPHS:
        raise InvalidInputError(
            f"A story has 1 to {MOST_PARAGRAPHS:,} paragraphs, with an empty line between them, but {name} has "
            f"{len(paragraphs):,}."
        )
    return Story(title, tuple(paragraphs))


def _checked(text: str, name: str) -> str:
    if len(text) > MOST_CHARACTERS:
        raise InvalidInputError(
            f"A paragraph has at most {MOST_CHARACTERS:,} characters, but one in {name} has {len(text):,}: "
            f"{shown(text[:40])}. Break it with an empty line."
        )
    return text


def _prompt(text: str, name: str) -> str:
    prompt = " ".join(text.split())
    if not 0 < len(prompt) <= MAX_PROMPT_CHARACTERS:
        raise InvalidInputError(
            f"A line [picture: ...] gives a prompt of 1 to {MAX_PROMPT_CHARACTERS:,} characters, but one in {name} has "
            f"{len(prompt):,}."
        )
    return prompt
