"""Search by meaning: MiniLM in NumPy equals torch's, and the file of neighbours finds the same as brute force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import t2i_index.neighbours as neighbours
from plugins.index.conftest import picture, text
from t2i_index.encoder import Sentences
from t2i_index.filters import Filters
from t2i_index.index import Index
from t2i_index.ranking import merged
from t2i_index.record import Entry
from t2i_index.sqlite_store import SQLiteStore

DIM = 16


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


def test_merging_puts_ids_of_both_lists_first():
    assert merged([[1, 2, 3], [4, 2, 5]]) == [2, 1, 4, 3, 5]


@pytest.fixture
def vectors(rng: np.random.Generator) -> np.ndarray:
    """600 unit vectors in clusters."""
    centres = rng.normal(size=(20, DIM))
    points = centres[rng.integers(0, 20, 600)] + 0.5 * rng.normal(size=(600, DIM))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def large(store: SQLiteStore, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLiteStore]:
    """An index of 500 vectors, for which that is many."""
    monkeypatch.setattr(neighbours, "FEW", 100)
    add(store, vectors[:500], 0)
    yield store


def add(store: SQLiteStore, vectors: np.ndarray, start: int) -> None:
    """Record number n + 1 has vector n; every tenth is of the model "rare"."""
    model = ("rare", *["usual"] * 9)
    store.add(
        [
            Entry(picture("p", n, model=model[n % 10]).record, meaning=vector)
            for n, vector in enumerate(vectors, start=start)
        ]
    )


def exact(vectors: np.ndarray, query: np.ndarray, ids: list[int], limit: int = 10) -> list[int]:
    cosines = vectors[np.array(ids) - 1].astype(np.float16).astype(np.float32) @ query
    return [ids[index] for index in np.argsort(-cosines, kind="stable")[:limit]]


def files(file: Path) -> list[Path]:
    return sorted(file.parent.glob("*.usearch"))


def test_the_file_finds_the_same_as_brute_force(large: SQLiteStore, vectors: np.ndarray, file: Path):
    found = [large.by_vector("meaning", query, Filters(), 10) for query in vectors[500:600]]
    expected = [exact(vectors, query, list(range(1, 501))) for query in vectors[500:600]]
    recall = np.mean([len(set(f) & set(e)) / 10 for f, e in zip(found, expected, strict=True)])
    assert recall >= 0.95 and len(files(file)) == 1


@pytest.mark.parametrize("filters", [Filters(), Filters(model="rare"), Filters(model="usual")])
def test_vectors_below_the_least_cosine_are_not_found(large: SQLiteStore, vectors: np.ndarray, filters: Filters):
    add(large, vectors[500:520], 500)  # not in the file
    query = vectors[590]
    everything = large.by_vector("meaning", query, filters, 520)
    found = large.by_vector("meaning", query, filters, 520, least=0.3)
    cosines = vectors[np.array(everything) - 1] @ query
    assert found == everything[: len(found)] and 0 < len(found) < len(everything)
    assert cosines[len(found) - 1] > 0.298 and cosines[len(found) :].max() < 0.302


def test_new_vectors_are_found_at_once_and_later_move_into_the_file(
    large: SQLiteStore, vectors: np.ndarray, file: Path
):
    large.by_vector("meaning", vectors[0], Filters(), 1)
    (first,) = files(file)
    add(large, vectors[500:550], 500)
    assert large.by_vector("meaning", vectors[520], Filters(), 1) == [521] and files(file) == [first]
    add(large, vectors[550:600], 550)
    add(large, vectors[:60] * -1, 600)
    other = SQLiteStore(file)
    for opened in (large, other):
        assert opened.by_vector("meaning", vectors[580], Filters(), 1) == [581]
        assert opened.by_vector("meaning", vectors[5] * -1, Filters(), 1) == [606]
        assert opened.by_vector("meaning", vectors[5], Filters(), 1) == [6]
    assert len(files(file)) == 1 and files(file) != [first]


@pytest.mark.parametrize("fault", ["lost", "cut", "other", "empty"])
def test_a_damaged_file_is_detected_and_rebuilt(large: SQLiteStore, vectors: np.ndarray, file: Path, fault: str):
    large.by_vector("meaning", vectors[0], Filters(), 1)
    (path,) = files(file)
    content = path.read_bytes()
    if fault == "lost":
        path.unlink()
    else:
        path.write_bytes({"cut": content[:-100], "other": b"x" * len(content), "empty": b""}[fault])
    again = SQLiteStore(file)
    assert "it will be rebuilt" in again.check()[0] or "is damaged" in again.check()[0]
    assert again.by_vector("meaning", vectors[7], Filters(), 3) == exact(vectors, vectors[7], list(range(1, 501)), 3)
    assert again.check() == [] and len(files(file)) == 1


def test_removed_records_are_no_neighbours(large: SQLiteStore, vectors: np.ndarray):
    assert large.by_vector("meaning", vectors[7], Filters(), 1) == [8]
    nearest = large.by_vector("meaning", vectors[7], Filters(), 30)
    large.remove(nearest)
    left = [id_ for id_ in range(1, 501) if id_ not in nearest]
    found = large.by_vector("meaning", vectors[7], Filters(), 10)
    assert len(set(found) & set(exact(vectors, vectors[7], left))) >= 9 and not set(found) & set(nearest)


@pytest.mark.parametrize("model", ["rare", "usual"])  # fewer than 100, and more
def test_filters_hold_for_neighbours(large: SQLiteStore, vectors: np.ndarray, model: str):
    ids = [id_ for id_ in range(1, 501) if ((id_ - 1) % 10 == 0) == (model == "rare")]
    found = large.by_vector("meaning", vectors[7], Filters(model=model), 10)
    assert len(found) == 10 and set(found) <= set(ids)
    assert len(set(found) & set(exact(vectors, vectors[7], ids))) >= 9


def test_another_encoder_drops_the_old_vectors(large: SQLiteStore, vectors: np.ndarray, file: Path):
    large.use_encoder("meaning", "a")
    assert large.by_vector("meaning", vectors[0], Filters(), 1) == []
    assert sum(map(len, large.without_vector("meaning"))) == 500
