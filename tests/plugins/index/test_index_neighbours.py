"""The files of nearest neighbours: they find the same as brute force, grow with the index, and survive faults."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import t2i_index.neighbours as neighbours
import t2i_index.segments as segments
from plugins.index.conftest import picture
from t2i_index.connection import Database
from t2i_index.filters import Filters
from t2i_index.record import Entry
from t2i_index.schema import APPLICATION_ID, MIGRATIONS
from t2i_index.segments import Segment
from t2i_index.sqlite_store import SQLiteStore

DIM, STEP, FULL = 16, 50, 200


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """700 unit vectors in clusters."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(20, DIM))
    points = centres[rng.integers(0, 20, 700)] + 0.5 * rng.normal(size=(700, DIM))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def large(store: SQLiteStore, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLiteStore]:
    """An index of 500 vectors, for which that is many."""
    monkeypatch.setattr(segments, "STEP", STEP)
    monkeypatch.setattr(segments, "FULL", FULL)
    monkeypatch.setattr(neighbours, "FEW", 100)
    add(store, vectors[:500], 0)
    yield store


def add(store: SQLiteStore, vectors: np.ndarray, start: int) -> None:
    """Record number n + 1 has vector n; every tenth is of the model "rare"."""
    model = ("rare", *["usual"] * 9)
    store.add(
        [
            Entry(picture(f"p {n}", n, model=model[n % 10]).record, meaning=vector)
            for n, vector in enumerate(vectors, start=start)
        ]
    )


def exact(vectors: np.ndarray, query: np.ndarray, ids: list[int], limit: int = 10) -> list[int]:
    cosines = vectors[np.array(ids) - 1].astype(np.float16).astype(np.float32) @ query
    return [ids[index] for index in np.argsort(-cosines, kind="stable")[:limit]]


def files(file: Path) -> list[Path]:
    """The files of neighbours, in the order of their vectors."""
    rows = Database(file).read("SELECT file FROM segment ORDER BY first")
    assert len(rows) == len([*file.parent.glob("*.usearch")])
    return [file.with_name(name) for (name,) in rows]


def uncovered(store: SQLiteStore) -> object:
    return store.facts()["vectors not in files"]


def test_the_files_find_the_same_as_brute_force(large: SQLiteStore, vectors: np.ndarray, file: Path):
    found = [large.by_vector("meaning", query, Filters(), 10) for query in vectors[500:600]]
    expected = [exact(vectors, query, list(range(1, 501))) for query in vectors[500:600]]
    recall = np.mean([len(set(f) & set(e)) / 10 for f, e in zip(found, expected, strict=True)])
    assert recall >= 0.95 and len(files(file)) == 3 and uncovered(large) == 0


def test_many_pictures_of_one_prompt_do_not_hide_others(large: SQLiteStore, vectors: np.ndarray):
    """They share a vector: a graph with hundreds of equal vectors would not lead anywhere else."""
    same = vectors[600]
    large.add([Entry(picture("the same", n, seed=n).record, meaning=same) for n in range(500, 900)])
    found = large.by_vector("meaning", same, Filters(), 410)
    assert found[:400] == list(range(900, 500, -1)) and found[400:] == exact(vectors, same, list(range(1, 501)))
    assert large.by_vector("meaning", same, Filters(seed=700), 10) == [701]
    large.remove(found[:399])
    assert large.by_vector("meaning", same, Filters(), 2) == [501, *exact(vectors, same, list(range(1, 501)), 1)]
    large.remove([501])
    assert large.by_vector("meaning", same, Filters(), 1) == exact(vectors, same, list(range(1, 501)), 1)


@pytest.mark.parametrize("filters", [Filters(), Filters(model="rare"), Filters(model="usual")])
def test_vectors_below_the_least_cosine_are_not_found(large: SQLiteStore, vectors: np.ndarray, filters: Filters):
    add(large, vectors[500:520], 500)  # in no file
    query = vectors[590]
    everything = large.by_vector("meaning", query, filters, 520)
    found = large.by_vector("meaning", query, filters, 520, least=0.3)
    cosines = vectors[np.array(everything) - 1] @ query
    assert found == everything[: len(found)] and 0 < len(found) < len(everything)
    assert cosines[len(found) - 1] > 0.298 and cosines[len(found) :].max() < 0.302


def test_new_vectors_are_found_at_once_and_later_move_into_the_last_file(
    large: SQLiteStore, vectors: np.ndarray, file: Path
):
    before = files(file)
    add(large, vectors[500:540], 500)
    assert large.by_vector("meaning", vectors[520], Filters(), 1) == [521]
    assert files(file) == before and uncovered(large) == 40
    other = SQLiteStore(file)
    assert other.by_vector("meaning", vectors[520], Filters(), 1) == [521]
    add(large, vectors[540:560], 540)
    add(large, vectors[:60] * -1, 560)
    for opened in (large, other):
        assert opened.by_vector("meaning", vectors[550], Filters(), 1) == [551]
        assert opened.by_vector("meaning", vectors[5] * -1, Filters(), 1) == [566]
        assert opened.by_vector("meaning", vectors[5], Filters(), 1) == [6]
    assert files(file)[:2] == before[:2] and files(file)[2:] != before[2:]  # full files stay


def test_adding_one_record_at_a_time_makes_the_same_files(
    store: SQLiteStore, vectors: np.ndarray, file: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(segments, "STEP", STEP)
    monkeypatch.setattr(segments, "FULL", FULL)
    counts = []
    for number in range(260):
        add(store, vectors[number : number + 1], number)
        counts.append(uncovered(store))
    assert max(counts) == STEP - 1 and len(files(file)) == 2  # never more than that is compared one by one


@pytest.mark.parametrize("fault", ["lost", "cut", "other", "empty"])
def test_a_damaged_file_is_detected_not_used_and_written_again(
    large: SQLiteStore, vectors: np.ndarray, file: Path, fault: str
):
    path = files(file)[1]
    content = path.read_bytes()
    if fault == "lost":
        path.unlink()
    else:
        path.write_bytes({"cut": content[:-100], "other": b"x" * len(content), "empty": b""}[fault])
    again = SQLiteStore(file)
    assert f"{path} is" in again.check()[0] and "`t2i index rebuild`" in again.check()[0]
    assert again.by_vector("meaning", vectors[307], Filters(), 3) == exact(
        vectors, vectors[307], list(range(1, 501)), 3
    )
    assert uncovered(again) == FULL and path.exists() == (fault != "lost")  # a search writes nothing
    add(again, vectors[500:550], 500)  # a bounded step
    assert uncovered(again) == FULL + 50 - 2 * STEP
    again.rebuild()
    assert again.check() == [] and uncovered(again) == 0 and len(files(file)) == 3


def test_an_index_of_version_1_is_migrated_and_searched_without_files(
    vectors: np.ndarray, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(neighbours, "MANY", 100)
    old_index(file, vectors[:300])
    store = SQLiteStore(file)
    for _ in range(2):
        found = store.by_vector("meaning", vectors[7], Filters(), 10)
        assert found == exact(vectors, vectors[7], list(range(1, 301)))
    (said,) = caplog.messages  # once
    assert "300 vectors are in no nearest-neighbour file yet" in said and "t2i index rebuild" in said
    assert store.by_words("p7", Filters(), 9) == [8] and store.thumbnails([8]) == {8: b"thumbnail"}
    (unencoded,) = store.without_vector("meaning")
    assert [record.prompt for record in unencoded] == ["without a vector"]
    assert [len(each) for each in store.without_vector("look")] == [1]  # one thumbnail, many times
    monkeypatch.setattr(segments, "STEP", STEP)
    store.rebuild()
    assert uncovered(store) == 0 and store.check() == []


def old_index(file: Path, vectors: np.ndarray) -> None:
    """An index as the first version wrote it: record number n + 1 has vector n, and one more has none."""
    connection = sqlite3.connect(file)
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    record = "INSERT INTO record VALUES (?, ?, 'picture', ?, '', '', NULL, '{}', NULL, '{}', NULL, '', '', 1.0, '', '')"
    for id_, vector in enumerate([*vectors, None], start=1):
        prompt = "without a vector" if vector is None else f"p{id_ - 1}"
        connection.execute(record, [id_, str(id_).encode(), prompt])
        connection.execute("INSERT INTO words (rowid, body) VALUES (?, ?)", [id_, prompt])
        connection.execute("INSERT INTO thumbnail VALUES (?, ?)", [id_, b"thumbnail"])
        if vector is not None:
            connection.execute(
                "INSERT INTO meaning (record, vector) VALUES (?, ?)", [id_, vector.astype("<f2").tobytes()]
            )
    connection.commit()
    connection.close()


def test_an_interrupted_rebuild_is_continued(large: SQLiteStore, file: Path):
    for path in files(file):
        path.unlink()

    @contextmanager
    def impatient(title: str, total: int) -> Iterator[Callable[[int], None]]:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            if "nearest-neighbour" in title and done > FULL:
                raise KeyboardInterrupt

        yield advance

    with pytest.raises(KeyboardInterrupt):
        large.rebuild(impatient)
    (first,) = files(file)
    assert uncovered(large) == 300 and large.check() == []
    totals: dict[str, int] = {}

    @contextmanager
    def counting(title: str, total: int) -> Iterator[Callable[[int], None]]:
        totals[title] = total
        yield lambda count: totals.update({title: totals[title] - count})
        assert totals[title] == 0

    large.rebuild(counting)
    assert files(file)[0] == first and len(files(file)) == 3 and uncovered(large) == 0 and len(totals) == 2


def test_rebuilding_drops_removed_vectors(large: SQLiteStore, vectors: np.ndarray, file: Path):
    first, *_ = files(file)
    large.remove(list(range(201, 301)))
    large.rebuild()
    assert files(file)[0] == first
    assert [row[0] for row in Database(file).read("SELECT count FROM segment ORDER BY first")] == [200, 100, 100]
    large.remove(list(range(1, 500)))
    large.rebuild()
    assert files(file) == [] and large.by_vector("meaning", vectors[0], Filters(), 9) == [500]


def test_of_two_processes_that_write_a_file_one_wins(
    large: SQLiteStore, vectors: np.ndarray, file: Path, monkeypatch: pytest.MonkeyPatch
):
    other, saved, turns = SQLiteStore(file), segments.Segments._saved, [1]

    def slow(self: segments.Segments, graph: object, first: int, last: int) -> Segment:
        segment = saved(self, graph, first, last)
        if turns:
            turns.pop()
            other._neighbours["meaning"].segments.grow(1000)
        return segment

    monkeypatch.setattr(segments.Segments, "_saved", slow)
    add(large, vectors[500:560], 500)
    assert uncovered(large) == uncovered(other) == 0 and len(files(file)) == 3
    assert large.by_vector("meaning", vectors[555], Filters(), 1) == [556]


def test_a_full_disk_costs_a_file_but_no_record(
    large: SQLiteStore,
    vectors: np.ndarray,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    from usearch.index import Index

    def full(self: object, path: str) -> None:
        Path(path).write_bytes(b"half")
        raise RuntimeError("No space left on device")

    before = files(file)
    with monkeypatch.context() as patched:
        patched.setattr(Index, "save", full)
        add(large, vectors[500:560], 500)
    (said,) = caplog.messages
    assert "No space left on device" in said and "one by one" in said
    assert files(file) == before and large.by_vector("meaning", vectors[555], Filters(), 1) == [556]
    add(large, vectors[560:610], 560)
    assert uncovered(large) == 10


def test_what_a_killed_process_left_is_removed_later(large: SQLiteStore, vectors: np.ndarray, file: Path):
    left, recent = (file.with_name(f"{file.name}.meaning.{name}.usearch") for name in ("killed", "growing"))
    for path in (left, recent):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    add(large, vectors[500:560], 500)
    assert not left.exists() and recent.exists()


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
    large.use_encoder("meaning", "a")  # the name of what made the vectors there
    assert len(large.by_vector("meaning", vectors[0], Filters(), 1)) == 1
    large.use_encoder("meaning", "b")
    assert large.by_vector("meaning", vectors[0], Filters(), 1) == []
    assert sum(map(len, large.without_vector("meaning"))) == 500
