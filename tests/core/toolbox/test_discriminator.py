"""The discriminator of every stage: its shape, and spectral norm against torch.linalg."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from t2i.toolbox.discriminator import StageDiscriminator


@pytest.mark.parametrize(
    ("side", "sides", "widths"),
    [
        (16, (8, 4), (4, 8)),
        (64, (32, 16, 8, 4), (4, 8, 16, 32)),
        (128, (64, 32, 16, 8, 4, 4), (4, 8, 16, 32, 64, 32)),
        (256, (128, 64, 32, 16, 8, 4, 4, 4), (4, 8, 16, 32, 64, 128, 64, 32)),
    ],
)
def test_it_halves_to_4_px_and_narrows_to_8_times_the_first_width(
    side: int, sides: tuple[int, ...], widths: tuple[int, ...]
) -> None:
    network = StageDiscriminator(side, 6, 4, spectral=False, unconditional=True, orthogonal=False).eval()
    features = network.features(torch.zeros(2, 3, side, side))
    assert tuple(f.shape[-1] for f in features) == sides and tuple(f.shape[1] for f in features) == widths
    assert network.logits(features, torch.zeros(2, 6)).shape == network.picture_logits(features).shape == (2,)


def test_spectral_norm_replaces_batch_norm() -> None:
    torch.manual_seed(0)
    network = StageDiscriminator(16, 6, 4, spectral=True, unconditional=True, orthogonal=True)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    with torch.no_grad():
        for _ in range(60):  # one power iteration per pass
            network.logits(network.features(torch.randn(1, 3, 16, 16)), torch.randn(1, 6))
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module is not network.judge_picture:
            assert torch.linalg.matrix_norm(module.weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.03)
