"""The plugin's declarations and its settings."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from t2i.config import parse_config
from t2i.errors import InvalidConfigError
from t2i_cvae.config import CVAEConfig, CVAEObjectiveConfig, CVAEOptions
from t2i_cvae.generator import ConditionalVAE


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (CVAEConfig, {"resolutoin": 64}),
        (CVAEConfig, {"resolution": 4}),
        (CVAEConfig, {"widths": [64]}),
        (CVAEConfig, {"widths": [0, 8]}),
        (CVAEConfig, {"encoder_widths": [-8, 8]}),
        (CVAEConfig, {"latent_dim": 0}),
        (CVAEConfig, {"patch": 0}),
        (CVAEObjectiveConfig, {"beta": -1}),
        (CVAEObjectiveConfig, {"free_bits": -0.1}),
        (CVAEObjectiveConfig, {"kl_warmup": 1.1}),
        (CVAEObjectiveConfig, {"absolute_error": float("nan")}),
        (CVAEObjectiveConfig, {"optimizer": {"clock": "wall"}}),
        (CVAEOptions, {"temperature": -0.1}),
        (CVAEOptions, {"temperature": 2.1}),
        (CVAEOptions, {"temprature": 1}),
    ],
)
def test_invalid_values_are_refused(kind: type, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=next(iter(values))):
        parse_config(kind, values, "here")


@pytest.mark.parametrize(
    "values",
    [{"resolution": 48}, {"widths": (64, 64)}, {"encoder_widths": (64, 64)}, {"patch": 4}, {"patch": 3}],
)
def test_shapes_that_miss_the_resolution_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=r"give \d+ px per side"):
        ConditionalVAE(CVAEConfig(**values))


def test_widths_that_group_norms_cannot_split_are_refused() -> None:
    with pytest.raises(InvalidConfigError, match=r"multiples of 8, got \[12\]"):
        ConditionalVAE(CVAEConfig(resolution=16, encoder_widths=(8, 12), widths=(8, 8)))


@pytest.mark.parametrize(("resolution", "count", "patch"), [(16, 3, 1), (16, 2, 2), (24, 2, 3), (64, 3, 4)])
def test_shapes_that_reach_the_resolution_draw_it(resolution: int, count: int, patch: int) -> None:
    widths = (8,) * count
    vae = ConditionalVAE(
        CVAEConfig(resolution=resolution, widths=widths, encoder_widths=widths, patch=patch, text_dim=8)
    )
    mean, log_variance = vae.encoder(torch.zeros(2, 3, resolution, resolution), torch.zeros(2, 8))
    assert mean.shape == log_variance.shape == (2, 128)
    assert vae.decoder(mean, torch.zeros(2, 8)).shape == (2, 3, resolution, resolution)
