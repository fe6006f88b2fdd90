"""A small YAML file can neither expand to gigabytes nor be infinite."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2i.plain_yaml import load_yaml

MERGED = "a0: &a0 {x: 1, y: 2}\n" + "\n".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 12)
)


def test_plain_values_are_read() -> None:
    assert load_yaml("train: {steps: 3, lr: 0.5}\nmodel: &m [1, true, null]\nsame: *m") == {
        "train": {"steps": 3, "lr": 0.5},
        "model": [1, True, None],
        "same": [1, True, None],
    }


def test_repeated_merges_do_not_grow() -> None:
    assert load_yaml(MERGED)["a11"] == {"x": 1, "y": 2}


@pytest.mark.parametrize(
    "text",
    ["&a [*a]", "a: &a {b: *a}", "[" * 5000, "a: b: c", "!!python/object/apply:os.system [ls]", "{[]: 1}"],
    ids=["itself", "itself-deep", "nested", "broken", "python", "key"],
)
def test_malicious_yaml_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        load_yaml(text)


@settings(deadline=None)
@given(st.text(st.sampled_from("ab:-{}[]&*<!|>'\"#%? \n\t019.e_"), max_size=60))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        load_yaml(text)
