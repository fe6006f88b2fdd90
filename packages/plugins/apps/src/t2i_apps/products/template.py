"""Texts made of a table's columns, such as "{title}, {colour}". {{ and }} stand for braces."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from t2i.arguments import check_text, shown
from t2i.errors import DataError, InvalidInputError, did_you_mean

MOST_CHARACTERS, MOST_LISTED = 10_000, 40
PART = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<column>[^{}]*)\}|(?P<stray>[{}])")
GAP = re.compile(r"\s*,(?:\s*,)+")


@dataclass(frozen=True)
class Column:
    """The place of a column's cell in a template."""

    name: str


@dataclass(frozen=True)
class ColumnTemplate:
    """A parsed template: texts, and columns between them."""

    text: str
    parts: tuple[str | Column, ...]

    @classmethod
    def parse(cls, text: str, what: str) -> ColumnTemplate:
        """Parse a template.

        Args:
            what: the option that gave it, for messages.

        Raises:
            InvalidInputError: a brace has no partner, it names no column at all, or it is too long.
        """
        if len(check_text(text, what)) > MOST_CHARACTERS:
            raise InvalidInputError(f"{what} has at most {MOST_CHARACTERS:,} characters, got {len(text):,}.")
        parts: list[str | Column] = []
        end = 0
        for match in PART.finditer(text):
            if match["stray"]:
                raise InvalidInputError(
                    f"{what} {shown(text)} has a brace without its partner at character {match.start() + 1}. "
                    f"To write a brace itself, double it."
                )
            brace, column = match["brace"], match["column"]
            parts += [text[end : match.start()], brace[0] if brace else Column(column.strip())]
            end = match.end()
        parts.append(text[end:])
        if not any(isinstance(part, Column) for part in parts):
            raise InvalidInputError(
                f"{what} {shown(text)} names no column, so it would be the same for every row. Write a column's name "
                f"in braces, such as {{title}}."
            )
        return cls(text, tuple(part for part in parts if part != ""))

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(dict.fromkeys(part.name for part in self.parts if isinstance(part, Column)))

    def check(self, known: Iterable[str], table: str) -> None:
        """
        Raises:
            DataError: it names a column that the table does not have; lists the table's columns.
        """
        known = list(known)
        for name in self.columns:
            if name not in known:
                more = f" and {len(known) - MOST_LISTED} more" if len(known) > MOST_LISTED else ""
                raise DataError(
                    f"{table} has no column {shown(name)}, which {shown(self.text)} names."
                    f"{did_you_mean(name, known)} Its columns: {', '.join(known[:MOST_LISTED])}{more}."
                )

    def fill(self, cells: Mapping[str, str]) -> str:
        """The text for one row.

        Args:
            cells: has every column of the template.
        """
        return "".join(cells[part.name] if isinstance(part, Column) else part for part in self.parts)


def without_gaps(prompt: str) -> str:
    """The prompt on one line, without the commas that empty cells leave: "a chair, , oak" is "a chair, oak"."""
    return GAP.sub(",", " ".join(prompt.split())).strip(" ,")
