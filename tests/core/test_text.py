"""Prompts, their embeddings, and the identity of the encoder."""

from __future__ import annotations

import jaxtyping
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fakes.models import FakeTextEncoder
from t2i.errors import EncoderMismatchError, InvalidInputError
from t2i.text import MAX_PROMPT_CHARACTERS, EncoderIdentity, TextEmbedding, Unread, behind, check_prompts

MINE = EncoderIdentity(name="minilm", revision="r1", sha256="a" * 64, dim=384)


@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1))
def test_prompts_lose_surrounding_white_space_and_nothing_else(prompts):
    assert check_prompts(prompts) == [prompt.strip() for prompt in prompts]


@pytest.mark.usefixtures("signatures_unchecked")
@pytest.mark.parametrize(
    ("prompts", "says"),
    [
        ([], "got none"),
        *((bad, "^Prompts must be a string or a list of strings, got") for bad in (None, 7, 1.5, True, b"a", {"a": 1})),
        *((["a", bad], "^Prompt 2 must be a string, got") for bad in (None, 7, 1.5, True, b"a", ["a"], [["a"]])),
        ([""], "Prompt 1 is empty"),
        (["a cat", " \t\n\u2003"], "Prompt 2 is empty"),
        (["a cat", "x" * 10_000], "prompt 2 has 10000"),
        (["a cat", "caf\udce9"], "prompt 2 has a byte that is not"),  # how Python receives Latin-1 from a shell
        (["x" * (MAX_PROMPT_CHARACTERS + 1)], f"at most {MAX_PROMPT_CHARACTERS} characters"),
    ],
)
def test_a_bad_prompt_is_refused_with_its_number(prompts, says):
    with pytest.raises(InvalidInputError, match=says):
        check_prompts(prompts)


@pytest.mark.usefixtures("signatures_unchecked")
def test_one_string_is_one_prompt():
    assert check_prompts(" a cat ") == check_prompts(["a cat"]) == check_prompts(iter(("a cat",))) == ["a cat"]


def test_the_longest_prompt_allowed_passes():
    assert check_prompts(["x" * MAX_PROMPT_CHARACTERS])


def test_an_embedding_indexes_as_its_three_tensors_do():
    text = FakeTextEncoder().encode(["a red heart", "pizza", "flag of Japan"])
    rows = [2, 0, 0]
    taken = text[rows]
    assert len(taken) == 3
    for part in ("sentence", "words", "mask"):
        assert torch.equal(getattr(taken, part), torch.stack([getattr(text, part)[row] for row in rows]))


def test_an_embedding_with_inconsistent_shapes_is_refused_in_tests():
    with pytest.raises(jaxtyping.TypeCheckError, match="TextEmbedding"):
        TextEmbedding(torch.zeros(2, 4), torch.zeros(3, 5, 4), torch.ones(3, 5, dtype=torch.bool))


def test_an_encoder_of_another_revision_but_equal_weights_is_the_same_encoder():
    MINE.require(EncoderIdentity(name="minilm", revision="r2", sha256="a" * 64, dim=384), "cgan.x")


@pytest.mark.parametrize(
    ("other", "part"),
    [
        (EncoderIdentity("minilm", "r1", "b" * 64, 384), "sha256"),
        (EncoderIdentity("minilm", "r1", "a" * 64, 512), "dim"),
        (EncoderIdentity("clip", "r1", "a" * 64, 384), "name"),
    ],
)
def test_another_encoder_is_refused_and_the_difference_named(other, part):
    with pytest.raises(EncoderMismatchError) as caught:
        MINE.require(other, "cgan.world64")
    mine, theirs = getattr(MINE, part), getattr(other, part)
    assert f"cgan.world64 was trained with the text encoder 'minilm' whose {part} is {mine!r}" in str(caught.value)
    assert f"has {theirs!r}" in str(caught.value)


def test_without_replaces_captions_and_keeps_the_length():
    text = FakeTextEncoder().encode(["a red heart", "pizza", "flag of Japan"])
    dropped = text.without(torch.tensor([True, False, True]))
    nothing = TextEmbedding.null(8)[[0, 0]]
    assert torch.equal(dropped.sentence[[0, 2]], nothing.sentence)
    assert torch.equal(dropped.words[[0, 2], :1], nothing.words) and not dropped.words[[0, 2]].any()
    assert dropped.mask.tolist() == [[True, False, False]] * 3  # "pizza" is one word
    assert torch.equal(dropped.words[1], text.words[1]) and torch.equal(dropped.sentence[1], text.sentence[1])
    assert torch.equal(FakeTextEncoder().null().sentence, torch.zeros(1, 8))


@pytest.mark.parametrize(
    ("unread", "says"),
    [
        (Unread(unknown=("zog", "\x1b[2J")), r"does not know 'zog', '\x1b[2J'."),
        (Unread(unknown=tuple("abcdefgh")), "does not know 'a', 'b', 'c', 'd', 'e' and 3 more."),
        (Unread(cut="and a hat"), "too long for the text encoder, which left out 'and a hat'."),
        (Unread(cut="x" * 90), f"left out '{'x' * 60}...'."),
        (Unread(unknown=("zog",), nothing=True), "knows no word of this prompt, so"),
        (Unread(unknown=("zog",), cut="and"), "does not know 'zog'. The prompt is too long"),
    ],
)
def test_what_is_not_read_is_reported_in_a_sentence(unread, says):
    assert unread and says in str(unread)


def test_if_everything_is_read_there_is_no_message():
    assert not Unread() and str(Unread()) == ""


@pytest.mark.parametrize(
    ("tokens", "caption", "rest"),
    [
        (("", "a", "red", ""), "a red heart", "heart"),
        (("fire", "fighter"), "firefighter", ""),
        (("a", "a"), "a a a  ", "a"),
        ((), " a heart", "a heart"),
        (("A", "missing"), "A heart", "heart"),
    ],
)
def test_the_rest_of_a_caption_follows_its_last_token(tokens, caption, rest):
    assert behind(tokens, caption) == rest
