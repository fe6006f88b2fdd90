"""Tokenizer and prior as a Generator, beyond what the conformance suite checks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from t2i.drawing.abilities import Interpolates, Reconstructs
from t2i.errors import InvalidConfigError
from t2i.noise import Noise
from t2i.publishing.pretrained import from_pretrained, save_pretrained
from t2i.testing.checks import captions
from t2i.text import TextEmbedding
from t2i_transformer.config import TransformerConfig
from t2i_transformer.generator import TokenTransformer


def tiny(prior: str = "autoregressive") -> TokenTransformer:
    torch.manual_seed(0)
    shape = {"resolution": 16, "text_dim": 12, "widths": (8, 16), "codes": 24, "code_dim": 8, "dim": 16, "depth": 2}
    made = TokenTransformer(TransformerConfig.model_validate(shape | {"heads": 2, "prior": prior}))
    for parameter in made.prior.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    return made.eval().requires_grad_(False)


@pytest.mark.parametrize("prior", ["autoregressive", "masked"])
def test_text_seed_and_each_option_matter(prior: str) -> None:
    generator, text = tiny(prior), captions(4, 12)
    plain = generator.generate(text, Noise(range(4)), generator.options())
    assert not torch.equal(generator.generate(text, Noise(range(1, 5)), generator.options()), plain)
    assert not torch.equal(generator.generate(text[[1, 2, 3, 0]], Noise(range(4)), generator.options()), plain)
    changes = [{"guidance": 1.0}, {"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.3}]
    changes += [{"steps": 4}, {"choice_temperature": 30.0}] if prior == "masked" else []
    for change in changes:
        assert not torch.equal(generator.generate(text, Noise(range(4)), generator.options(**change)), plain), change
    assert torch.equal(generator.generate(text, Noise(range(4)), generator.options(sampler=prior)), plain)


@pytest.mark.parametrize(("prior", "sampler"), [("autoregressive", "masked"), ("masked", "autoregressive")])
def test_a_prior_can_only_be_sampled_as_it_was_trained(prior: str, sampler: str) -> None:
    generator = tiny(prior)
    with pytest.raises(InvalidConfigError, match=f"the prior's kind, '{prior}', got sampler='{sampler}'"):
        generator.generate(captions(1, 12), Noise([0]), generator.options(sampler=sampler))


def test_a_neighbours_longer_caption_changes_no_bit() -> None:
    """Words are padded to 32 slots, so the arithmetic is the same."""
    generator, text = tiny(), captions(4, 12)
    longer = torch.nn.functional.pad(text.words, (0, 0, 0, 20)), torch.nn.functional.pad(text.mask, (0, 20))
    padded = TextEmbedding(text.sentence, *longer)
    assert torch.equal(*(generator.generate(each, Noise(range(4)), generator.options()) for each in (text, padded)))


def test_more_words_than_slots_are_all_read() -> None:
    generator = tiny()
    words = torch.randn(4, 40, 12)
    text = TextEmbedding(words.mean(1), words, torch.ones(4, 40, dtype=torch.bool))
    plain = generator.generate(text, Noise(range(4)), generator.options(guidance=1.0))
    words = words.clone()
    words[:, 39] *= -1
    changed = generator.generate(
        TextEmbedding(text.sentence, words, text.mask), Noise(range(4)), generator.options(guidance=1.0)
    )
    assert not torch.equal(plain, changed)


def test_it_reconstructs_and_does_not_interpolate() -> None:
    generator, images = tiny(), torch.rand(4, 3, 16, 16) * 2 - 1
    assert isinstance(generator, Reconstructs) and not isinstance(generator, Interpolates)
    again = generator.reconstruct(images, captions(4, 12))
    assert torch.equal(again, generator.tokenizer.decode(generator.tokenizer.encode(images)))


def test_a_snapshot_keeps_codebook_and_encoder(tmp_path: Path) -> None:
    generator, images = tiny(), torch.rand(4, 3, 16, 16) * 2 - 1
    generator.tokenizer.codebook.codes.mul_(3)
    loaded = from_pretrained(f"local-dir:{save_pretrained(generator, tmp_path / 'snapshot')}")
    text = captions(4, 12)
    with torch.no_grad():
        assert torch.equal(loaded.reconstruct(images, text), generator.reconstruct(images, text))
        assert torch.equal(*(each.generate(text, Noise(range(4)), each.options()) for each in (loaded, generator)))
