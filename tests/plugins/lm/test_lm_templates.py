"""Templates: all variations in order, samples by seed, wildcards, and errors of one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2i.errors import InvalidInputError
from t2i_lm.templates import MOST_VARIATIONS, Template


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a heart", ["a heart"]),
        ("a {red|blue} {house|castle}", ["a red house", "a red castle", "a blue house", "a blue castle"]),
        ("a {{dark|light} red|blue} house", ["a dark red house", "a light red house", "a blue house"]),
        ("a {|red} heart", ["a heart", "a red heart"]),
        (r"a \{red\|blue\} heart", ["a {red|blue} heart"]),
        ("a|b {x}", ["a|b x"]),
        ("{a|a} b", ["a b"]),
        ("snake_case __init", ["snake_case __init"]),
    ],
)
def test_all_variations_in_order(text: str, expected: list[str]):
    assert list(Template.parse(text).all()) == expected


def test_wildcards_come_from_files(tmp_path: Path):
    (tmp_path / "animals").mkdir()
    (tmp_path / "animals" / "pets.txt").write_text("cat\n{big|small} dog\n")
    (tmp_path / "things.txt").write_text("__animals/pets__\nboat\n")
    template = Template.parse("a __things__", tmp_path)
    assert list(template.all()) == ["a cat", "a big dog", "a small dog", "a boat"] and template.count == 4


@pytest.mark.parametrize("text", ["a {red|blue} house", "a {0|1|2|3|4|5|6|7|8|9}" * 6])
def test_samples_are_distinct_variations_and_the_same_for_the_same_seed(text: str):
    template = Template.parse(text)
    count = min(template.count, 40)
    drawn = template.sample(count, seed=3)
    assert len(set(drawn)) == count == len(drawn) and drawn == template.sample(count, seed=3)
    if template.count > count:
        assert drawn != template.sample(count, seed=4)
    else:
        assert set(drawn) == set(template.all())
        assert len(template.sample(5)) == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "1 to 10,000 characters"),
        ("x" * 10_001, "1 to 10,000 characters"),
        ("a {red|blue house", "opens a brace that it does not close, at character 3"),
        ("a red} house", "closes a brace that it does not open, at character 6"),
        ("{" * 100 + "}" * 100, "nested 16 deep"),
        ("a __pets__", "--wildcards FOLDER"),
    ],
)
def test_mistakes_are_errors_of_one_sentence(text: str, said: str):
    with pytest.raises(InvalidInputError, match=said):
        Template.parse(text)


def test_wildcards_stay_in_their_folder_and_end(tmp_path: Path):
    (tmp_path / "loop.txt").write_text("a __loop__\n")
    with pytest.raises(InvalidInputError, match="contains itself"):
        Template.parse("__loop__", tmp_path)
    with pytest.raises(InvalidInputError, match="Cannot read"):
        Template.parse("__none__", tmp_path)
    assert list(Template.parse("__../secret__", tmp_path).all()) == ["__../secret__"]
    (tmp_path / "broken.txt").write_text("a } b\n")
    with pytest.raises(InvalidInputError, match="a line that is not a template"):
        Template.parse("__broken__", tmp_path)


def test_a_wildcard_in_many_others_is_read_once(tmp_path: Path):
    for number in range(10):
        (tmp_path / f"w{number}.txt").write_text("".join(f"{n} __w{number + 1}__\n" for n in range(50)))
    (tmp_path / "w10.txt").write_text("red\nblue\n")
    template = Template.parse("a __w0__ __w0__", tmp_path)
    assert template.count == (50**10 * 2) ** 2 and len(template.sample(3)) == 3


def test_too_many_variations_can_only_be_sampled():
    template = Template.parse("{0|1|2|3|4|5|6|7|8|9}" * 30)
    assert template.count == 10**30
    with pytest.raises(InvalidInputError, match=f"At most {MOST_VARIATIONS:,}"):
        template.all()
    assert len(template.sample(10)) == 10


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="{}|\\_ab ", max_size=40))
def test_any_template_is_parsed_or_refused(text: str):
    try:
        template = Template.parse(text)
    except InvalidInputError:
        return
    if template.count <= 1000:
        every = list(template.all())
        assert 1 <= len(every) <= template.count and len(set(every)) == len(every)
        assert set(template.sample(5)) <= set(every)
