"""Pictures are decoded once and captions encoded once; both are cached by their contents."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.nn.utils.rnn import pad_sequence

from fakes.models import FakeTextEncoder
from t2i.data.decode import decode_picture
from t2i.data.pack.features import EncodedCaptions
from t2i.data.prepare import PreparedData, prepare
from t2i.data.readers import files as pictures_module
from t2i.data.readers.folder import read_folder
from t2i.errors import DataError, OutputError

COLOURS = {"red": (255, 0, 0), "green": (0, 128, 0), "blue": (0, 0, 255)}

pytestmark = pytest.mark.usefixtures("t2i_cache")


@pytest.fixture
def squares(tmp_path) -> Path:
    """Three pictures with captions, one of them shared."""
    folder = tmp_path / "squares"
    folder.mkdir()
    for colour, ink in COLOURS.items():
        Image.new("RGB", (8, 8), ink).save(folder / f"{colour}.png")
        (folder / f"{colour}.txt").write_text(f"a {colour} square\na square")
    return folder


@pytest.fixture
def decoder(monkeypatch) -> Mock:
    """Counts decoded pictures."""
    counted = Mock(side_effect=decode_picture)
    monkeypatch.setattr(pictures_module, "decode_picture", counted)
    return counted


def prepared(folder: Path, encoder: FakeTextEncoder | None = None, resolution: int = 4, **options) -> PreparedData:
    return prepare(read_folder(folder), resolution, encoder or FakeTextEncoder(), **options)


def test_pictures_captions_and_groups_belong_together(squares):
    data = prepared(squares)
    assert data.images.shape == (3, 3, 4, 4)
    assert len(set(data.groups)) == 3
    for example, image, captions in zip(read_folder(squares), data.images, data.captions_of, strict=True):
        colour = example.id.removesuffix(".png")
        assert image[:, 0, 0].tolist() == list(COLOURS[colour])
        assert [data.caption_texts[caption] for caption in captions] == [f"a {colour} square", "a square"]


def test_a_caption_shared_by_pictures_is_encoded_once(squares):
    encoder = FakeTextEncoder()
    prepared(squares, encoder)
    assert sorted(encoder.encoded) == ["a blue square", "a green square", "a red square", "a square"]


def test_each_caption_has_the_encoder_s_embedding(squares):
    data = prepared(squares)
    got = data.captions[torch.arange(4)]
    own = FakeTextEncoder().encode(data.caption_texts)
    assert torch.equal(got.sentence, own.sentence.half().float())
    assert torch.equal(got.mask, own.mask)
    assert torch.equal(got.words, own.words.half().float())


def test_a_second_call_uses_the_cache_and_gives_the_same(squares, decoder):
    first = prepared(squares)
    assert decoder.call_count == 3
    encoder = FakeTextEncoder()
    again = prepared(squares, encoder)
    assert (decoder.call_count, encoder.encoded) == (3, [])
    assert torch.equal(first.images, again.images)
    rows = torch.tensor([3, 0, 2])
    for part in ("sentence", "words", "mask"):
        assert torch.equal(getattr(first.captions[rows], part), getattr(again.captions[rows], part))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: Image.new("RGB", (8, 8), "white").save(folder / "red.png"),
        lambda folder: (folder / "red.txt").write_text("a rose"),
        lambda folder: (folder / "red.png").unlink(),
    ],
    ids=["another picture", "another caption", "one less"],
)
def test_a_changed_folder_is_decoded_again(squares, decoder, change):
    prepared(squares)
    os.utime(squares / "red.png", ns=(1, 1))  # the clock may be coarser than this test is fast
    change(squares)
    before = decoder.call_count
    data = prepared(squares)
    assert decoder.call_count - before == len(read_folder(squares))
    fresh = [np.asarray(decode_picture(squares / e.id, 4)[0]).transpose(2, 0, 1) for e in read_folder(squares)]
    assert np.array_equal(data.images.numpy(), np.stack(fresh))


def test_another_resolution_is_decoded_again(squares, decoder):
    prepared(squares, resolution=4)
    assert prepared(squares, resolution=5).images.shape == (3, 3, 5, 5)
    assert decoder.call_count == 6


def test_another_encoder_s_embeddings_are_not_reused(squares, decoder):
    prepared(squares, FakeTextEncoder(sha256="1" * 64))
    other = FakeTextEncoder(dim=12, sha256="2" * 64)
    assert prepared(squares, other).captions.sentence.shape == (4, 12)
    assert decoder.call_count == 3


def test_captions_that_differ_only_in_their_line_breaks_are_distinguished(squares):
    for path in squares.glob("*.txt"):
        path.unlink()
    texts = [["a\nb"], ["a", "b"]]
    for text, count in zip(texts, (1, 2), strict=True):
        (squares / "metadata.jsonl").write_text(json.dumps({"file_name": "red.png", "text": text}))
        assert len(prepared(squares).captions.sentence) == count


@pytest.mark.parametrize("damage", [b"", b"junk" * 50, None], ids=["emptied", "overwritten", "cut"])
def test_a_damaged_cache_file_is_regenerated(squares, decoder, t2i_cache, damage):
    images = prepared(squares).images.clone()  # the mapped file is about to be truncated
    files = sorted(path for path in t2i_cache.rglob("*.*") if path.suffix in (".bin", ".json"))
    assert {path.parent.parent.name for path in files} == {"features", "packs"}
    whole = [path.read_bytes() for path in files]
    for path, content in zip(files, whole, strict=True):
        path.write_bytes(content[:-10] if damage is None else damage)
    encoder = FakeTextEncoder()
    again = prepared(squares, encoder)
    assert torch.equal(images, again.images)
    assert (decoder.call_count, len(encoder.encoded)) == (6, 4)
    assert [path.read_bytes() for path in files] == whole


def test_the_cache_holds_no_pickle(squares, t2i_cache):
    prepared(squares)
    assert {path.suffix for path in t2i_cache.rglob("*") if path.is_file()} == {".bin", ".json", ".lock"}


def test_an_unwritable_cache_is_a_one_sentence_error(squares, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("T2I_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="Cannot write"):
        prepared(squares)


@pytest.fixture
def flawed(squares) -> Path:
    """The squares, and one file with each kind of problem."""
    Image.new("CMYK", (8, 8)).save(squares / "inks.jpg")
    Image.new("I;16", (8, 8)).save(squares / "deep.png")
    Image.new("RGB", (8, 8)).save(squares / "liar.png", format="JPEG")
    (squares / "zero.png").write_bytes(b"")
    (squares / "text.png").write_text("a caption, mislaid")
    (squares / "cut.jpg").write_bytes((squares / "inks.jpg").read_bytes()[:-300])
    (squares / "tab\tand\nline.png").write_bytes(b"")
    frames = [Image.new("RGB", (8, 8), ink) for ink in ("red", "blue")]
    frames[0].save(squares / "moving.gif", save_all=True, append_images=frames[1:])
    for path in [*squares.iterdir()]:
        if path.suffix != ".txt":
            path.with_suffix(".txt").write_text(f"a square called {path.stem}")
    Image.new("RGB", (8, 8)).save(squares / "silent.png")
    return squares


def test_each_problem_is_reported_with_file_and_reason_also_from_the_cache(flawed, decoder):
    first = prepared(flawed)
    reasons = {problem.where: (problem.skipped, problem.reason) for problem in first.problems}
    assert reasons.pop("silent.png") == (True, "it has no caption file silent.txt")
    assert reasons.pop("zero.png") == (True, "the file is empty")
    assert reasons.pop("tab\tand\nline.png") == (True, "the file is empty")
    assert reasons.pop("moving.gif") == (True, "an animation of 2 frames, not one picture")
    assert reasons.pop("inks.jpg") == (False, "CMYK converted to RGB")
    assert reasons.pop("deep.png") == (False, "mode I;16 converted to RGB")
    assert reasons.pop("liar.png") == (False, "named .png but holds JPEG")
    for name in ("text.png", "cut.jpg"):
        skipped, reason = reasons.pop(name)
        assert skipped
        assert reason.startswith("not a readable picture")
    assert reasons == {}
    calls = decoder.call_count
    again = prepared(flawed)
    assert decoder.call_count == calls
    assert again.problems == first.problems
    assert len(first.images) == len(again.images) == len(first.captions_of) == len(first.groups) == 6


def test_strict_refuses_any_problem_and_counts_them(flawed):
    with pytest.raises(DataError, match=r"must have no problems, but has 9: silent.png: it has no caption"):
        prepared(flawed, strict=True)


@pytest.mark.parametrize("flaw", ["inks.jpg", "silent.png"])
def test_strict_refuses_a_single_converted_or_uncaptioned_picture(squares, flaw):
    Image.new("CMYK" if flaw == "inks.jpg" else "RGB", (8, 8)).save(squares / flaw)
    if flaw == "inks.jpg":
        (squares / "inks.txt").write_text("inks")
    for _ in range(2):  # the second time from the cache
        with pytest.raises(DataError, match=f"but has 1: {flaw}"):
            prepared(squares, strict=True)
    assert len(prepared(squares).problems) == 1


def test_strict_accepts_data_without_problems(squares):
    assert prepared(squares, strict=True).problems == []


def test_a_dataset_without_usable_pictures_is_an_error_each_time(squares):
    for colour in COLOURS:
        (squares / f"{colour}.png").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(
            DataError, match=r"None of the 3 pictures of folder:squares .* used: 3 times: the file is empty"
        ):
            prepared(squares)


def test_the_order_of_pictures_does_not_depend_on_the_threads(squares, monkeypatch):
    for number in range(20):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(squares / f"{number:02}.png")
        (squares / f"{number:02}.txt").write_text(f"number {number}")
    assert prepared(squares).images[:20, 0, 0, 0].tolist() == list(range(20))


@given(lengths=st.lists(st.integers(1, 5), min_size=1, max_size=6), picks=st.data())
@settings(max_examples=40, deadline=None)
def test_gathered_captions_are_padded_as_torch_pads(lengths, picks):
    words = [torch.randn(length, 3) for length in lengths]
    captions = EncodedCaptions(torch.randn(len(lengths), 3), torch.cat(words), torch.tensor([0, *lengths]).cumsum(0))
    rows = picks.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=8))
    got = captions[torch.tensor(rows)]
    assert torch.equal(got.sentence, captions.sentence[rows])
    assert torch.equal(got.words, pad_sequence([words[row] for row in rows], batch_first=True))
    assert torch.equal(got.mask, pad_sequence([torch.ones(lengths[row]).bool() for row in rows], batch_first=True))


def test_all_real_pictures_are_prepared(fashion, tmp_path):
    lines = (fashion / "metadata.jsonl").read_text().splitlines()[:12]
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "images").symlink_to(fashion / "images")
    (tmp_path / "few" / "metadata.jsonl").write_text("\n".join(lines))
    for line in lines:  # a symlink out of the folder is refused, so copy
        name = json.loads(line)["file_name"]
        target = tmp_path / "copied" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((fashion / name).read_bytes())
    (tmp_path / "copied" / "metadata.jsonl").write_text("\n".join(lines))
    data = prepared(tmp_path / "copied", resolution=16, strict=True)
    assert data.images.shape == (12, 3, 16, 16)
    assert set(data.caption_texts) == {json.loads(line)["text"] for line in lines}
    with pytest.raises(DataError, match="is a link out of the folder"):
        prepared(tmp_path / "few")
