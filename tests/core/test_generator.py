"""Options are typed: each has one default, and a misspelt name is an error."""

from __future__ import annotations

import pytest
import torch

from fakes.models import FakeConfig, FakeGenerator, FakeOptions, FakeTextEncoder
from t2i.errors import InvalidConfigError
from t2i.generator import Generator, NoOptions
from t2i.noise import Noise


def test_options_are_the_given_ones_and_the_defaults() -> None:
    generator = FakeGenerator()
    assert generator.options() == FakeOptions() and type(generator.options()) is FakeOptions
    assert generator.options(gain=0.5) == FakeOptions(gain=0.5)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"gian": 0.5}, "options of fake: unknown field 'gian'. Did you mean 'gain'?"),
        ({"zzz": 0.5}, "options of fake: unknown field 'zzz'. Known fields: gain."),
        ({"self": 0.5}, "options of fake: unknown field 'self'. Known fields: gain."),
        ({"gain": 0}, "options of fake: field 'gain': input should be greater than 0, got 0."),
        ({"gain": None}, "options of fake: field 'gain': input should be a valid number, got None."),
        ({"gain": [[1]]}, "options of fake: field 'gain': input should be a valid number, got [[1]]."),
        ({"gain": float("nan")}, "options of fake: field 'gain': input should be a finite number, got nan."),
    ],
)
def test_a_wrong_option_is_a_one_sentence_error(values: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidConfigError) as caught:
        FakeGenerator().options(**values)
    assert str(caught.value) == says


def test_generate_takes_options_as_one_argument() -> None:
    generator, text = FakeGenerator(FakeConfig()), FakeTextEncoder().encode(["a red heart"])
    for arguments in ({"gain": 0.5}, {"gian": 0.5}, {}):
        with pytest.raises(TypeError, match="generate"):
            generator.generate(text, Noise([7]), **arguments)  # type: ignore[arg-type, call-arg]
    with torch.no_grad():
        one, other = (generator.generate(text, Noise([7]), generator.options(gain=gain)) for gain in (1, 2))
    assert not torch.equal(one, other)


def test_a_technique_may_have_no_options() -> None:
    assert Generator.options_type is NoOptions and not NoOptions.model_fields
