"""The plugin's declarations and its settings."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import torch
import yaml

from t2i.config import parse_config
from t2i.errors import InvalidConfigError
from t2i.training.config import TrainConfig
from t2i_transformer.config import TransformerConfig, TransformerObjectiveConfig, TransformerOptions
from t2i_transformer.generator import TokenTransformer


def test_the_recipe_paper_has_the_papers_settings() -> None:
    """Ramesh et al. 2021, sec. 2.1 and app. B: 1024 tokens of 8192 codes, AdamW (.9, .96), weight decay .045."""
    recipe = yaml.safe_load((files("t2i_transformer") / "recipes/paper.yaml").read_text())
    model = TransformerConfig.model_validate(recipe["model"])
    game = TransformerObjectiveConfig.model_validate(recipe["objective"])
    assert (model.resolution, model.codes, model.dim, model.depth) == (256, 8192, 256, 8)
    prior = game.optimizer
    assert (prior.lr, prior.beta1, prior.beta2, prior.weight_decay) == (6e-4, 0.9, 0.96, 0.045)
    assert game.condition_dropout == 0.1 and TrainConfig.model_validate(recipe["train"]).clip_norm == 0.5


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (TransformerConfig, {"resolutoin": 64}),
        (TransformerConfig, {"resolution": 4}),
        (TransformerConfig, {"codes": 1}),
        (TransformerConfig, {"widths": [0, 8]}),
        (TransformerConfig, {"prior": "diffusion"}),
        (TransformerConfig, {"dropout": 1.0}),
        (TransformerConfig, {"depth": 0}),
        (TransformerObjectiveConfig, {"tokenizer_share": 1.0}),
        (TransformerObjectiveConfig, {"codebook_decay": 1.0}),
        (TransformerObjectiveConfig, {"restart_below": 0}),
        (TransformerObjectiveConfig, {"condition_dropout": 1.0}),
        (TransformerObjectiveConfig, {"commitment": float("nan")}),
        (TransformerOptions, {"sampler": "beam"}),
        (TransformerOptions, {"guidance": -1}),
        (TransformerOptions, {"temperature": 0}),
        (TransformerOptions, {"top_k": -1}),
        (TransformerOptions, {"top_p": 0}),
        (TransformerOptions, {"top_p": 1.1}),
        (TransformerOptions, {"steps": 0}),
        (TransformerOptions, {"tempature": 1}),
    ],
)
def test_invalid_values_are_refused(kind: type, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=next(iter(values))):
        parse_config(kind, values, "here")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"resolution": 60}, "tokens of 8 px, and the resolution must be a multiple, got resolution=60"),
        ({"patch": 3}, "tokens of 12 px"),
        ({"widths": (8, 12)}, r"multiples of 8, got \[12\]"),
        ({"heads": 5}, "heads must divide dim=192, got heads=5"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        TokenTransformer(TransformerConfig(**values))


@pytest.mark.parametrize(
    ("resolution", "widths", "patch", "side"), [(16, (8,), 4, 4), (24, (8, 8), 2, 6), (8, (8,), 1, 8)]
)
def test_shapes_that_fit_draw_it(resolution: int, widths: tuple[int, ...], patch: int, side: int) -> None:
    generator = TokenTransformer(TransformerConfig(resolution=resolution, widths=widths, patch=patch, depth=1))
    tokens = generator.tokenizer.encode(torch.zeros(2, 3, resolution, resolution))
    assert tokens.shape == (2, side**2) and generator.prior.length == side**2
    assert generator.tokenizer.decode(tokens).shape == (2, 3, resolution, resolution)
