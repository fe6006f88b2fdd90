"""The paper's networks, layer by layer, against sizes calculated by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from t2i_cgan.config import CGANConfig
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.paper import PaperDiscriminator

PAPER = CGANConfig(architecture="paper", text_dim=1024, condition_dim=128, noise_dim=100, ngf=128)


@pytest.fixture(scope="module")
def generator() -> ConditionalGAN:
    return ConditionalGAN(PAPER)


@pytest.fixture(scope="module")
def discriminator() -> PaperDiscriminator:
    return PaperDiscriminator(text_dim=1024, condition_dim=128, ndf=64)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def outputs(network: nn.Module, kinds: tuple[type, ...], *inputs: torch.Tensor) -> list[tuple[int, ...]]:
    shapes: list[tuple[int, ...]] = []
    hooks = [
        module.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return shapes


def test_generators_layers(generator: ConditionalGAN) -> None:
    """cat(z 100, text 128) = 228 -> 1024 at 4, block, 512 at 8, block, 256 at 16, 128 at 32, 3 at 64."""
    found = outputs(generator, (nn.ConvTranspose2d, nn.Conv2d), torch.randn(2, 1024), torch.randn(2, 100))
    assert found == [
        (1024, 4, 4),
        *[(256, 4, 4), (256, 4, 4), (1024, 4, 4)],  # residual bottleneck at 4 x 4
        (512, 8, 8),
        *[(128, 8, 8), (128, 8, 8), (512, 8, 8)],  # and at 8 x 8
        (256, 16, 16),
        (128, 32, 32),
        (3, 64, 64),
    ]


def test_generators_size(generator: ConditionalGAN) -> None:
    """
    text        1024*128 + 128                                                        =    131,200
    4 px        228*1024*16 + BN 2*1024                                               =  3,737,600
    block       (1024*256 + 512) + (256*256*9 + 512) + (256*1024*9 + 2048)            =  3,214,336
    8 px        1024*512*16 + 1024                                                    =  8,389,632
    block       (512*128 + 256) + (128*128*9 + 256) + (128*512*9 + 1024)              =    804,352
    16 px       512*256*16 + 512                                                      =  2,097,664
    32 px       256*128*16 + 256                                                      =    524,544
    64 px       128*3*16                                                              =      6,144
    """
    parts = [131_200, 3_737_600, 3_214_336, 8_389_632, 804_352, 2_097_664, 524_544, 6_144]
    assert count(generator) == sum(parts) == 18_905_472


def test_discriminators_layers(discriminator: PaperDiscriminator) -> None:
    features = discriminator.features(torch.randn(2, 3, 64, 64))
    assert [tuple(f.shape[1:]) for f in features] == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]
    assert discriminator.logits(features, torch.randn(2, 1024)).shape == (2,)
    kinds = [type(module).__name__ for module in discriminator.text]
    assert kinds == ["Linear", "BatchNorm1d", "LeakyReLU"]


def test_discriminators_size(discriminator: PaperDiscriminator) -> None:
    """
    text        1024*128 + 128 + BN 2*128                                             =    131,456
    32 px       3*64*16, no BN                                                        =      3,072
    16 px       64*128*16 + 256                                                       =    131,328
    8 px        128*256*16 + 512                                                      =    524,800
    4 px        256*512*16 + 1024                                                     =  2,098,176
    block       (512*128 + 256) + (128*128*9 + 256) + (128*512*9 + 1024)              =    804,352
    judge       (512 + 128)*512 + 1024  +  512*1*16                                   =    336,896
    """
    parts = [131_456, 3_072, 131_328, 524_800, 2_098_176, 804_352, 336_896]
    assert count(discriminator) == sum(parts) == 4_030_080


def test_no_batch_norm_at_the_input_and_output_of_pictures(
    generator: ConditionalGAN, discriminator: PaperDiscriminator
) -> None:
    """DCGAN (Radford 2016): neither on G's output nor on D's input."""
    kinds = [type(module) for module in generator.network.body]
    assert kinds[-2:] == [nn.ConvTranspose2d, nn.Tanh]
    assert [type(module) for module in discriminator.stages[0]] == [nn.Conv2d, nn.LeakyReLU]
    slopes = {m.negative_slope for m in discriminator.modules() if isinstance(m, nn.LeakyReLU)}
    assert slopes == {0.2}


def test_the_released_codes_quirks(discriminator: PaperDiscriminator, generator: ConditionalGAN) -> None:
    """Their convolutions' biases are set to 0 before every step; no activation follows the norm at 8 px."""
    modules = [*generator.modules(), *discriminator.modules()]
    assert {m.bias for m in modules if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)} == {None}
    assert [type(module) for module in discriminator.stages[2]] == [nn.Conv2d, nn.BatchNorm2d]


def test_initial_weights_are_dcgans(generator: ConditionalGAN, discriminator: PaperDiscriminator) -> None:
    """N(0, .02), batch-norm scales N(1, .02); standard errors at these sizes are below 1 %. Text projections have
    torch's initial weights: uniform within 1 / sqrt(inputs)."""
    for network in (generator, discriminator):
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 50_000:
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.03), name
                assert abs(module.weight.mean()) < 5e-4, name
            elif isinstance(module, nn.Linear):
                assert module.weight.abs().max().item() == pytest.approx(1024**-0.5, rel=1e-3), name
                assert module.weight.std().item() == pytest.approx((3 * 1024) ** -0.5, rel=0.01), name
            elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.01), name
                assert not module.bias.any(), name


def test_the_block_is_residual() -> None:
    """With the body's weights at 0, the result is the activation of the input."""
    block = PaperDiscriminator(8, 8, 8).stages[3][2]
    nn.init.zeros_(block.body[-1].weight)
    x = torch.randn(2, 64, 4, 4)
    torch.testing.assert_close(block(x), nn.functional.leaky_relu(x, 0.2))
