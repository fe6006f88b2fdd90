"""Typed queries become FTS5 expressions that are always valid and find the right records."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2i.errors import InvalidInputError
from t2i_index.query import MAX_CHARACTERS, parse_query, spaced

TEXTS = (
    "a cat astronaut on the moon",
    "an astronaut cat",
    "two cats and a dog",
    "a dog in a sci-fi house",
    "Ein Café in München",
    "宇宙飛行士の猫",
    "кошка на луне",
    "a red NOT gate",
)


@pytest.fixture(scope="module")
def words() -> sqlite3.Connection:
    """The texts, as the index stores them."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        """CREATE VIRTUAL TABLE words USING fts5 (body, content='', tokenize="porter unicode61 remove_diacritics 2")"""
    )
    connection.executemany("INSERT INTO words (rowid, body) VALUES (?, ?)", enumerate(map(spaced, TEXTS)))
    return connection


def found(words: sqlite3.Connection, query: str) -> list[int]:
    sql = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid"
    return [row for (row,) in words.execute(sql, [parse_query(query).expression])]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("cat astronaut", [0, 1]),
        ('"cat astronaut"', [0]),
        ("cat NOT astronaut", [2]),
        ("cat OR house", [0, 1, 2, 3]),
        ("dog AND house", [3]),
        ("astro*", [0, 1]),
        ('"a cat astro"*', [0]),
        ("CATS", [0, 1, 2]),
        ("sci-fi", [3]),
        ("cafe munchen", [4]),
        ("猫", [5]),
        ("宇宙飛行士", [5]),
        ("飛宙", []),
        ("луне", [6]),
        ('"NOT" gate', [7]),
        ("cat OR", [0, 1, 2]),
        ("AND cat", [0, 1, 2]),
        ("cat AND OR house", [0, 1, 2, 3]),
        ('"unclosed cat', []),
        ("cat; DROP TABLE words --", []),
        ("cat near(astronaut, 2)", []),
        ("body:cat", []),
    ],
)
def test_a_query_finds_the_matching_texts(words: sqlite3.Connection, query: str, expected: list[int]):
    assert found(words, query) == expected


@settings(max_examples=300, deadline=None)
@given(
    st.text(
        alphabet=st.one_of(st.sampled_from('"*()^:-+{}~,. \0abANDORT'), st.characters(codec="utf-16", categories=None)),
        max_size=60,
    )
)
def test_fts5_accepts_any_query(words: sqlite3.Connection, query: str):
    try:
        parsed = parse_query(query)
    except InvalidInputError as error:
        assert "A search needs a word" in str(error) or "NOT needs words before" in str(error)
        return
    words.execute("SELECT rowid FROM words WHERE words MATCH ?", [parsed.expression]).fetchall()


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "A search needs a word, got ''"),
        ("!!! ***", "A search needs a word"),
        ("NOT cat", "NOT needs words before it"),
        ("x" * 10_000, f"at most {MAX_CHARACTERS} characters, got 10000"),
        ("a " * 400, "at most 32 words, got 400"),
    ],
)
def test_invalid_queries_are_refused_with_one_sentence(query: str, said: str):
    with pytest.raises(InvalidInputError, match=said.replace("*", r"\*")):
        parse_query(query)


def test_literal_words_come_first_then_short_texts():
    query = parse_query("cats OR dogs")
    ranked = sorted(["a cat and a dog", "cats", "many cats and dogs", "dogs, and nothing else"], key=query.fit)
    assert ranked == ["many cats and dogs", "cats", "dogs, and nothing else", "a cat and a dog"]
