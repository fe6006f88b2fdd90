"""The bound's terms against torch.distributions and numbers calculated by hand, and whether it learns."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from fakes.models import FakeTextEncoder
from fakes.training import squares
from t2i.errors import PluginError
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.testing.objectives import batch_of
from t2i.training.objective import Batch
from t2i_cvae.config import CVAEConfig, CVAEObjectiveConfig
from t2i_cvae.generator import ConditionalVAE
from t2i_cvae.training import CVAEObjective, free_bits, kl_per_latent

VALUES = 3 * 16 * 16


def make(word_queries: int = 0, **values: Any) -> CVAEObjective:
    torch.manual_seed(0)
    shape = {"resolution": 16, "text_dim": 12, "encoder_widths": (8, 16), "widths": (16, 8), "latent_dim": 8}
    shape |= {"text_features": 8, "condition_dim": 16, "hidden_dim": 16, "word_queries": word_queries}
    generator = ConditionalVAE(CVAEConfig.model_validate(shape))
    return CVAEObjective(generator, CVAEObjectiveConfig.model_validate(values))


def batch(count: int = 4, progress: float = 0.5) -> Batch:
    encoder = FakeTextEncoder(dim=12)
    text = encoder.encode([f"right {i}" for i in range(count)])
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return batch_of(images, text, progress=progress)


def test_kl_is_torchs() -> None:
    mean, log_variance = torch.randn(5, 7), torch.randn(5, 7)
    wanted = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0, 1))
    torch.testing.assert_close(kl_per_latent(mean, log_variance), wanted)
    assert kl_per_latent(torch.zeros(2, 3), torch.zeros(2, 3)).eq(0).all()


def test_free_bits_by_hand() -> None:
    """Kingma 2016, eq. 15: means 0.5, 2 and 0.1 of three latents over the batch, counted as 0.25 at least."""
    nats = torch.tensor([[1.0, 1.0, 0.2], [0.0, 3.0, 0.0]], requires_grad=True)
    total = free_bits(nats, 0.25)
    assert total.item() == pytest.approx(0.5 + 2 + 0.25)
    total.backward()
    assert nats.grad is not None and nats.grad.tolist() == [[0.5, 0.5, 0], [0.5, 0.5, 0]]  # the third is free
    assert free_bits(nats.detach(), 0).item() == pytest.approx(nats.sum(1).mean().item())


def test_what_reads_the_words_is_trained() -> None:
    objective = make(word_queries=2)
    torch.stack(list(objective.loss(batch()).values())).sum().backward()
    words = objective.generator.words
    assert words is not None
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in words.parameters())


def test_terms_are_the_bound_per_pixel_value() -> None:
    objective, seen = make(absolute_error=2, squared_error=3, beta=0.7, free_bits=0, kl_warmup=0), batch()
    terms = objective.loss(seen)
    vae = objective.generator
    mean, log_variance = vae.encoder(seen.images, seen.text.sentence)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    z = posterior.mean + posterior.stddev * Noise(range(4)).normal(8)
    difference = vae.decoder(z, seen.text.sentence) - seen.images
    nats = kl_divergence(posterior, Normal(0, 1)).sum(1).mean()
    torch.testing.assert_close(terms["kl"], 0.7 * nats / VALUES)
    torch.testing.assert_close(terms["absolute_error"], 2 * difference.abs().mean())
    torch.testing.assert_close(terms["squared_error"], 3 * difference.square().mean())
    assert set(terms) == {"kl", "kl_nats", "absolute_error", "squared_error"}
    torch.testing.assert_close(terms["kl_nats"], nats.detach())
    assert not terms["kl_nats"].requires_grad


def test_the_loss_is_the_bound_of_a_laplace_likelihood() -> None:
    """beta / values times the negative bound, up to a constant: |x - x'| mean + beta KL / values."""
    objective, seen = make(beta=0.3, free_bits=0, kl_warmup=0), batch()
    terms, again = objective.loss(seen), objective.loss(replace(seen, noise=Noise(range(4))))
    vae = objective.generator
    mean, log_variance = vae.encoder(seen.images, seen.text.sentence)
    posterior = Normal(mean, (0.5 * log_variance).exp())
    z = posterior.mean + posterior.stddev * Noise(range(4)).normal(8)
    likelihood = torch.distributions.Laplace(vae.decoder(z, seen.text.sentence), 0.3)
    bound = (likelihood.log_prob(seen.images).sum((1, 2, 3)) - kl_divergence(posterior, Normal(0, 1)).sum(1)).mean()
    constant = torch.log(torch.tensor(2 * 0.3)) * 0.3
    torch.testing.assert_close(terms["absolute_error"] + terms["kl"], -bound * 0.3 / VALUES - constant)
    assert {name: value.item() for name, value in terms.items()} == {name: v.item() for name, v in again.items()}


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.9, 1.0)])
def test_beta_warms_up(progress: float, share: float) -> None:
    warm, full = (make(kl_warmup=warmup, beta=2).loss(batch(progress=progress)) for warmup in (0.2, 0))
    assert warm["kl"].item() == pytest.approx(share * full["kl"].item())
    assert warm["absolute_error"] == full["absolute_error"]


def test_encoder_and_decoder_get_the_same_text_noise() -> None:
    objective, texts = make(text_noise=0.5), []
    vae = objective.generator
    vae.encoder.register_forward_pre_hook(lambda _, given: texts.append(given[1]))
    vae.decoder.register_forward_pre_hook(lambda _, given: texts.append(given[1]))
    seen = batch()
    objective.loss(seen)
    assert torch.equal(*texts)
    rms = seen.text.sentence.square().mean(1, keepdim=True).sqrt()
    torch.testing.assert_close(texts[0], seen.text.sentence + 0.5 * rms * Noise(range(4)).normal(12))


def test_gradients_reach_every_parameter() -> None:
    objective = make(free_bits=0)
    torch.stack(list(objective.loss(batch(16)).values())).sum().backward()
    for name, parameter in objective.generator.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


# --- a perceptual reconstruction -----------------------------------------------------------------------------------


def test_a_perceptual_distance_is_zero_between_equals_and_trains_the_decoder() -> None:
    pytest.importorskip("t2i_metrics")
    objective, seen = make(perceptual=0.5, backbone_pretrained=False, absolute_error=0, free_bits=0), batch()
    distance = objective._perceptual
    assert distance is not None and distance(seen.images, seen.images).item() == 0
    assert distance(seen.images, -seen.images).item() > 0
    terms = objective.loss(seen)
    assert set(terms) == {"kl", "kl_nats", "perceptual"}
    terms["perceptual"].backward()
    assert all(p.grad is not None and p.grad.any() for p in objective.generator.decoder.parameters())
    assert not any(p.requires_grad or p.grad is not None for p in distance.parameters())
    assert not distance.training


def test_a_perceptual_distance_by_hand() -> None:
    """Two stages of given features: squared distances of unit vectors, summed over channels, averaged over places."""
    pytest.importorskip("t2i_metrics")
    distance = make(perceptual=1.0, backbone_pretrained=False)._perceptual
    assert distance is not None

    class Stages(nn.Module):
        def forward(self, x: Tensor) -> list[Tensor]:
            return [x[:, :2], 5 * x[:, :2]]

    distance.features = Stages()
    distance.mean, distance.std = torch.zeros(3, 1, 1), torch.ones(3, 1, 1)
    one, other = torch.zeros(1, 3, 1, 2) - 1, torch.zeros(1, 3, 1, 2) - 1
    one[0, 0], other[0, 0, 0, 0], other[0, 1, 0, 1] = 1, 1, 1  # equal on the left, orthogonal on the right
    torch.testing.assert_close(distance(one, other), torch.tensor(1.0))


def test_an_unknown_backbone_is_named_with_the_fix() -> None:
    pytest.importorskip("t2i_metrics")
    with pytest.raises(PluginError, match=r"'resnot18', which cannot be loaded.*backbone_pretrained=false"):
        make(perceptual=1.0, backbone="resnot18", backbone_pretrained=False)


def test_t2i_metrics_is_imported_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "t2i_metrics.perceptual", None)  # as if it were not installed
    assert make()._perceptual is None
    with pytest.raises(PluginError, match=r"pip install 't2i-cvae\[perceptual\]'"):
        make(perceptual=1.0)


# --- does it learn? ------------------------------------------------------------------------------------------------


def test_one_batch_is_memorised() -> None:
    """8 pictures: the error falls below 0.08 of [-1, 1], and drawing only needs the caption."""
    data, encoder = squares(16), FakeTextEncoder(dim=12)
    objective = make(beta=1.0, kl_warmup=0.5)
    images = from_uint8(data.images)
    text = encoder.encode([data.caption_texts[own[0]] for own in data.captions_of])
    optimizer = torch.optim.Adam(objective.generator.parameters(), lr=1e-2)
    terms: dict[str, Tensor] = {}
    for step in range(350):
        terms = objective.loss(batch_of(images, text, noise=Noise(range(8 * step, 8 * step + 8)), progress=step / 350))
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
    assert terms["absolute_error"] < 0.08
    with torch.no_grad():
        drawn = objective.generator.generate(text, Noise(range(8)), objective.generator.options(temperature=0.5))
        again = objective.generator.reconstruct(images, text)
    assert (drawn - images).abs().mean() < 0.15 and (again - images).abs().mean() < 0.1
