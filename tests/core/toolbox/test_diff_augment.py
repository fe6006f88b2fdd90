"""DiffAugment: random changes of a discriminator's pictures that gradients pass through."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from t2i.config import parse_config
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.testing.checks.roles.models import generator
from t2i.testing.checks.tiny_training import losses, players, tiny_batch
from t2i.toolbox.diff_augment import DRAWS, augmented
from t2i.toolbox.game_config import Change
from t2i.training.defaults.recommend import has_setting
from t2i.training.run import read_recipe

ALL: tuple[Change, ...] = ("colour", "translation", "cutout")
AUGMENTED = sorted(
    spec.name for spec, _ in registry().all(ModelSpec) if spec.objective and has_setting(spec, "objective.augment")
)


def pictures(b: int = 6, side: int = 16) -> Tensor:
    return torch.rand(b, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_no_change_returns_the_very_pictures() -> None:
    images = pictures()
    assert augmented((), images)[0] is images


@pytest.mark.parametrize("change", ALL)
def test_real_and_drawn_pictures_are_changed_alike_and_each_differently(change: Change) -> None:
    images = pictures(1).expand(6, -1, -1, -1)
    first, second, fewer = augmented([change], images, images, images[:4])
    assert torch.equal(first, second) and torch.equal(first[:4], fewer)
    assert not torch.equal(first, images) and len({picture.sum().item() for picture in first}) == 6


def test_a_translation_moves_pixels_by_at_most_an_eighth_and_fills_with_zeros() -> None:
    images = pictures(64)
    (moved,) = augmented(["translation"], images)
    offsets = set()
    for before, after in zip(images, moved, strict=True):
        fits = [(dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if torch.equal(after, _shifted(before, dy, dx))]
        assert len(fits) == 1
        offsets.update(fits)
    assert max(abs(offset) for pair in offsets for offset in pair) == 2 and len(offsets) > 10


def _shifted(picture: Tensor, dy: int, dx: int) -> Tensor:
    padded = torch.nn.functional.pad(picture, (2, 2, 2, 2))
    return padded[:, 2 + dy : 18 + dy, 2 + dx : 18 + dx]


def test_a_cutout_is_a_square_of_half_the_side_at_most() -> None:
    (cut,) = augmented(["cutout"], torch.ones(200, 3, 16, 16))
    holes = (cut == 0).all(1)  # b h w
    heights, widths = holes.any(2).sum(1), holes.any(1).sum(1)
    assert torch.equal(holes.sum((1, 2)), heights * widths)  # rectangles
    assert heights.max() == widths.max() == 8 and heights.min() >= 4  # at an edge, half of it is inside


def test_colours_change_as_in_the_paper() -> None:
    grey = torch.full((500, 3, 4, 4), 0.25)
    (bright,) = augmented(["colour"], grey)
    assert bright.flatten(1).std(1).max() < 1e-5  # a grey picture stays grey
    assert -0.25 <= bright.min() < -0.2 and 0.7 < bright.max() <= 0.75
    colourful = torch.tensor([0.5, -0.5, 0.0])[:, None, None].expand(500, 3, 4, 4)
    (changed,) = augmented(["colour"], colourful)
    spread = (changed[:, 0] - changed[:, 1]).amax((1, 2))  # 1 times saturation times contrast
    assert spread.min() < 0.1 and 2.5 < spread.max() <= 3.0


def test_gradients_pass_twice() -> None:
    images = pictures().requires_grad_()
    (seen,) = augmented(ALL, images)
    (gradient,) = torch.autograd.grad((seen**3).sum(), images, create_graph=True)
    assert gradient.abs().flatten(1).sum(1).min() > 0
    (second,) = torch.autograd.grad(gradient.square().sum(), images)
    assert second.isfinite().all() and second.abs().sum() > 0


def test_all_techniques_with_a_discriminator_have_the_setting() -> None:
    assert AUGMENTED == ["attngan", "cgan", "dfgan", "stackgan", "stackgan-v2", "vaegan"]


@pytest.mark.parametrize("policy", [(), ("cutout",)])
@pytest.mark.parametrize("technique", AUGMENTED)
def test_discriminators_see_only_changed_pictures(
    technique: str, policy: tuple[Change, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a change that makes every pixel NaN, so is each term of their losses."""
    monkeypatch.setitem(DRAWS, "cutout", lambda like: lambda x: x * torch.nan)
    spec, _ = registry().get(ModelSpec, technique)
    settings = read_recipe(technique, "tiny")["objective"] | {"augment": policy}
    made = load_target(spec.objective)(
        generator(spec), parse_config(load_target(spec.objective_config), settings, technique)
    )
    terms: dict[str, bool] = {}
    for _, player in players(made):
        if player.name.startswith("discriminator"):
            terms |= {name: bool(term.isnan()) for name, term in losses(made, player, tiny_batch(made)).items()}
    assert len(terms) >= 3 and set(terms.values()) == {bool(policy)}, terms  # real, drawn and with wrong text
