"""The moving average against torch's and its closed form, and its warm-up."""

from __future__ import annotations

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fakes.training import ToyConfig, ToyGenerator
from t2i.training.ema import EMA


def generator(norm: bool = False) -> ToyGenerator:
    torch.manual_seed(0)
    return ToyGenerator(ToyConfig(norm=norm))


@torch.no_grad()
def disturb(network: torch.nn.Module) -> None:
    for parameter in network.parameters():
        parameter.add_(torch.randn_like(parameter))


def test_is_torchs_average_at_the_decay_of_its_half_life() -> None:
    source = generator()
    ema = EMA(source, half_life_kimg=0.05, ramp=0)
    decay = 0.5 ** (8 / 50)  # 8 pictures per step, half-life of 50 pictures
    reference = AveragedModel(source, multi_avg_fn=get_ema_multi_avg_fn(decay))
    reference.update_parameters(source)  # torch's first update copies
    for step in range(20):
        disturb(source)
        ema.update(8 * step, 8)  # without a ramp, from the first step on
        reference.update_parameters(source)
    for mine, theirs in zip(ema.generator.parameters(), reference.module.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_after_one_half_life_one_half_is_forgotten() -> None:
    source = generator()
    ema = EMA(source, half_life_kimg=0.064, ramp=0.05)
    start = {name: p.clone() for name, p in source.named_parameters()}
    with torch.no_grad():
        for parameter in source.parameters():
            parameter.add_(1)
    for _ in range(8):  # 8 x 8 pictures
        ema.update(10**6, 8)
    for name, parameter in ema.generator.named_parameters():
        torch.testing.assert_close(parameter, start[name] + 0.5)


def test_half_life_grows_with_the_pictures_seen() -> None:
    """At the beginning the half-life is a share of the pictures seen, whatever the setting."""
    source = generator()
    ema, start = EMA(source, half_life_kimg=1000, ramp=0.05), [p.clone() for p in source.parameters()]
    disturb(source)
    ema.update(800, 8)
    weight = 1 - 0.5 ** (8 / (800 * 0.05))
    for kept, before, now in zip(ema.generator.parameters(), start, source.parameters(), strict=True):
        torch.testing.assert_close(kept, before + weight * (now.detach() - before))


@pytest.mark.parametrize("half_life", [0.0, 10.0])
def test_buffers_are_copied_and_zero_keeps_the_generator_itself(half_life: float) -> None:
    source = generator(norm=True)
    ema = EMA(source, half_life, ramp=0.05)
    source(torch.randn(4, 8), torch.randn(4, 4))  # changes the running statistics
    disturb(source)
    ema.update(8, 8)
    for mine, theirs in zip(ema.generator.buffers(), source.buffers(), strict=True):
        assert torch.equal(mine, theirs)
    if not half_life:
        assert all(map(torch.equal, ema.generator.parameters(), source.parameters()))


def test_the_average_is_separate_and_frozen() -> None:
    source = generator()
    ema = EMA(source, 10, ramp=0.05)
    assert not ema.generator.training and source.training
    assert not any(p.requires_grad for p in ema.generator.parameters())
    before = [p.clone() for p in ema.generator.parameters()]
    disturb(source)
    assert all(map(torch.equal, ema.generator.parameters(), before))
