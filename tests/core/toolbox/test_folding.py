"""Folded norms against the modules they came from."""

from __future__ import annotations

import torch
from torch import nn

from fakes.official_stackgan import with_batch_statistics
from t2i.toolbox.folding import folded
from t2i.toolbox.stages import Joint


def test_folding_is_torchs_own_arithmetic() -> None:
    plain = with_batch_statistics(
        nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.ConvTranspose2d(4, 5, 4, 2), nn.BatchNorm2d(5),
            nn.Flatten(), nn.Linear(5 * 14 * 14, 6, bias=False), nn.BatchNorm1d(6), nn.BatchNorm1d(6),
        )
    )  # fmt: skip
    x = torch.randn(4, 3, 8, 8)
    twin = folded(plain)
    torch.testing.assert_close(twin(x), plain(x), atol=1e-5, rtol=1e-4)
    assert [type(module) for module in twin].count(nn.Identity) == 3 and type(plain[1]) is nn.BatchNorm2d
    assert type(twin[8]) is nn.BatchNorm1d  # does not follow a layer it could be folded into
    joint = with_batch_statistics(Joint(4, 6, gated=True))
    c, h = torch.randn(4, 4), torch.randn(4, 6, 5, 5)
    torch.testing.assert_close(folded(nn.ModuleList([joint]))[0](c, h), joint(c, h), atol=1e-5, rtol=1e-4)
