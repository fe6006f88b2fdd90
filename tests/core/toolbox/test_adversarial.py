"""The arithmetic of adversarial losses against torch's own and numbers calculated by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from t2i.toolbox.adversarial import fake_loss, feature_distance, fooling_loss, gradient_penalty, real_loss, rolled

LOGITS = torch.tensor([2, 0.5, -1, 0])


def test_hinge_by_hand() -> None:
    """real: (0 + .5 + 2 + 1)/4; fake: (3 + 1.5 + 0 + 1)/4; fooling: -(2 + .5 - 1 + 0)/4."""
    found = [loss(LOGITS, "hinge").item() for loss in (real_loss, fake_loss, fooling_loss)]
    assert found == [0.875, 1.375, -0.375]


@pytest.mark.parametrize(("loss", "label"), [(real_loss, 1.0), (fake_loss, 0.0), (fooling_loss, 1.0)])
def test_bce_is_torchs(loss, label: float) -> None:  # type: ignore[no-untyped-def]
    wanted = F.binary_cross_entropy_with_logits(LOGITS, torch.full((4,), label))
    torch.testing.assert_close(loss(LOGITS, "bce"), wanted)


def test_r1_of_a_linear_discriminator_is_its_squared_weight() -> None:
    images, weight = torch.randn(5, 3, 4, 4, requires_grad=True), torch.randn(3, 4, 4, requires_grad=True)
    penalty = gradient_penalty((images * weight).flatten(1).sum(1), images)
    torch.testing.assert_close(penalty, weight.square().sum())
    (gradient,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradient, 2 * weight)


def test_r1_of_a_quadratic_discriminator() -> None:
    """D = a |x|^2 / 2, so its gradient is a x, and the mean squared norm a^2 mean |x|^2."""
    images, a = torch.randn(5, 3, 4, 4, requires_grad=True), torch.tensor(0.7, requires_grad=True)
    penalty = gradient_penalty(a * images.square().flatten(1).sum(1) / 2, images)
    norm = images.detach().square().flatten(1).sum(1).mean()
    torch.testing.assert_close(penalty, a.detach() ** 2 * norm)
    torch.testing.assert_close(torch.autograd.grad(penalty, a)[0], 2 * a.detach() * norm)


def test_feature_distances_are_relative_to_the_wanted_features() -> None:
    one, other = torch.randn(2, 3), torch.randn(2, 3)
    wanted = (one - other).abs().mean() / other.abs().mean()
    torch.testing.assert_close(feature_distance([one, 5 * one], [other, 5 * other]), wanted)


def test_all_pictures_are_rolled_by_one_offset() -> None:
    images, offsets = torch.randn(5, 3, 4, 4), set()
    steps = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    for seed in range(40):
        torch.manual_seed(seed)
        first, second = rolled(1, images, 2 * images[:2])
        (offset,) = [o for o in steps if torch.equal(images.roll(o, (2, 3)), first)]
        assert torch.equal(second, 2 * first[:2])
        offsets.add(offset)
    assert len(offsets) == 9
    assert rolled(0, images) == (images,)
