"""LanceDB gives the same results as SQLite: records, words, filters and neighbours, in a folder and on an S3 server."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fakes.s3 import s3 as s3
from plugins.index.conftest import picture, text
from plugins.index.test_index_query import TEXTS
from t2i.errors import DataError
from t2i_index.filters import Filters
from t2i_index.index import Index, open_store
from t2i_index.lance import LanceStore
from t2i_index.record import Entry
from t2i_index.store import ANY, Store

pytestmark = pytest.mark.skipif(find_spec("lancedb") is None, reason="lancedb is not installed")

LINES = [line for line in TEXTS if "cats" not in line]  # only SQLite stems English words
Make = Callable[[str], Store]


@pytest.fixture(params=["folder", "s3"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Opens the store of that name, in a folder or on the S3 server."""
    if request.param == "folder":
        return lambda name: open_store(str(tmp_path / f"{name}.lance"))
    address = request.getfixturevalue("s3")
    return lambda name: open_store(f"{address}/index-{name}")


def test_lancedb_gives_the_same_results_as_sqlite(make: Make, store: Store):
    lance = make("same")
    entries = [
        picture("a red heart", 0, model="cgan", seed=7, score=0.5, options={"steps": 2}, widened={"typed": "heart"}),
        picture("a blue heart's home", 1, model="cgan.x", seed=2**63 - 1, run="one"),
        picture("a green 100% boat", 2, model="other", artist={"name": "other"}),
        *[text(line, time=10.0 + number) for number, line in enumerate(LINES)],
    ]
    entries[0] = Entry(entries[0].record, b"webp")
    for each in (lance, store):
        assert each.add(entries[:2]) == 2 and each.add(entries) == len(entries) - 2 and each.add(entries) == 0
    other = make("same")  # as another machine would

    def found(each: Store, ids: list[int]) -> list[tuple[object, ...]]:
        return [tuple(vars(record).items())[:-1] for record in each.records(ids)]

    for filters in (
        Filters(),
        Filters(model="cgan"),
        Filters(seed=7),
        Filters(kind="text"),
        Filters(min_score=0.4),
        Filters(since=12.0),
        Filters(run="one"),
        Filters(model="it's ? odd"),
    ):
        assert found(other, other.newest(filters, 99)) == found(store, store.newest(filters, 99)), filters
        for query in (
            "heart",
            "cat astronaut",
            "cat NOT astronaut",
            '"cat astronaut"',
            "astro*",
            "cat OR heart",
            "猫",
            "cafe",
            "home",
            "sci-fi",
            "100",
        ):
            one, two = other.by_words(query, filters, 99), store.by_words(query, filters, 99)
            assert found(other, one) == found(store, two), (query, filters)
    (red,) = other.by_words("red NOT gate", Filters(), 9)
    assert other.thumbnails([red]) == {red: b"webp"}
    assert {key: other.facts()[key] for key in ("pictures", "texts")} == {"pictures": 3, "texts": len(LINES)}
    other.set_path(red, "/moved/it's.png")
    other.set_score(red, 0.9)
    (record,) = lance.records([red])
    assert (record.path, record.score) == ("/moved/it's.png", 0.9)
    other.remove([red])
    assert lance.records([red]) == [] and len(list(lance.all())) == len(entries) - 1 and lance.check() == []


def test_neighbours_are_those_of_sqlite(make: Make, store: Store):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lance = make("near")
    entries = [picture(f"p {n}", n, model=("a", "b")[n % 2]) for n in range(50)]
    for each in (lance, store):
        each.use_encoder("meaning", "one")
        each.add([Entry(entry.record, meaning=vector) for entry, vector in zip(entries[:30], vectors, strict=False)])
        each.add(entries[30:])
        for records in each.without_vector("meaning"):
            places = [int(record.time) for record in records]
            each.set_vectors("meaning", [record.id for record in records], vectors[places])
        assert list(each.without_vector("meaning")) == []
    for query in vectors[50:]:
        for filters in (Filters(), Filters(model="a")):
            for limit, least in ((5, ANY), (50, 0.2)):
                near = [
                    [
                        record.time
                        for record in each.records(each.by_vector("meaning", query, filters, limit, least=least))
                    ]
                    for each in (lance, store)
                ]
                assert near[0] == near[1] and len(near[0]) < 25
    lance.use_encoder("meaning", "two")
    assert (
        lance.by_vector("meaning", vectors[0], Filters(), 5) == []
        and sum(map(len, lance.without_vector("meaning"))) == 50
    )


def test_the_index_works_on_lancedb(tmp_path: Path):
    index = Index(open_store(str(tmp_path / "i.lance")))
    assert index.search() == []
    index.store.add([picture("a heart", n, seed=n) for n in range(3)])
    (hit,) = index.search("heart")
    assert [record.seed for record in hit.stack] == [2, 1, 0]


def test_a_table_of_an_older_version_gets_the_new_columns(tmp_path: Path):
    where = tmp_path / "old.lance"
    store = LanceStore(str(where))
    store.add([picture("old")])
    store._table.drop_columns(["edited", "frame"])
    newer = LanceStore(str(where))
    newer.add([picture("new", 1, frame={"padding": 3, "background": "edge"})])
    assert [record.frame for record in newer.all()] == [{}, {"padding": 3, "background": "edge"}]


def test_an_invalid_address_is_an_error(tmp_path: Path):
    (tmp_path / "x.lance").write_text("a file")
    with pytest.raises(DataError, match="cannot be opened"):
        open_store(str(tmp_path / "x.lance"))
