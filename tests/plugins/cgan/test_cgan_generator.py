"""The conditional GAN as a Generator, beyond what the conformance suite checks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from t2i.errors import SnapshotError
from t2i.noise import Noise
from t2i.publishing.pretrained import from_pretrained, save_pretrained
from t2i.testing.checks import captions
from t2i_cgan.config import CGANConfig
from t2i_cgan.generator import ConditionalGAN

TINY = CGANConfig(resolution=16, widths=(16, 8), condition_dim=16, hidden_dim=16, noise_dim=8, text_dim=12)


@pytest.fixture
def generator() -> ConditionalGAN:
    torch.manual_seed(0)
    return ConditionalGAN(TINY).eval().requires_grad_(False)


def test_truncation_scales_z(generator: ConditionalGAN) -> None:
    text = captions(3, 12)
    z = Noise(range(3)).normal(8)
    for truncation in (0.0, 0.5, 2.0):
        drawn = generator.generate(text, Noise(range(3)), generator.options(truncation=truncation))
        assert torch.equal(drawn, generator(text.sentence, truncation * z))
    safe = [generator.generate(text, Noise([seed] * 3), generator.options(truncation=0.0)) for seed in (1, 2)]
    assert torch.equal(*safe)  # the seed has no effect


def test_text_and_seed_both_matter(generator: ConditionalGAN) -> None:
    text = captions(2, 12)
    one, other = generator.generate(text, Noise([5, 5]), generator.options())
    assert not torch.equal(one, other)
    again, another = generator.generate(text[[0, 0]], Noise([5, 6]), generator.options())
    assert torch.equal(again, one) and not torch.equal(another, one)


def test_words_are_ignored(generator: ConditionalGAN) -> None:
    """GAN-INT-CLS only reads the sentence."""
    short, long = captions(4, 12), captions(4, 12)
    long.words.mul_(7)
    assert torch.equal(
        generator.generate(short, Noise(range(4)), generator.options()),
        generator.generate(long, Noise(range(4)), generator.options()),
    )


@pytest.mark.parametrize("architecture", ["modulated", "paper"])
def test_a_saved_model_loads_with_from_pretrained(tmp_path: Path, architecture: str) -> None:
    shape = TINY if architecture == "modulated" else CGANConfig(architecture="paper", ngf=8, text_dim=12)
    made = ConditionalGAN(shape).eval()
    folder = save_pretrained(made, tmp_path / "snapshot")
    loaded = from_pretrained(f"local-dir:{folder}")
    assert isinstance(loaded, ConditionalGAN) and loaded.config == made.config and not loaded.training
    assert type(from_pretrained(str(folder))) is ConditionalGAN
    text = captions(4, 12)
    with torch.no_grad():
        assert torch.equal(*(each.generate(text, Noise(range(4)), each.options()) for each in (made, loaded)))


def test_weights_of_another_shape_are_refused(tmp_path: Path, generator: ConditionalGAN) -> None:
    folder = save_pretrained(generator, tmp_path / "snapshot")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"hidden_dim": 16', '"hidden_dim": 24'))
    with pytest.raises(SnapshotError, match="do not fit"):
        from_pretrained(str(folder))
