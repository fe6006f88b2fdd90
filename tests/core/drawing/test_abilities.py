"""The arguments of `interpolate` in Python, and the errors about bad ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from fakes.arguments import NO_NUMBERS
from fakes.models import FakeTextEncoder
from t2i.drawing.abilities import interpolate
from t2i.drawing.pipeline import Pipeline
from t2i.errors import InvalidConfigError, InvalidInputError
from t2i.publishing.pretrained import save_pretrained
from t2i.snapshots.resolve import resolve
from t2i_cvae.config import CVAEConfig
from t2i_cvae.generator import ConditionalVAE

pytestmark = pytest.mark.usefixtures("signatures_unchecked")
TINY = CVAEConfig(resolution=16, text_dim=8, latent_dim=8, encoder_widths=(8, 16), widths=(16, 8))


@pytest.fixture(scope="module")
def pipe(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    torch.manual_seed(0)
    generator, encoder = ConditionalVAE(TINY).eval().requires_grad_(False), FakeTextEncoder()
    folder = save_pretrained(generator, Path(tmp_path_factory.mktemp("models")) / "m", text_encoder=encoder.identity)
    return Pipeline(resolve(str(folder)), generator, encoder)


def test_the_first_and_last_frame_are_the_two_pictures(pipe: Pipeline) -> None:
    walk = interpolate(pipe, ["a cat", "a dog"], [1, 2], 3, pipe.options(temperature=0.5))
    ends = [pipe(prompt, seed=seed, temperature=0.5)[0].image for prompt, seed in (("a cat", 1), ("a dog", 2))]
    for found, wanted in zip((walk[0], walk[-1]), ends, strict=True):
        assert max(abs(a - b) for a, b in zip(found.tobytes(), wanted.tobytes(), strict=True)) <= 1
    assert len(walk) == 3 and walk[0].tobytes() != walk[-1].tobytes()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        *(({"frames": bad}, "The number of frames must be a whole number from 2 to 400") for bad in (1, *NO_NUMBERS)),
        *(({"seeds": bad}, "Seeds must be a list of whole numbers") for bad in (None, 7, 1.5)),
        *(({"seeds": [1, bad]}, "A seed must be a whole number") for bad in (-1, *NO_NUMBERS)),
        *(({"prompts": ["a cat", bad]}, "Prompt 2 must be a string") for bad in (None, 7, ["a dog"])),
        ({"prompts": "a cat"}, "Interpolation takes 2 prompts and 2 seeds, got 1 and 2"),
        ({"seeds": [1, 2, 3]}, "Interpolation takes 2 prompts and 2 seeds, got 2 and 3"),
    ],
)
def test_an_argument_outside_its_range_is_refused(pipe: Pipeline, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^{says}"):
        interpolate(pipe, **({"prompts": ["a cat", "a dog"], "seeds": [1, 2], "frames": 3} | arguments))


def test_a_misspelt_option_is_refused(pipe: Pipeline) -> None:
    with pytest.raises(InvalidConfigError, match="Did you mean 'temperature'"):
        pipe.options(temprature=0.5)
