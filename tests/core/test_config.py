"""A config refuses unknown fields and wrong values with a one-sentence error."""

from __future__ import annotations

from typing import Literal

import pydantic
import pytest
from pydantic import Field

from t2i.config import Config, parse_config, parse_value
from t2i.errors import InvalidConfigError


class Inner(Config):
    lr: float = Field(1e-3, gt=0)


class Outer(Config):
    widths: tuple[int, ...] = Field((8, 8), min_length=2)
    loss: Literal["hinge", "bce"] = "hinge"
    inner: Inner = Inner()


class Nothing(Config):
    pass


@pytest.mark.parametrize(
    ("values", "sentences"),
    [
        ({"width": [4, 4]}, ["unknown field 'width'", "Did you mean 'widths'?"]),
        ({"zzz": 1}, ["unknown field 'zzz'", "Known fields: widths, loss, inner."]),
        ({"loss": "mse"}, ["field 'loss'", "'hinge' or 'bce'", "got 'mse'"]),
        ({"widths": [8]}, ["field 'widths'", "at least 2 items", "got [8]"]),
        ({"inner": {"lr": -1}}, ["field 'inner.lr'", "greater than 0", "got -1"]),
        ({"inner": {"lr": float("nan")}}, ["field 'inner.lr'", "got nan"]),
        ({"inner": {"rl": 1}}, ["unknown field 'inner.rl'"]),
        ({"loss": "mse", "zzz": 1}, ["field 'loss'", "unknown field 'zzz'"]),
    ],
)
def test_each_wrong_field_is_named_with_its_value_and_the_fix(values, sentences):
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(Outer, values, "config.json")
    message = str(caught.value)
    assert message.startswith("config.json: ")
    assert "pydantic" not in message
    assert "\n" not in message
    for sentence in sentences:
        assert sentence in message


class Batches(Config):
    size: int = 8
    parts: int = 1

    @pydantic.field_validator("parts")
    @classmethod
    def _few(cls, parts: int) -> int:
        if parts > 4:
            raise ValueError("must be 4 or fewer")
        return parts

    @pydantic.model_validator(mode="after")
    def _divides(self) -> Batches:
        if self.size % self.parts:
            raise ValueError(f"size must be a multiple of parts ({self.parts}), got {self.size}")
        return self


def test_a_sentence_of_the_config_itself_is_said_once_with_the_value():
    with pytest.raises(InvalidConfigError, match=r"field 'parts': must be 4 or fewer, got 5\.$"):
        parse_config(Batches, {"parts": 5}, "batches")
    with pytest.raises(InvalidConfigError, match=r"batches: size must be a multiple of parts \(3\), got 8\.$"):
        parse_config(Batches, {"parts": 3}, "batches")


def test_the_error_of_a_config_without_fields_says_that_it_has_none():
    with pytest.raises(InvalidConfigError, match="Known fields: none"):
        parse_config(Nothing, {"zzz": 1}, "options")


def test_valid_values_pass_and_the_rest_are_defaults():
    assert parse_config(Outer, {"loss": "bce"}, "here") == Outer(loss="bce", widths=(8, 8), inner=Inner(lr=1e-3))


def test_a_config_survives_json():
    config = Outer(widths=(4, 8, 16), inner=Inner(lr=0.1))
    assert Outer.model_validate_json(config.model_dump_json()) == config


def test_a_config_is_frozen():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Outer().loss = "bce"


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("0.5", 0.5), ("1e-5", 1e-5), ("-2.5E+3", -2500.0), ("true", True), ("[1, 2]", [1, 2]), ("1e", "1e")],
)
def test_a_value_is_parsed_as_yaml(text, value):
    assert parse_value(text, "--set") == value


@pytest.mark.parametrize("text", ["[1, 2", "{a: ", "2024-99-99", "!!python/object:os.system x", "[" * 1500])
def test_a_value_that_is_not_plain_yaml_is_refused(text):
    with pytest.raises(InvalidConfigError) as caught:
        parse_value(text, "--set train.steps")
    assert str(caught.value).startswith("--set train.steps must be a value such as")
    assert repr(text) in str(caught.value)
