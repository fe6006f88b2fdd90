"""Search by meaning: MiniLM in NumPy equals torch's, and texts are encoded once."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageDraw

from plugins.index.conftest import picture, text
from t2i.errors import InvalidInputError
from t2i_index.encoder import Sentences
from t2i_index.filters import Filters
from t2i_index.index import Index
from t2i_index.ranking import merged
from t2i_index.record import Entry
from t2i_index.spaces import encode_picture
from t2i_index.sqlite_store import SQLiteStore
from t2i_index.thumbnail import thumbnail


@pytest.fixture(scope="module")
def encoder() -> Sentences:
    return Sentences()


def test_the_vectors_are_those_of_the_text_encoder(encoder: Sentences):
    from t2i_text_hf.minilm import MiniLM

    texts = [
        "a red heart",
        "Ein Café",
        "宇宙の猫",
        "word " * 200,
        "x",
        "a red heart",
        "an astronaut rides a horse, at night",
    ]
    reference = MiniLM().encode(texts).sentence.numpy()
    assert np.abs(encoder.encode(texts) - reference).max() < 2e-6


def test_a_search_by_meaning_finds_synonyms(store: SQLiteStore):
    store.add([text("a feline sleeping on a sofa"), text("the stock market fell"), text("a bowl of fruit")])
    index = Index(store)
    best = index.search("cat on a couch", by="meaning")[0]
    assert best.record.text == "a feline sleeping on a sofa"
    assert index.prepare("meaning") == 0
    store.add([text("a kitten on a couch")])
    assert index.search("cat on a couch", by="meaning")[0].record.text == "a kitten on a couch"
    assert index.search("market", by="both")[0].record.text == "the stock market fell"
    assert index.search("cat on a couch", by="meaning", filters=Filters(model="nobody")) == []


def test_what_means_something_else_is_not_found(store: SQLiteStore):
    store.add([text("a feline sleeping on a sofa"), text("a red heart"), text("two dogs running on the beach")])
    index = Index(store)
    assert index.search("quarterly tax report", by="meaning") == index.search("quarterly tax report", by="both") == []
    assert [hit.record.text for hit in index.search("puppies", by="meaning")] == ["two dogs running on the beach"]
    assert [hit.record.text for hit in index.search("heart", by="both")] == ["a red heart"]


def test_vectors_that_come_with_records_are_kept(store: SQLiteStore, encoder: Sentences):
    """Recorded pictures have the vector of their prompt; the first search encodes only other texts."""
    meaning = encoder.encode(["a red heart"])[0]
    store.add([Entry(picture("a red heart", n).record, meaning=meaning) for n in range(3)])
    store.add([picture("a red heart", 3), picture("a blue boat", 4)])  # equal texts share a vector
    index = Index(store)
    assert index.prepare("meaning") == 1
    assert [hit.record.id for hit in index.search("hearts", by="meaning", stacked=False)] == [4, 3, 2, 1]


def test_merging_puts_ids_of_both_lists_first():
    assert merged([[1, 2, 3], [4, 2, 5]]) == [2, 1, 4, 3, 5]


def test_a_search_by_picture_finds_similar_ones(store: SQLiteStore, tmp_path: Path):
    def drawing(colour: str, angle: int) -> Image.Image:
        image = Image.new("RGB", (64, 64), "white")
        ImageDraw.Draw(image).pieslice((8, 8, 56, 56), 0, angle, fill=colour)
        return image

    for number, (colour, angle) in enumerate([("red", 360), ("blue", 90), ("green", 180)]):
        entry = picture(colour, number)
        store.add([Entry(entry.record, thumbnail(drawing(colour, angle)))])
    drawing("red", 350).save(tmp_path / "like.png")
    best, *others = Index(store).search(like=tmp_path / "like.png")
    assert best.record.prompt == "red" and len(others) == 2


def test_a_file_to_search_with_neither_hangs_nor_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Pillow runs Ghostscript for a file of PostScript, whatever its name."""
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", Mock(side_effect=AssertionError("it ran")))
    os.mkfifo(tmp_path / "fifo.png")
    (tmp_path / "zeros.png").symlink_to("/dev/zero")
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    (tmp_path / "program.png").write_bytes(program)
    for name in ("fifo.png", "zeros.png", "program.png", "missing.png"):
        with pytest.raises(InvalidInputError, match=f"{name}.* is not a picture that can be read"):
            encode_picture(tmp_path / name)
