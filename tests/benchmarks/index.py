"""The index: adding, searching warm and from the command line's start, recall, with T2I_BENCH_RECORDS (1,000,000).

Prompts are drawn from 5,000 words with Zipf's frequencies. Vectors are cluster centres, encoded by MiniLM from such
prompts, with noise that gives neighbours a cosine of about 0.8.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from measure import commands, line

from t2i_index.encoder import sentences
from t2i_index.filters import Filters
from t2i_index.index import Index
from t2i_index.ranking import merged
from t2i_index.record import Entry, Record
from t2i_index.sqlite_store import SQLiteStore

RECORDS = int(os.environ.get("T2I_BENCH_RECORDS", "1_000_000"))
CENTRES, AT_ONCE, QUERIES = 500, 10_000, 50
COMMON = ("a", "the", "red", "cat", "house", "astronaut", "in", "of", "with", "castle")


def run() -> None:
    """Build an index in a temporary folder, or in T2I_BENCH_FOLDER, and measure it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(os.environ.get("T2I_BENCH_FOLDER", scratch))
        folder.mkdir(exist_ok=True)
        measure(folder / "index.sqlite")


def measure(file: Path) -> None:
    rng = np.random.default_rng(0)
    words = [*COMMON, *(f"w{chr(97 + n % 26)}{n}" for n in range(5_000))]
    centres = sentences().encode(list(prompts(rng, words, CENTRES)))
    store = SQLiteStore(file)
    have = int(str(store.facts()["pictures"]))
    begun, used, added = time.perf_counter(), time.process_time(), 0
    while have + added < RECORDS:
        store.add(entries(rng, words, centres, have + added))
        added += AT_ONCE
    if added:
        rates = (added / (now - before) for now, before in ((time.perf_counter(), begun), (time.process_time(), used)))
        line(
            f"adding {added:,} records, 10,000 at once: by the clock, by processor time",
            ", ".join(f"{rate:,.0f} /s" for rate in rates),
            "at least 2,000",
        )
    one = entries(rng, words, centres, RECORDS)[:200]
    line("adding one record, median", ms(statistics.median(timed(lambda n: store.add([one[n]]), 200)[0])), "under 5 ms")
    queries = list(prompts(rng, words, QUERIES))
    vectors = centres[:QUERIES]

    def by_words(n: int) -> object:
        pair = queries[n].split()[:2]
        return store.by_words(" ".join(pair), Filters(), 160)

    ((clock,), (processor,)) = timed(lambda n: store.by_vector("meaning", vectors[0], Filters(), 10), 1)
    line(
        "the first search by meaning, which makes the file of neighbours: processor time",
        f"{clock:.1f} s, {processor:.1f} s",
    )
    index = Index(store)

    def both(n: int) -> object:
        ids = merged([store.by_words(" ".join(queries[n].split()[:2]), Filters(), 160), near(n)])[:160]
        return store.records(ids)

    def near(n: int) -> list[int]:
        return store.by_vector("meaning", vectors[n], Filters(), 160)

    for what, act in {
        "by words": by_words,
        "by one frequent word": lambda n: store.by_words(COMMON[n % len(COMMON)], Filters(), 160),
        "by meaning, the query encoded": lambda n: (sentences().encode([queries[n]]), near(n)),
        "merged": both,
        "the newest": lambda n: index.search(n=20),
    }.items():
        act(0)
        clock, processor = timed(act, QUERIES)
        both_medians = f"{ms(statistics.median(clock))}, {ms(statistics.median(processor))}"
        line(f"search {what}: median, processor time", both_medians, "under 50 ms")
    line("recall at 10 of the file of neighbours", f"{recall(store, vectors):.3f}", "at least .95")
    cold(file)


def cold(file: Path) -> None:
    """Measure including the start of the command line."""
    program, env = [sys.executable, "-m", "t2i"], {"T2I_INDEX": str(file)}
    searches = {
        "by words": ["cat", "house"],
        "by meaning": ["cat house", "--meaning"],
        "merged": ["cat house", "--both"],
    }
    lines = [[*program, "search", *words, "-n", "5"] for words in searches.values()]
    for what, measured in zip(searches, commands(*lines, runs=3, env=env), strict=True):
        line(f"t2i search {what}, from its start", f"{measured.median:.2f} s", "under 1 s")
        line("  peak memory", f"{measured.peak_mib:.0f} MiB")


def prompts(rng: np.random.Generator, words: list[str], count: int) -> Iterator[str]:
    """Prompts of 4 to 15 words."""
    weights = 1 / np.arange(1, len(words) + 1)
    for length in rng.integers(4, 16, count):
        yield " ".join(words[n] for n in rng.choice(len(words), length, p=weights / weights.sum()))


def entries(rng: np.random.Generator, words: list[str], centres: np.ndarray, start: int) -> list[Entry]:
    weights = np.cumsum(1 / np.arange(1, len(words) + 1))
    lengths = rng.integers(4, 16, AT_ONCE)
    drawn = np.searchsorted(weights, rng.random(int(lengths.sum())) * weights[-1])
    ends = np.cumsum(lengths)
    noise = rng.normal(size=(AT_ONCE, centres.shape[1])).astype(np.float32)
    vectors = centres[rng.integers(0, len(centres), AT_ONCE)] + 0.025 * noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = []
    for n in range(AT_ONCE):
        text = " ".join(words[each] for each in drawn[ends[n] - lengths[n] : ends[n]])
        number = start + n
        record = Record(
            *("picture", text, "", "stackgan-v2.openmoji64", number, {"truncation": 1.0}),
            *({"name": "stackgan-v2.openmoji64"}, {}, None, f"/pictures/{number}.png", f"{number:064x}", float(number)),
        )
        found.append(Entry(record, b"", vectors[n]))
    return found


def recall(store: SQLiteStore, queries: np.ndarray) -> float:
    """Compare with an exact search over every vector, in parts that fit into memory."""
    best: list[list[tuple[float, int]]] = [[] for _ in queries]
    last = 0
    while rows := store._read(
        f"SELECT id, record, vector FROM meaning WHERE id > ? ORDER BY id LIMIT {AT_ONCE}", [last]
    ):
        vectors = np.frombuffer(b"".join(row[2] for row in rows), "<f2").astype(np.float32).reshape(len(rows), -1)
        cosines = vectors @ queries.T
        for number in range(len(queries)):
            top = np.argpartition(-cosines[:, number], 10)[:10]
            best[number] = sorted([*best[number], *((-float(cosines[n, number]), rows[n][1]) for n in top)])[:10]
        last = rows[-1][0]
    found = [set(store.by_vector("meaning", query, Filters(), 10)) for query in queries]
    return float(np.mean([len(ids & {id_ for _, id_ in top}) / 10 for ids, top in zip(found, best, strict=True)]))


def timed(act: Callable[[int], object], count: int) -> tuple[list[float], list[float]]:
    """Seconds on the clock and on the processor, of each call; on a busy machine the first says little."""
    clock, processor = [], []
    for number in range(count):
        begun, used = time.perf_counter(), time.process_time()
        act(number)
        clock.append(time.perf_counter() - begun)
        processor.append(time.process_time() - used)
    return clock, processor


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
