"""Conditioning augmentation against torch.distributions and the papers' activations."""

from __future__ import annotations

import torch

from t2i.toolbox.conditioning import ConditioningAugmentation, divergence


def test_a_text_becomes_a_gaussian() -> None:
    """The mean and variance of many samples are mu and exp(logvar)."""
    torch.manual_seed(0)
    augmentation = ConditioningAugmentation(12, 8, "linear", normalize=True)
    sentence = torch.randn(1, 12)
    mu, logvar = augmentation.gaussian(sentence)
    drawn = augmentation(sentence.expand(20_000, -1), torch.randn(20_000, 8)).drawn
    torch.testing.assert_close(drawn.mean(0), mu[0], atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.var(0).log(), logvar[0], atol=0.05, rtol=0)
    torch.testing.assert_close(augmentation.gaussian(7 * sentence)[0], mu)  # only the direction matters


def test_the_released_v1_codes_relu_keeps_sigma_above_1() -> None:
    augmentation = ConditioningAugmentation(12, 8, "relu", normalize=False)
    mu, logvar = augmentation.gaussian(torch.randn(50, 12))
    assert mu.min() == 0 and logvar.min() == 0
    assert mu.shape == logvar.shape == (50, 8)


def test_glu_gates_half_of_a_doubled_projection() -> None:
    augmentation, sentence = ConditioningAugmentation(12, 8, "glu", normalize=False), torch.randn(5, 12)
    value, gate = augmentation.fc(sentence).chunk(2, dim=1)
    torch.testing.assert_close(torch.cat(augmentation.gaussian(sentence), dim=1), value * gate.sigmoid())


def test_divergence_is_torchs() -> None:
    mu, logvar = torch.randn(5, 8), torch.randn(5, 8)
    normal = torch.distributions.Normal
    wanted = torch.distributions.kl_divergence(normal(mu, (logvar / 2).exp()), normal(0.0, 1.0)).mean()
    torch.testing.assert_close(divergence(mu, logvar), wanted)
