"""Prompts from a model's answers: cleaned, checked, distinct, requested again, and an error if there are too few."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.lm.conftest import Scripted
from t2i.errors import InvalidInputError, LanguageModelError
from t2i_lm.lines import cleaned, is_usable
from t2i_lm.widening import widen
from t2i_lm.writing import OPTIONS, write_prompts


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("a red heart", "a red heart"),
        ("1. A red heart.", "A red heart"),
        ('  - "a red heart"\nand more', "a red heart"),
        ("\n\n**A red heart**", "A red heart"),
        ("Prompt 3: a red heart", "a red heart"),
        ("A red heart. It beats in the dark.", "A red heart"),
        ("a   red\theart", "a red heart"),
        ("2 hearts", "2 hearts"),
        ("", ""),
        ("...", ""),
    ],
)
def test_an_answer_is_cleaned(answer: str, line: str):
    assert cleaned(answer) == line


@pytest.mark.parametrize("line", ["a red heart", "two dogs", "2 hearts on a café table, 35 mm"])
def test_a_description_is_usable(line: str):
    assert is_usable(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "heart",
        "I'm sorry, I cannot draw",
        "Sure, here is a picture",
        "What is a heart?",
        "Here are some:",
        "very very very red heart",
        "a heart <|im_end|> and",
        "a [heart] of gold",
        "a heart at https://example.org",
        "word " * 41,
        "x" * 150 + " " + "y" * 150,
        "a red \x07 heart",
        "as an AI language model",
    ],
)
def test_any_other_line_is_not_usable(line: str):
    assert not is_usable(line)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_answer_can_be_cleaned(answer: str):
    line = cleaned(answer)
    assert "\n" not in line and line == line.strip()
    is_usable(line)


def test_prompts_are_distinct_and_come_from_further_seeds():
    model = Scripted(["a red heart", "", "A red heart.", "Sure, here you go", "1. two dogs", "a blue boat\nand"])
    assert list(write_prompts(model, "things", 3, seed=6)) == ["a red heart", "two dogs", "a blue boat"]
    assert [seed for _, seed in model.asked] == list(range(6, 22))
    assert all("things" in question for question, _ in model.asked)


def test_a_repeated_example_is_not_a_prompt():
    example = OPTIONS.examples[0][1]
    assert list(write_prompts(Scripted([example, "a red heart"]), "things", 1)) == ["a red heart"]


@pytest.mark.parametrize(
    "answers", [[""], ["I cannot help with that"], ["a red heart"], ["word " * 5000], ["\ufffd\x00"]]
)
def test_too_few_usable_answers_are_an_error(answers: list[str]):
    model = Scripted(answers)
    with pytest.raises(LanguageModelError, match=r"scripted must write 5 usable prompts, but wrote [01] in 30 answers"):
        list(write_prompts(model, "things", 5))
    assert len(model.asked) == 30


@pytest.mark.parametrize(("topic", "count"), [("", 1), (" \n", 1), ("x" * 501, 1), ("x", 0), ("x", 10_001)])
def test_an_invalid_request_is_refused_before_the_model_runs(topic: str, count: int):
    model = Scripted([""])
    with pytest.raises(InvalidInputError):
        write_prompts(model, topic, count)
    assert model.asked == []


def test_widened_prompts_keep_every_word():
    model = Scripted(["in the snow", "Cosy cabin, in the woods", "", "by a lake.", "In the snow"])
    assert widen(model, "cosy cabin", 3) == [
        "cosy cabin, in the snow",
        "cosy cabin, in the woods",
        "cosy cabin, by a lake",
    ]
    assert widen(Scripted(["at night"]), "Two cats, one dog.", 1) == ["Two cats, one dog, at night"]


def test_no_usable_details_are_an_error():
    with pytest.raises(
        LanguageModelError, match="scripted wrote 0 of 1 usable additions to 'cosy cabin', in 24 answers"
    ):
        widen(Scripted(["cosy cabin"]), "cosy cabin")
    with pytest.raises(InvalidInputError, match="at most 1000 characters"):
        widen(Scripted([""]), "x" * 1001)
