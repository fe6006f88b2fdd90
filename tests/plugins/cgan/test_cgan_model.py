"""Our own networks: initialisation, modulation, and spectral norm against torch.linalg."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from t2i_cgan.config import CGANConfig
from t2i_cgan.model import Discriminator, ModulatedGenerator, UpBlock


def conv(inputs: int, outputs: int, side: int) -> int:
    return inputs * outputs * side**2 + outputs


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_default_generators_size() -> None:
    """Text 384 + z 100 -> 512 -> 256; 4x4x256; blocks 256-256-128-48; 48 -> 3 x 2^2."""

    def block(inputs: int, outputs: int) -> int:
        modulation = linear(256, 2 * inputs) + linear(256, 2 * outputs)
        return modulation + conv(inputs, outputs, 3) + conv(outputs, outputs, 3) + conv(inputs, outputs, 1)

    wanted = linear(484, 512) + linear(512, 256) + linear(256, 256 * 16)
    wanted += block(256, 256) + block(256, 128) + block(128, 48)
    wanted += 2 * 48 + conv(48, 12, 3)
    assert count(ModulatedGenerator(CGANConfig())) == wanted == 3_792_412


def test_sub_pixel_kernels_are_equal_at_first() -> None:
    """ICNR (Aitken 2017): before training, sub-pixel convolution is nearest-neighbour upsampling, up to its bias."""
    config = CGANConfig(resolution=24, widths=(16, 8), pixel_shuffle=3, text_dim=8)
    network = ModulatedGenerator(config)
    nn.init.zeros_(network.to_rgb.bias)
    images = network(torch.randn(2, 8), torch.randn(2, 100))
    blocks = images.unfold(2, 3, 3).unfold(3, 3, 3)  # b 3 8 8 3 3
    assert torch.equal(blocks, blocks[..., :1, :1].expand_as(blocks))
    assert blocks[..., 0, 0].std() > 0


def test_upsampling_after_the_convolution_equals_upsampling_in_between() -> None:
    """In the block's cheaper order, skip and body both double the side."""
    block = UpBlock(16, 8, 4)
    assert block(torch.randn(2, 16, 5, 5), torch.randn(2, 4)).shape == (2, 8, 10, 10)


def test_the_condition_reaches_every_block() -> None:
    network = ModulatedGenerator(CGANConfig(resolution=32, widths=(16, 16, 8), text_dim=8))
    network(torch.randn(2, 8), torch.randn(2, 100)).square().sum().backward()
    for block in network.blocks:
        assert isinstance(block, UpBlock)
        assert block.modulate1.weight.grad.any() and block.modulate2.weight.grad.any()


def test_spectral_norm_keeps_every_layers_largest_singular_value_at_one() -> None:
    torch.manual_seed(0)
    network = Discriminator(16, 12, (8, 16), spectral=True)
    for parameter in network.parameters():
        parameter.data.mul_(3)
    with torch.no_grad():
        for _ in range(60):  # one power iteration per pass
            network.logits(network.features(torch.randn(1, 3, 16, 16)), torch.randn(1, 12))
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == 1 + 3 + 3  # the first stage, a down block, text + joint + judge
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item()
        assert largest == pytest.approx(1, abs=0.02), layer
        assert torch.linalg.matrix_norm(layer.parametrizations.weight.original.flatten(1), ord=2) > 1


def test_without_spectral_norm_weights_are_plain() -> None:
    network = Discriminator(16, 12, (8, 16), spectral=False)
    assert not any("parametrizations" in name for name, _ in network.named_parameters())


@pytest.mark.parametrize(("resolution", "widths"), [(16, (8, 8)), (64, (8, 16, 16, 24)), (24, (8, 8, 8)), (20, (8, 8))])
def test_discriminators_stages_halve_the_side(resolution: int, widths: tuple[int, ...]) -> None:
    network = Discriminator(resolution, 12, widths, spectral=True)
    features = network.features(torch.randn(3, 3, resolution, resolution))
    sides = [resolution // 2 ** (stage + 1) for stage in range(len(widths))]
    assert [tuple(f.shape) for f in features] == [(3, w, s, s) for w, s in zip(widths, sides, strict=True)]
    assert network.logits(features, torch.randn(3, 12)).shape == (3,)


def test_the_text_changes_the_logit() -> None:
    network = Discriminator(16, 12, (8, 16), spectral=True)
    features = network.features(torch.randn(1, 3, 16, 16))
    one, other = (network.logits(features, text) for text in torch.randn(2, 1, 12))
    assert one != other
