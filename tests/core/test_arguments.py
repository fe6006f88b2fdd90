"""Values of a wrong type give one-sentence errors in Python, and NumPy's integers become ints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import t2i
from fakes.arguments import NO_NUMBERS
from t2i.arguments import check_whole_number, shown
from t2i.errors import InvalidInputError
from t2i.noise import Noise
from t2i.seeds import MAX_SEED, check_seed, check_seeds, choose_seeds

pytestmark = pytest.mark.usefixtures("signatures_unchecked")
TENSORS = (torch.tensor(1), torch.tensor(1.5), torch.tensor([1, 2]), np.float64(1), np.bool_(True), np.array([1, 2]))


@pytest.mark.parametrize("value", [*NO_NUMBERS, *TENSORS, 2, 12, 10**5000], ids=lambda value: shown(value)[:30])
def test_a_value_that_is_not_a_whole_number_in_the_range_is_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_whole_number(value, "The size", 3, 11)
    assert str(caught.value) == f"The size must be a whole number from 3 to 11, got {shown(value)}."
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("value", [3, 11, np.int64(7), np.uint8(7)])
def test_whole_numbers_become_ints(value: Any) -> None:
    found = check_whole_number(value, "The size", 3, 11)
    assert found == value and type(found) is int


def test_a_range_may_have_no_upper_end() -> None:
    assert check_whole_number(10**30, "The size", 1) == 10**30
    with pytest.raises(InvalidInputError, match=r"^The size must be a whole number of 1 or more, got 0.$"):
        check_whole_number(0, "The size", 1)


@pytest.mark.parametrize("bad", [*NO_NUMBERS, -1, MAX_SEED + 1], ids=repr)
def test_every_function_that_takes_a_seed_gives_the_same_error(bad: Any) -> None:
    doors = [check_seed, lambda seed: check_seeds([0, seed]), lambda seed: Noise([seed])]
    doors += [] if bad is None else [lambda seed: choose_seeds(seed, 1)]
    for door in doors:
        with pytest.raises(InvalidInputError) as caught:
            door(bad)
        assert str(caught.value) == f"A seed must be a whole number from 0 to {MAX_SEED}, got {bad!r}."


@pytest.mark.parametrize("bad", [None, 7, 1.5, True])
def test_seeds_must_be_a_list(bad: Any) -> None:
    with pytest.raises(InvalidInputError, match=rf"^Seeds must be a list of whole numbers, got {bad}.$"):
        Noise(bad)


@pytest.mark.parametrize("bad", [None, 7, 1.5, True, ["cgan"], b"cgan"], ids=repr)
@pytest.mark.parametrize(
    "door",
    [
        *(t2i.pipeline, t2i.create_model, t2i.from_pretrained, t2i.model_info),
        *(t2i.create_text_encoder, t2i.create_evaluator, t2i.load_dataset),
    ],
)
def test_a_name_must_be_a_string(door: Any, bad: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"^An? [a-z ]+'s name must be a string, got "):
        door(bad)
