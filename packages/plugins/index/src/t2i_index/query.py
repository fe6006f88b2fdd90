"""Converts a typed query to a valid FTS5 expression."""

from __future__ import annotations

import re
from dataclasses import dataclass

from t2i.arguments import check_text, shown
from t2i.errors import InvalidInputError

MAX_CHARACTERS, MAX_TERMS = 1000, 32
OPERATORS = ("AND", "OR", "NOT")
TOKEN = re.compile(r'"([^"]*)"?(\*?)|([^\s"]+)')
WORD = re.compile(r"\w+", re.UNICODE)
# scripts written without spaces: each character is indexed as a word, and a run of them is searched as a phrase
UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)


def spaced(text: str) -> str:
    """The text in which every character of a script without spaces is a separate word; without unpaired surrogates."""
    text = text.encode("utf-8", "replace").decode()
    return text if text.isascii() else UNSPACED.sub(r" \1 ", text)


@dataclass(frozen=True)
class Term:
    """A word or a phrase of a query.

    Attributes:
        operator: joins it to the terms before it: "AND", "OR" or "NOT"; "" for the first one.
        words: at least one.
        is_prefix: the last word is a prefix.
        text: as typed, in lower case.
    """

    operator: str
    words: tuple[str, ...]
    is_prefix: bool
    text: str


@dataclass(frozen=True)
class Query:
    """A parsed search by words: NOT binds closest, then AND, then OR."""

    terms: tuple[Term, ...]

    @property
    def expression(self) -> str:
        """For FTS5; every word is quoted, so that only AND, OR and NOT are operators."""
        parts = [f'{term.operator} "{" ".join(term.words)}"{"*" * term.is_prefix}' for term in self.terms]
        return " ".join(parts).strip()

    def fit(self, text: str) -> tuple[int, int]:
        """How well a matching text fits, as a key to sort by: more literal occurrences first, then shorter texts.

        Inverse document frequencies would need every match of every word, which takes a second with a million texts.
        """
        lower = text.lower()
        return -sum(term.text in lower for term in self.terms if term.operator != "NOT"), len(text)


def parse_query(query: str) -> Query:
    """Parse words (all must occur), "phrases", prefix*, AND, OR and NOT.

    Raises:
        InvalidInputError: the query is not a string, has no word, is too long, or begins with NOT.
    """
    if len(check_text(query, "A search")) > MAX_CHARACTERS:
        raise InvalidInputError(
            f"A search may have at most {MAX_CHARACTERS} characters, got {len(query)}. Search for its rarest words."
        )
    terms: list[Term] = []
    operator = ""
    for phrase, star, word in TOKEN.findall(query):
        if word in OPERATORS:
            operator = word
            continue
        words = tuple(WORD.findall(spaced(phrase or word)))
        if not words:
            continue
        if operator == "NOT" and not terms:
            raise InvalidInputError(f"NOT needs words before it, got {shown(query)}. Try: cat NOT dog")
        is_prefix = bool(star) or word.endswith("*")
        terms.append(Term((operator or "AND") if terms else "", words, is_prefix, (phrase or word.rstrip("*")).lower()))
        operator = ""
    if not terms:
        raise InvalidInputError(f'A search needs a word, got {shown(query)}. For example: t2i search "red heart"')
    if len(terms) > MAX_TERMS:
        raise InvalidInputError(f"A search may have at most {MAX_TERMS} words, got {len(terms)}. Use fewer.")
    return Query(tuple(terms))
