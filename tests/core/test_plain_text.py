"""Lines end only at line feeds and carriage returns, and every name can be encoded."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from t2i.drawing.prompts import read_prompts
from t2i.plain_text import as_unicode, text_lines


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\x85", "\v", "\f", "\x1c", "\x1e"])
def test_other_line_separators_do_not_split_a_caption(tmp_path, inside):
    assert text_lines(f"a cat{inside}on a mat\na dog") == [f"a cat{inside}on a mat", "a dog"]
    (tmp_path / "prompts.txt").write_text(f"a cat{inside}on a mat\na dog\n", encoding="utf-8")
    assert read_prompts(tmp_path / "prompts.txt") == [f"a cat{inside}on a mat", "a dog"]


ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@given(st.lists(st.tuples(st.text("aé \u2028\x85\v", min_size=1, max_size=4), ENDS), max_size=6))
def test_lines_with_any_ends_round_trip(lines):
    assert text_lines("".join(line + end for line, end in lines)) == [line for line, _ in lines]
    assert text_lines("".join(line + end for line, end in lines) + "last") == [*(line for line, _ in lines), "last"]


@given(st.binary(min_size=1, max_size=20))
def test_any_file_name_becomes_text_that_can_be_encoded(name):
    as_unicode(os.fsdecode(name)).encode("utf-8")


@pytest.mark.parametrize(
    ("name", "escaped"),
    [(b"caf\xe9.png", "caf\\xe9.png"), ("café.png".encode(), "café.png"), (b"a\tb", "a\tb"), (b"plain", "plain")],
)
def test_only_bytes_that_are_not_utf8_are_escaped(name, escaped):
    assert as_unicode(os.fsdecode(name)) == escaped
