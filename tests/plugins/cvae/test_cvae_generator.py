"""The conditional VAE as a Generator, beyond what the conformance suite checks."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from t2i.drawing.abilities import Interpolates, Reconstructs
from t2i.noise import Noise
from t2i.publishing.pretrained import from_pretrained, save_pretrained
from t2i.testing.checks import captions
from t2i_cvae.config import CVAEConfig
from t2i_cvae.generator import ConditionalVAE
from t2i_cvae.model import slerp

TINY = CVAEConfig(
    resolution=16, text_dim=12, encoder_widths=(8, 16), widths=(16, 8), latent_dim=8, text_features=8,
    condition_dim=16, hidden_dim=16,
)  # fmt: skip


@pytest.fixture
def vae() -> ConditionalVAE:
    torch.manual_seed(0)
    return ConditionalVAE(TINY).eval().requires_grad_(False)


def test_temperature_scales_z(vae: ConditionalVAE) -> None:
    text, z = captions(3, 12), Noise(range(3)).normal(8)
    for temperature in (0.0, 0.5, 2.0):
        drawn = vae.generate(text, Noise(range(3)), vae.options(temperature=temperature))
        assert torch.equal(drawn, vae.decoder(temperature * z, text.sentence))
    assert torch.equal(*(vae.generate(text, Noise([seed] * 3), vae.options(temperature=0.0)) for seed in (1, 2)))


def test_text_and_seed_both_matter(vae: ConditionalVAE) -> None:
    text = captions(2, 12)
    one, other = vae.generate(text, Noise([5, 5]), vae.options())
    again, another = vae.generate(text[[0, 0]], Noise([5, 6]), vae.options())
    assert torch.equal(again, one) and not torch.equal(other, one) and not torch.equal(another, one)


def test_words_matter_only_if_the_config_reads_them(vae: ConditionalVAE, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reading = ConditionalVAE(TINY.model_copy(update={"word_queries": 2})).eval().requires_grad_(False)
    text = captions(2, 12)
    other = replace(text, words=text.words.flip(0), mask=text.mask.flip(0))
    z, sentences = torch.zeros(2, 8), [each.read(text) for each in (vae, reading)]
    assert torch.equal(sentences[0], vae.read(other)) and torch.equal(sentences[0], text.sentence)
    assert not torch.allclose(sentences[1], reading.read(other))
    images = torch.rand(2, 3, 16, 16) * 2 - 1
    assert not torch.equal(reading.reconstruct(images, text), reading.reconstruct(images, other))
    drawn, walk = reading.generate(text, Noise([1, 2]), reading.options(temperature=0.0)), torch.tensor([0.0, 1.0])
    torch.testing.assert_close(drawn, reading.decoder(z, sentences[1]))
    between = reading.interpolate(text, Noise([1, 2]), walk, reading.options(temperature=0.0))
    torch.testing.assert_close(between, drawn, atol=1e-5, rtol=1e-4)
    again = from_pretrained(f"local-dir:{save_pretrained(reading, tmp_path / 'snapshot')}")
    assert torch.equal(again.generate(text, Noise([1, 2]), again.options(temperature=0.0)), drawn)


def test_the_scale_of_the_sentence_does_not_matter(vae: ConditionalVAE) -> None:
    text, z = captions(3, 12), Noise(range(3)).normal(8)
    torch.testing.assert_close(vae.decoder(z, 10 * text.sentence), vae.decoder(z, text.sentence))


def test_reconstructions_are_the_decoded_posterior_means(vae: ConditionalVAE) -> None:
    images, text = torch.rand(4, 3, 16, 16) * 2 - 1, captions(4, 12)
    mean, _ = vae.encoder(images, text.sentence)
    assert torch.equal(vae.reconstruct(images, text), vae.decoder(mean, text.sentence))
    assert not torch.equal(vae.reconstruct(images, text), vae.reconstruct(images, text[[1, 2, 3, 0]]))


def test_it_reconstructs_and_interpolates(vae: ConditionalVAE) -> None:
    assert isinstance(vae, Reconstructs) and isinstance(vae, Interpolates)


# --- interpolation -------------------------------------------------------------------------------------------------


def test_an_interpolation_begins_and_ends_with_the_two_pictures(vae: ConditionalVAE) -> None:
    text = captions(2, 12)
    walk = vae.interpolate(text, Noise([1, 2]), torch.linspace(0, 1, 5), vae.options(temperature=0.7))
    ends = vae.generate(text, Noise([1, 2]), vae.options(temperature=0.7))
    torch.testing.assert_close(walk[[0, -1]], ends)
    assert walk.shape == (5, 3, 16, 16)
    steps = (walk.diff(dim=0)).abs().mean((1, 2, 3))
    assert steps.max() < (ends[1] - ends[0]).abs().mean()


def test_an_interpolation_only_in_text_and_only_in_z(vae: ConditionalVAE) -> None:
    text, half = captions(2, 12), torch.tensor([0.5])
    z = Noise([3]).normal(8)
    (between,) = vae.interpolate(text, Noise([3, 3]), half, vae.options())
    torch.testing.assert_close(between, vae.decoder(z, text.sentence.mean(0, keepdim=True))[0])
    (between,) = vae.interpolate(text[[0, 0]], Noise([3, 4]), half, vae.options())
    one, other = Noise([3, 4]).normal(8)
    angle = math.acos(torch.nn.functional.cosine_similarity(one, other, dim=0).item())
    middle = (one + other) * math.sin(angle / 2) / math.sin(angle)
    torch.testing.assert_close(between, vae.decoder(middle[None], text.sentence[:1])[0], atol=1e-5, rtol=1e-4)


def test_slerp_keeps_the_length_and_turns_evenly() -> None:
    """Between unit vectors at a right angle: cos and sin."""
    one, other = torch.eye(3)[:2]
    weights = torch.linspace(0, 1, 7)
    arc = slerp(one, other, weights)
    quarter = weights * torch.pi / 2
    torch.testing.assert_close(arc, torch.stack([quarter.cos(), quarter.sin(), torch.zeros(7)], 1))


def test_slerp_between_equal_vectors_is_constant() -> None:
    z = torch.randn(6)
    torch.testing.assert_close(slerp(z, z, torch.linspace(0, 1, 3)), z.expand(3, -1))
    torch.testing.assert_close(slerp(torch.zeros(6), torch.zeros(6), torch.ones(2)), torch.zeros(2, 6))


# --- sizes ---------------------------------------------------------------------------------------------------------


def conv(inputs: int, outputs: int, side: int) -> int:
    return inputs * outputs * side**2 + outputs


def linear(inputs: int, outputs: int) -> int:
    return conv(inputs, outputs, 1)


def block(inputs: int, outputs: int, condition: int) -> int:
    films = linear(condition, 2 * inputs) + linear(condition, 2 * outputs)
    return films + conv(inputs, outputs, 3) + conv(outputs, outputs, 3) + conv(inputs, outputs, 1)


def test_the_256_px_model_has_the_expected_number_of_parameters() -> None:
    """Widths 32 to 512 at stride 2, sentence and z 128 wide each, in closed form."""
    widths = [32, 64, 128, 256, 512, 512]
    encoder = linear(384, 128) + conv(12, 32, 3) + conv(512, 64, 1) + linear(64 * 16, 256)
    encoder += sum(block(a, b, 128) for a, b in pairwise(widths))
    decoder = linear(384, 128) + linear(256, 512) + linear(512, 256) + linear(256, 512 * 16) + 2 * 32 + conv(32, 12, 3)
    decoder += sum(block(b, a, 256) for a, b in pairwise(widths))
    shape = CVAEConfig(
        resolution=256, latent_dim=128, text_features=128, condition_dim=256, hidden_dim=512,
        encoder_widths=tuple(widths), widths=tuple(widths[::-1]),
    )  # fmt: skip
    with torch.device("meta"):
        vae = ConditionalVAE(shape)
    assert sum(p.numel() for p in vae.encoder.parameters()) == encoder
    assert sum(p.numel() for p in vae.decoder.parameters()) == decoder


def test_a_saved_model_draws_reconstructs_and_interpolates_the_same(tmp_path: Path, vae: ConditionalVAE) -> None:
    loaded = from_pretrained(f"local-dir:{save_pretrained(vae, tmp_path / 'snapshot')}")
    images, text = torch.rand(4, 3, 16, 16) * 2 - 1, captions(4, 12)
    with torch.no_grad():
        assert torch.equal(loaded.reconstruct(images, text), vae.reconstruct(images, text))
