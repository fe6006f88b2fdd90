"""Preprocessing of caption vectors."""

from __future__ import annotations

import pytest
import torch

from t2i.noise import Noise
from t2i.testing.checks import captions
from t2i.toolbox.sentences import noisy_sentence, noisy_text, rms_normalised


def test_only_the_direction_of_a_text_matters() -> None:
    sentence = torch.randn(3, 48)
    found = rms_normalised(sentence)
    torch.testing.assert_close(found.square().mean(1), torch.ones(3))
    torch.testing.assert_close(rms_normalised(1000 * sentence), found)
    assert rms_normalised(torch.zeros(1, 4)).isfinite().all()


def test_noise_is_from_each_stream_in_units_of_the_sentences_rms() -> None:
    sentence = torch.randn(3, 12) * torch.tensor([[1.0], [10], [0.1]])
    rms = sentence.square().mean(1, keepdim=True).sqrt()
    found = noisy_sentence(sentence, 0.2, Noise(range(3)))
    torch.testing.assert_close(found, sentence + 0.2 * rms * Noise(range(3)).normal(12))


def test_words_get_noise_in_units_of_their_rms_and_keep_their_mask() -> None:
    text = captions(64, 12)
    noisy = noisy_text(text, 0.5, Noise(range(64)))
    for plain, other in ((text.sentence, noisy.sentence), (text.words[:, 0], noisy.words[:, 0])):
        rms = plain.square().mean(1, keepdim=True).sqrt()
        assert ((other - plain) / rms).std().item() == pytest.approx(0.5, rel=0.1)
    assert torch.equal(noisy.mask, text.mask)
    assert not noisy.words[~noisy.mask].any()  # padding stays zero


def test_without_noise_nothing_is_drawn() -> None:
    text, stream = captions(4, 12), Noise(range(4))
    assert noisy_sentence(text.sentence, 0, stream) is text.sentence and noisy_text(text, 0, stream) is text
    assert torch.equal(stream.normal(5), Noise(range(4)).normal(5))
