"""What a network that takes one vector learns from the words."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from t2i.text import TextEmbedding
from t2i.toolbox.sentences import rms_normalised
from t2i.toolbox.word_reader import WordReader


def embedding(words: torch.Tensor, mask: torch.Tensor | None = None) -> TextEmbedding:
    mask = torch.ones(words.shape[:2], dtype=torch.bool) if mask is None else mask
    return TextEmbedding(words.mean(1), words * mask[..., None], mask)


def test_padding_and_scale_change_nothing() -> None:
    reader, words = WordReader(8, 3), torch.randn(2, 5, 8)
    short = embedding(words)
    padded = TextEmbedding(short.sentence, F.pad(words, (0, 0, 0, 4)), F.pad(short.mask, (0, 4)))
    torch.testing.assert_close(reader(padded), reader(short))
    torch.testing.assert_close(reader(TextEmbedding(7 * short.sentence, 3 * words, short.mask)), reader(short))


def test_captions_without_words_have_their_sentence() -> None:
    reader = WordReader(8, 3)
    read = reader(TextEmbedding(torch.randn(2, 8), torch.zeros(2, 4, 8), torch.zeros(2, 4, dtype=torch.bool)))
    assert read.shape == (2, 8) and read.isfinite().all()


def test_without_its_output_it_is_the_sentence() -> None:
    reader, text = WordReader(8, 3), embedding(torch.randn(2, 5, 8))
    torch.nn.init.zeros_(reader.out.weight), torch.nn.init.zeros_(reader.out.bias)
    torch.testing.assert_close(reader(text), rms_normalised(text.sentence))


def test_it_learns_what_the_mean_of_the_words_cannot_say() -> None:
    """Which of two colours is beside the first thing: both orders have the same sentence."""
    torch.manual_seed(0)
    colours, places = torch.randn(2, 16), torch.randn(2, 16)
    order = torch.randint(2, (256,))
    words = torch.stack([colours[order] + places[0], colours[1 - order] + places[1]], dim=1)
    text = TextEmbedding(words.mean(1), words, torch.ones(256, 2, dtype=torch.bool))
    torch.testing.assert_close(text.sentence, text.sentence[:1].expand(256, -1))
    reader, head = WordReader(16, 2), torch.nn.Linear(16, 2)
    optimizer = torch.optim.Adam([*reader.parameters(), *head.parameters()], 3e-3)
    for _ in range(60):
        loss = F.cross_entropy(head(reader(text)), order)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (head(reader(text)).argmax(1) == order).float().mean() > 0.99
