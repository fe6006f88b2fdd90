"""The released text encoder: converted, read and refused; its vocabulary from text or JSON; pictures drawn with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.official_attngan import Generator as PlainGenerator
from fakes.official_attngan import TextEncoder as PlainTextEncoder
from fakes.official_dfgan import Generator as PlainDFGAN
from fakes.official_stackgan import with_batch_statistics
from t2i.drawing.pipeline import pipeline
from t2i.errors import DataError, SnapshotError
from t2i_attngan.official import text_encoder
from t2i_attngan.text_encoder import MAX_WORDS, VOCABULARY, DAMSMTextEncoder
from t2i_attngan.vocabulary import read_vocabulary

WORDS = ["<end>", "bird", "a", "red", "small", "beak", "with", "é"]
WIDTH = 12


@pytest.fixture
def official() -> PlainTextEncoder:
    torch.manual_seed(0)
    return PlainTextEncoder(len(WORDS), 6, WIDTH).eval().requires_grad_(False)


@pytest.fixture
def folder(official: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the released files lie, and where commands run."""
    monkeypatch.chdir(tmp_path)
    torch.save(official.state_dict(), "text_encoder200.pth")
    Path("words.json").write_text(json.dumps(WORDS))
    return tmp_path


def test_it_reads_as_the_released_encoder(t2i: T2I, official: PlainTextEncoder, folder: Path) -> None:
    result = t2i("convert-damsm", "text_encoder200.pth", "words.json", "-o", "birds.safetensors")
    assert result.code == 0 and "8 words" in result.err
    encoder = DAMSMTextEncoder("birds.safetensors")
    text = encoder.encode(["a small red bird", "Bird!", "a purple Bird with a BEAK."])
    words, sentence = official([[2, 4, 3, 1], [1], [2, 1, 6, 2, 5]])
    torch.testing.assert_close(text.words, words)
    torch.testing.assert_close(text.sentence, sentence)
    assert text.mask.sum(1).tolist() == [4, 1, 5] and encoder.identity.dim == WIDTH
    assert encoder.tokens("a purple Bird with a BEAK.") == ("a", "Bird", "with", "a", "BEAK")


def test_what_it_cannot_read_is_told(t2i: T2I, folder: Path) -> None:
    t2i("convert-damsm", "text_encoder200.pth", "words.json", "-o", "birds.safetensors")
    encoder = DAMSMTextEncoder("birds.safetensors")
    strange, long, nothing = encoder.unread(["a purple bird", "bird " * MAX_WORDS + "with a beak", "purple elephants"])
    assert (strange.unknown, strange.cut, strange.nothing) == (("purple",), "", False)
    assert (long.unknown, long.cut) == ((), "with a beak")
    assert nothing.nothing and encoder.tokens("purple elephants") == ("",)
    assert encoder.encode(["purple elephants"]).mask.tolist() == [[True]]


def test_converted_generators_draw_with_it(t2i: T2I, folder: Path) -> None:
    """AttnGAN's, with its attention, and DF-GAN's, which was trained with the same encoder."""
    t2i("convert-damsm", "text_encoder200.pth", "words.json", "-o", "birds.safetensors")
    torch.save(with_batch_statistics(PlainGenerator(WIDTH, 6, 10, 4, blocks=1, scales=2)).state_dict(), "netG.pth")
    torch.save(PlainDFGAN(WIDTH, 10, 4, 16).state_dict(), "dfgan.pth")
    told = ("--text-encoder", "damsm:birds.safetensors")
    assert "convert-damsm" in t2i("convert", "attngan", "netG.pth", "-o", "alone").err
    failed = t2i("generate", "a red bird", "--model", "alone", "--device", "cpu")
    assert failed.code != 0 and "again, with --text-encoder damsm:FILE." in failed.error
    assert t2i("convert", "attngan", "netG.pth", *told, "-o", "birds").code == 0
    assert t2i("convert", "dfgan", "dfgan.pth", *told, "-o", "birds-at-once").code == 0
    assert pipeline("birds-at-once", device="cpu")("a red bird", seed=1)[0].image.size == (16, 16)
    drawn = t2i("generate", "a red bird", "--model", "birds", "--device", "cpu", "--attention", "-o", "bird.png")
    assert drawn.code == 0 and Path("bird-attention.png").is_file()
    torch.save(with_batch_statistics(PlainGenerator(WIDTH + 2, 6, 10, 4, blocks=1, scales=2)).state_dict(), "wide.pth")
    assert (
        "width 14, but damsm:birds.safetensors returns 12"
        in t2i("convert", "attngan", "wide.pth", *told, "-o", "wide").error
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("words.txt", "\n".join(WORDS) + "\n"),
        ("words.json", json.dumps(WORDS)),
        ("rows.json", json.dumps({word: row for row, word in enumerate(WORDS)})),
        ("numbered.json", json.dumps({str(row): word for row, word in enumerate(WORDS)})),
    ],
)
def test_a_vocabulary_is_text_or_json(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_vocabulary(tmp_path / name, len(WORDS)) == WORDS


def test_only_line_ends_separate_words(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\u2028b\r\nc\x85d\x0be\n", encoding="utf-8", newline="")
    assert read_vocabulary(tmp_path / "words.txt", 2) == ["a\u2028b", "c\x85d\x0be"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x80\x04\x95pickle", "captions.pickle"),
        (b"bird\nred\n", "each of the table's 8 rows, but .* has 2"),
        (b"bird\n" * 8, "a word twice"),
        (b'["bird", 3, "a", "b", "c", "d", "e", "f"]', "something else"),
        (b'{"bird": 1}', "not JSON of a vocabulary"),
        (b"[" * 100_000, "not JSON of a vocabulary"),
        (None, "There is no vocabulary file"),
    ],
)
def test_what_is_no_vocabulary_is_refused(content: bytes | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "captions.pickle"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=told):
        read_vocabulary(path, 8)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_a_checkpoint_that_does_not_fit_is_refused(change: str, official: PlainTextEncoder) -> None:
    state = official.state_dict()
    match change:
        case "missing":
            del state["rnn.bias_hh_l0_reverse"]
        case "extra":
            state["rnn.weight_ih_l1"] = torch.zeros(3)
        case "shape":
            state["rnn.weight_ih_l0_reverse"] = state["rnn.weight_ih_l0_reverse"][:, :-1]
    with pytest.raises(SnapshotError, match=r"checkpoint of RNN_ENCODER|must have the shape"):
        text_encoder(state)


def test_another_file_is_no_text_encoder(folder: Path) -> None:
    for path in ("text_encoder200.pth", "nowhere.safetensors"):
        with pytest.raises(SnapshotError, match="t2i convert-damsm"):
            DAMSMTextEncoder(path)


@pytest.mark.parametrize(
    ("words", "told"), [(["a", "b"], "each of the 3 rows of its table, but holds 2"), ({}, "and a list of words")]
)
def test_an_encoder_without_its_words_is_refused(tmp_path: Path, words: object, told: str) -> None:
    tensors = {"table.weight": torch.zeros(3, 4), "reader.there.weight_hh_l0": torch.zeros(8, 2)}
    save_file(tensors, tmp_path / "x.safetensors", {VOCABULARY: json.dumps(words)})
    with pytest.raises(SnapshotError, match=f"{told}.*convert-damsm"):
        DAMSMTextEncoder(str(tmp_path / "x.safetensors"))
