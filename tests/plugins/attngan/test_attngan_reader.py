"""DAMSM's text side against torch's own bidirectional LSTM over packed captions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from fakes.official_attngan import read_by
from t2i.testing.checks.probes import captions_of_lengths
from t2i.text import TextEmbedding
from t2i_attngan.config import AttnGANConfig
from t2i_attngan.reader import LinearReader, LSTMReader, SameReader, reader_of

LENGTHS = [3, 1, 5, 2]


def torchs(reader: LSTMReader) -> nn.LSTM:
    """The same weights as one bidirectional LSTM."""
    rnn = nn.LSTM(reader.there.input_size, reader.there.hidden_size, batch_first=True, bidirectional=True)
    for name, parameter in reader.there.named_parameters():
        getattr(rnn, name).data.copy_(parameter)
        getattr(rnn, f"{name}_reverse").data.copy_(reader.back.get_parameter(name))
    return rnn


@pytest.fixture(scope="module")
def reader() -> LSTMReader:
    torch.manual_seed(0)
    return LSTMReader(6, 8)


def test_it_reads_as_torchs_bidirectional_lstm(reader: LSTMReader) -> None:
    text = captions_of_lengths(LENGTHS, 6)
    words, sentence = read_by(torchs(reader), [text.words[i, :n] for i, n in enumerate(LENGTHS)])
    read = reader(text)
    torch.testing.assert_close(read.words, words)
    torch.testing.assert_close(read.sentence, sentence)
    assert torch.equal(read.mask, text.mask) and not read.words[~text.mask].any()


def test_words_may_stand_anywhere_between_padding(reader: LSTMReader) -> None:
    """A mask says which tokens are real; their order counts, their places do not."""
    text = captions_of_lengths(LENGTHS, 6)
    order = torch.tensor([5, 0, 6, 1, 2, 7, 3, 4])  # the words' order is kept
    wide = [torch.cat([part, torch.zeros_like(part[:, :3])], 1)[:, order] for part in (text.words, text.mask)]
    read, apart = reader(text), reader(TextEmbedding(text.sentence, wide[0], wide[1].bool()))
    torch.testing.assert_close(apart.sentence, read.sentence)
    back = order.argsort()
    torch.testing.assert_close(apart.words[:, back][:, :5], read.words)
    assert not apart.words[~apart.mask].any()


def test_neighbours_change_no_bit(reader: LSTMReader) -> None:
    text = captions_of_lengths([4, 2, 3, 1, 5, 5, 2, 1], 6)
    whole, half = reader(text), reader(text[4:])
    assert torch.equal(whole.sentence[4:], half.sentence) and torch.equal(whole.words[4:], half.words)
    padded = reader(text[3:4])
    torch.testing.assert_close(whole.sentence[3:4], padded.sentence)


def test_dropout_is_for_training_alone(reader: LSTMReader) -> None:
    text = captions_of_lengths(LENGTHS, 6)
    trained = reader.train()(text, dropout=0.5).sentence
    assert not torch.equal(trained, reader.eval()(text, dropout=0.5).sentence)
    assert torch.equal(reader(text, dropout=0.5).sentence, reader(text).sentence)


@pytest.mark.parametrize(("kind", "made"), [("lstm", LSTMReader), ("linear", LinearReader), ("none", SameReader)])
def test_each_kind_returns_the_width_of_words(kind: str, made: type[nn.Module]) -> None:
    width = 6 if kind == "none" else 10
    reader = reader_of(AttnGANConfig.model_validate({"text_dim": 6, "word_dim": width, "reader": kind}))
    text = captions_of_lengths(LENGTHS, 6)
    read = reader(text)
    assert type(reader) is made and read.words.shape == (4, 5, width) and read.sentence.shape == (4, width)
    assert not read.words[~text.mask].any()
