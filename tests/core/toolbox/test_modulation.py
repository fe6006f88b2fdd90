"""Modulated norms against torch's own."""

from __future__ import annotations

import torch
from torch import nn

from t2i.toolbox.modulation import modulated


def test_modulation_is_an_affine_group_norm() -> None:
    x, scale, shift = torch.randn(2, 16, 4, 4), torch.randn(2, 16), torch.randn(2, 16)
    found = modulated(x, torch.cat([scale, shift], dim=1), 8)
    for picture in range(2):
        norm = nn.GroupNorm(8, 16)
        norm.load_state_dict({"weight": 1 + scale[picture], "bias": shift[picture]})
        wanted = nn.functional.leaky_relu(norm(x[picture : picture + 1]), 0.2)
        torch.testing.assert_close(found[picture : picture + 1], wanted)
