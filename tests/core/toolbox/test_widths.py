"""Lists of channels that follow from a resolution."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from t2i.create import create_model
from t2i.errors import InvalidConfigError
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.toolbox.widths import count_for, fitted

FINE_TUNES = "diffusers-lora"  # has no widths
TECHNIQUES = sorted(spec.name for spec, _ in registry().all(ModelSpec) if spec.name != FINE_TUNES)
LIGHT: dict[str, dict[str, Any]] = {"attngan": {"backbone": ""}}


def test_widths_are_cut_or_repeated_at_the_coarse_end() -> None:
    assert fitted((8, 6, 4), 2) == (6, 4) and fitted((8, 6, 4), 5) == (8, 8, 8, 6, 4) and fitted((8, 6), 2) == (8, 6)


@pytest.mark.parametrize(
    ("resolution", "patch", "count"), [(8, 1, 2), (64, 1, 5), (128, 2, 5), (48, 1, 0), (4, 1, 0), (64, 3, 0), (0, 1, 0)]
)
def test_each_width_doubles_the_side(resolution: int, patch: int, count: int) -> None:
    assert count_for(resolution, patch) == count
    if count:
        assert 4 * patch * 2 ** (count - 1) == resolution


@pytest.mark.parametrize("side", [32, 128])
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_the_resolution_is_the_only_setting_to_change(technique: str, side: int) -> None:
    with torch.device("meta"):
        generator = create_model(technique, resolution=side, text_dim=8, **LIGHT.get(technique, {}))
    assert generator.resolution == side


@pytest.mark.parametrize("technique", ["cgan", "cvae", "dfgan", "stackgan", "stackgan-v2"])
def test_widths_that_do_not_fit_are_an_error_with_a_way_out(technique: str) -> None:
    with pytest.raises(InvalidConfigError, match=r"leave .*out|These fit: model.widths=\[256, 256, 256, 128, 48\]"):
        create_model(technique, resolution=128, widths=[16, 8])


def test_a_resolution_that_no_widths_reach_is_an_error() -> None:
    for technique in ("dfgan", "stackgan-v2"):
        with pytest.raises(InvalidConfigError, match="48 px"):
            create_model(technique, resolution=48)
