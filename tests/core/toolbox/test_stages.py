"""The blocks of staged GANs against torch's own layers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from t2i.toolbox.stages import GLU


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(3, 8), (3, 8, 4, 5)])
def test_glu_is_torchs_in_value_and_gradient(shape: tuple[int, ...], training: bool) -> None:
    x, layer = torch.randn(shape, dtype=torch.float64, requires_grad=True), GLU().train(training)
    torch.testing.assert_close(layer(x), F.glu(x, 1))
    towards = torch.randn_like(layer(x))
    torch.testing.assert_close(*(torch.autograd.grad(y, x, towards)[0] for y in (layer(x), F.glu(x, 1))))


def test_the_gradient_of_glu_keeps_the_memory_layout() -> None:
    x = torch.randn(3, 8, 4, 5).to(memory_format=torch.channels_last).requires_grad_()
    (gradient,) = torch.autograd.grad(GLU()(x).sum(), x)
    assert gradient.is_contiguous(memory_format=torch.channels_last)
