"""The SQLite file: added records are found once, in the right order, and faults are errors of one sentence."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fakes.processes import in_child
from plugins.index.conftest import picture, text
from t2i.errors import DataError, OutputError, T2IError
from t2i_index.connection import connect
from t2i_index.facts import facts
from t2i_index.filters import Filters
from t2i_index.index import Index
from t2i_index.record import Entry, Record
from t2i_index.schema import VERSION
from t2i_index.sqlite_store import SQLiteStore


def prompts(store: SQLiteStore, ids: list[int]) -> list[str]:
    return [record.meaning for record in store.records(ids)]


def test_a_record_is_returned_unchanged_and_once(store: SQLiteStore):
    record = Record(
        kind="picture",
        prompt="a cosy cabin \ud800 in the snow",
        model="stackgan.world64",
        seed=2**63 - 1,
        options={"truncation": 0.8, "list": [1, None]},
        artist={"name": "stackgan.world64", "weights": {"model.safetensors": "ab"}},
        widened={"typed": "cosy cabin", "model": "smollm2", "sha256": "cd", "seed": 3},
        score=0.5,
        path="/pictures/ü \udcff.png",
        sha256="0" * 64,
        time=1.5,
        run="20260101-000000-abcd",
        source="t2i",
    )
    assert store.add([Entry(record, b"webp")]) == 1
    assert store.add([Entry(record, b"other"), Entry(record)]) == 0
    (found,) = store.all()
    assert found.prompt == "a cosy cabin \\ud800 in the snow" and found.path == "/pictures/ü \\udcff.png"
    assert Record(**{**vars(found), "prompt": record.prompt, "path": record.path, "id": 0}) == record
    assert (found.options, found.artist, found.widened) == (record.options, record.artist, record.widened)
    assert store.thumbnails([found.id]) == {found.id: b"webp"}
    assert store.by_words("cosy snow", Filters(), 9) == store.by_words("cosy NOT dog", Filters(), 9) == [found.id]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), ["d", "c", "b", "a"]),
        (Filters(model="cgan"), ["b", "a"]),
        (Filters(model="cgan.x"), ["b"]),
        (Filters(model="c%"), []),
        (Filters(seed=7), ["b", "a"]),
        (Filters(since=2.0), ["d", "c"]),
        (Filters(run="one"), ["c"]),
        (Filters(kind="text"), ["d"]),
        (Filters(min_score=0.5), ["b"]),
        (Filters(model="cgan", min_score=0.6), []),
    ],
)
def test_filters_hold_with_and_without_words(store: SQLiteStore, filters: Filters, expected: list[str]):
    store.add(
        [
            picture("same a", 0, model="cgan", seed=7, score=0.1),
            picture("same b", 1, model="cgan.x", seed=7, score=0.5),
            picture("same c", 2, model="cgandalf", seed=8, run="one"),
            text("same d", time=3.0, seed=9),
        ]
    )
    assert [each[-1] for each in prompts(store, store.newest(filters, 9))] == expected
    assert [each[-1] for each in prompts(store, store.by_words("same", filters, 9))] == expected


def test_pictures_that_differ_by_seed_are_one_hit(store: SQLiteStore):
    store.add(
        [picture("a heart", n, seed=n) for n in range(9)] + [picture("a heart", 10, seed=1, options={"steps": 2})]
    )
    store.add([picture(f"a heart {n}", n) for n in range(5)])
    hits = Index(store).search("heart", n=4)
    assert [len(hit.stack) for hit in hits][:2] == [1, 9] and len(hits) == 4
    assert {each.seed for each in hits[1].stack} == set(range(9))
    assert [len(hit.stack) for hit in Index(store).search("heart", n=11, stacked=False)] == [1] * 11


def test_removed_records_are_not_found(store: SQLiteStore):
    store.add([picture("a red heart"), picture("a blue heart", 1)])
    red, blue = store.by_words("red", Filters(), 1), store.by_words("blue", Filters(), 1)
    store.remove(red)
    assert store.by_words("red", Filters(), 9) == [] and store.by_words("heart", Filters(), 9) == blue
    assert store.check() == []
    store.add([picture("a green heart", 2)])
    assert store.newest(Filters(), 1) > blue  # no number is used twice


def test_rebuilding_does_not_change_results(store: SQLiteStore):
    store.add([picture(f"heart number {n}", n) for n in range(1200)])
    before = store.by_words("heart", Filters(), 1000)
    with store._database.writing() as connection:
        connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
    assert store.by_words("heart", Filters(), 9) == [] and "the index of words has 0" in store.check()[0]
    store.rebuild()
    assert store.by_words("heart", Filters(), 1000) == before and store.check() == []


def test_a_newer_index_is_refused_with_the_remedy(store: SQLiteStore, file: Path):
    store._database.read(f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(DataError, match=r"pip install --upgrade t2i-index"):
        connect(file)


def test_an_incomplete_index_is_completed(file: Path):
    """A kill between creating the file and its tables leaves an empty file."""
    sqlite3.connect(file).close()
    file.touch()
    assert SQLiteStore(file).add([picture("a heart")]) == 1


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_another_file_is_refused_and_stays_as_it_is(file: Path, content: bytes):
    file.write_bytes(content)
    with pytest.raises(DataError, match=str(file)):
        SQLiteStore(file)
    assert file.read_bytes() == content


def test_another_programs_database_is_refused(file: Path):
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(DataError, match="of another program"):
        SQLiteStore(file)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("time", "yesterday"),
        ("seed", "x"),
        ("options", "{"),
        ("options", "[" * 100_000),
        ("options", "[1]"),
        ("text", b"x"),
    ],
)
def test_a_row_that_t2i_did_not_write_is_an_error(store: SQLiteStore, file: Path, column: str, value: object):
    store.add([text("a")])
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE record SET {column} = ?", [value])
    with pytest.raises(DataError, match=f"Record 1 of the index was damaged: its {column}"):
        store.records([1])


@pytest.mark.parametrize("time", [-1e9, 1e18, float("inf")])
def test_a_time_outside_of_the_calendar_is_moved_into_it(store: SQLiteStore, file: Path, time: float):
    store.add([text("a")])
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE record SET time = ?", [time])
    (hit,) = Index(store).search("a")
    days = ("1969-12-31", "1970-01-01") if time < 0 else ("9998-12-31", "9999-01-01")  # in any time zone
    assert any(day in facts(hit) for day in days)


def test_a_full_disk_loses_no_earlier_records(store: SQLiteStore):
    store.add([picture("a heart")])
    (pages,) = store._database.read("PRAGMA page_count")[0]
    store._database.read(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(OutputError, match=r"cannot be written: .*full"):
        store.add([Entry(Record("text", "", "long " * 50_000))])
    assert store.add([]) == 0 and len(list(store.all())) == 1 and store.check() == []


def test_a_locked_file_is_an_error_after_a_wait(store: SQLiteStore, file: Path):
    other = connect(file)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OutputError, match="in use by another process"):
        store.add([picture("a heart")])
    other.execute("ROLLBACK")
    assert store.add([picture("a heart")]) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("clean", [True, False])
def test_a_read_only_index_can_be_searched(file: Path, clean: bool):
    """By another user, in a folder that is not theirs; with and without the files of an open index next to it."""
    store = SQLiteStore(file)
    store.add([Entry(picture("a heart").record, meaning=np.full(4, 0.5))])
    if clean:
        store.close()
    for folder in (file.parent, *file.parent.parents):
        if not folder.stat().st_mode & 0o001:  # pytest's folders are their owner's alone
            folder.chmod(0o711 if folder != file.parent else 0o755)

    def act() -> None:
        os.setuid(65534)
        found = SQLiteStore(file)
        assert found.by_words("heart", Filters(), 1) == [1]
        assert found.by_vector("meaning", np.ones(4), Filters(), 1) == [1]
        refused(lambda: found.add([picture("a heart", 2)]), "cannot be written")
        refused(lambda: found.remove([1]), "cannot be written")

    assert in_child(act) == 0


def refused(act: Callable[[], object], said: str) -> None:
    try:
        act()
    except T2IError as error:
        assert said in str(error)
    else:
        raise AssertionError(said)


def test_connections_that_create_one_index_at_once_wait_for_each_other(tmp_path: Path):
    def create(path: Path) -> None:
        connect(path).close()

    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            [*pool.map(create, [tmp_path / f"{number}.sqlite"] * 8)]
