"""Rewritten convolutions against the textbook's layers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from t2i.toolbox.convolutions import FEW, DeepConv, JointConv, UpConv


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("side", [1, 2, 5, 12])
@pytest.mark.parametrize("bias", [False, True])
def test_upconv_is_upsampling_then_a_convolution(
    bias: bool, side: int, layout: torch.memory_format, training: bool
) -> None:
    """In both ways of computing it: 2 pictures of 12 x 12 px have more than FEW pixels."""
    assert 2 * 5**2 < FEW < 2 * 12**2
    layer = UpConv(6, 5, bias=bias).double().to(memory_format=layout).train(training)  # type: ignore[call-overload]
    x = torch.randn(2, 6, side, side).double().to(memory_format=layout).requires_grad_()
    assert (layer.bias is not None) == bias
    wanted = F.conv2d(nn.Upsample(scale_factor=2)(x), layer.weight, layer.bias, padding=1)
    found = layer(x)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(layer.for_drawing()(x), wanted)
    towards = torch.randn_like(wanted)
    for one, other in zip(
        torch.autograd.grad(found, (x, *layer.parameters()), towards),
        torch.autograd.grad(wanted, (x, *layer.parameters()), towards),
        strict=True,
    ):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("spectral", [True, False])
def test_deepconv_is_a_convolution_whose_weights_and_gradients_keep_the_plain_layout(spectral: bool) -> None:
    layer = DeepConv(6, 5, 3, padding=1)
    if spectral:
        nn.utils.parametrizations.spectral_norm(layer)
    network = nn.Sequential(layer).to(memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    x = torch.randn(2, 6, 4, 4).to(memory_format=torch.channels_last)
    network(x).sum().backward()
    torch.testing.assert_close(network(x), F.conv2d(x, layer.weight, layer.bias, padding=1))
    weight = layer.parametrizations.weight.original if spectral else layer.weight  # type: ignore[union-attr, index]
    assert weight.is_contiguous() and weight.grad.is_contiguous()
    assert not nn.Conv2d(6, 5, 3).to(memory_format=torch.channels_last).weight.is_contiguous()  # type: ignore[call-overload]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("side", [2, 3, 6])
def test_jointconv_is_a_convolution_over_features_and_planes(side: int, first: bool) -> None:
    layer, c, h = JointConv(4, 6, 5, condition_first=first), torch.randn(2, 4), torch.randn(2, 6, side, side)
    planes = c[:, :, None, None].expand(-1, -1, side, side)
    both = torch.cat([planes, h] if first else [h, planes], dim=1)
    torch.testing.assert_close(layer(c, h), F.conv2d(both, layer.weight, padding=1))
