"""The index: adding, searching warm and from the command line's start, recall, with T2I_BENCH_RECORDS (1,000,000).

Prompts are drawn from 5,000 words with Zipf's frequencies. Vectors are cluster centres, encoded by MiniLM from such
prompts, with noise that gives neighbours a cosine of about 0.8.
"""

from __future__ import annotations

import heapq
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from measure import commands, functions, line, ratio
from PIL import Image

from t2i_index.encoder import DIM, ENCODER_SHA256, sentences
from t2i_index.filters import Filters
from t2i_index.index import Index
from t2i_index.listener import picture_written
from t2i_index.record import Entry, Record
from t2i_index.segments import STEP, Segments
from t2i_index.sqlite_store import SQLiteStore
from t2i_index.vectors import END, VectorTable

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
    adding(store, words, centres)
    queries = list(prompts(rng, words, QUERIES))
    searching(store, queries)
    line("recall at 10 of the nearest-neighbour files", f"{recall(store, centres[:QUERIES]):.3f}", "at least .95")
    with tempfile.TemporaryDirectory() as empty:
        opened = functions(
            lambda: SQLiteStore(file).close(), lambda: SQLiteStore(Path(empty, "i.sqlite")).close(), runs=50
        )
    line("opening it, and as a ratio to an empty index", f"{ms(opened[0].median)}, {ratio(*opened):.2f} x", "1 x")
    recording(file)
    cold(file)


def adding(store: SQLiteStore, words: list[str], centres: np.ndarray) -> None:
    """Fill the index, 10,000 records at once, and add some one by one."""
    grow, files = Segments.grow, [0.0]

    def measured(self: Segments, most: int) -> None:
        used = time.process_time()
        grow(self, most)
        files[0] += time.process_time() - used

    Segments.grow = measured  # type: ignore[method-assign]
    have, times = int(str(store.facts()["pictures"])), []
    rng = np.random.default_rng(have)  # other texts than those that are there
    for start in range(have, RECORDS, AT_ONCE):
        batch = entries(rng, words, centres, start)
        ((clock,), (processor,)) = timed(lambda n, batch=batch: store.add(batch), 1)
        times.append((clock, processor))
    Segments.grow = grow  # type: ignore[method-assign]
    if times:
        rates = [AT_ONCE / statistics.median(each) for each in zip(*times, strict=True)]
        line(f"adding {len(times)} x 10,000 records, by the clock, median", f"{rates[0]:,.0f} /s", "at least 2,000")
        line("  by processor time", f"{rates[1]:,.0f} /s", "at least 2,000")
        line(
            "  the last 10,000, by the clock and by processor time",
            ", ".join(f"{AT_ONCE / t:,.0f} /s" for t in times[-1]),
        )
        line("  of it, for the nearest-neighbour files, of each vector", ms(files[0] / len(times) / AT_ONCE))
        batch = entries(rng, words, centres, 2 * RECORDS)
        used = [plainly(batch) for _ in range(3)]
        line("  ratio to a bare table with FTS5 and vectors", f"{times[-1][1] / statistics.median(used):.1f} x")
    one = entries(rng, words, centres, time.time_ns())[:STEP]  # new ones in every run
    clock, processor = timed(lambda n: store.add([one[n]]), STEP)
    line("adding one record, median, processor time", medians(clock, processor), "under 5 ms")
    line(
        "  mean and longest (it extends a file) of 4,096, processor time",
        f"{ms(statistics.mean(processor))}, {ms(max(processor))}",
    )


def plainly(batch: list[Entry]) -> float:
    """Processor time of the least that SQLite must do for these entries, in a new file."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder, "plain.sqlite"))
        connection.execute("CREATE TABLE record (id INTEGER PRIMARY KEY, prompt, path UNIQUE, vector)")
        connection.execute("CREATE VIRTUAL TABLE words USING fts5 (body, content='', tokenize='porter unicode61')")
        used = time.process_time()
        rows = [(n, e.record.prompt, e.record.path, e.meaning.astype("<f2").tobytes()) for n, e in enumerate(batch)]
        connection.executemany("INSERT INTO record VALUES (?, ?, ?, ?)", rows)
        connection.executemany("INSERT INTO words (rowid, body) VALUES (?, ?)", [row[:2] for row in rows])
        connection.commit()
        return time.process_time() - used


def searching(store: SQLiteStore, queries: list[str]) -> None:
    index = Index(store)

    def pair(n: int) -> str:
        return " ".join(queries[n].split()[:2])

    sentences().encode(queries[:1])
    ((clock,), (processor,)) = timed(lambda n: index.search(queries[n], by="meaning"), 1)
    line("the first search by meaning, which opens the files: processor time", f"{ms(clock)}, {ms(processor)}")
    for what, act in {
        "by words": lambda n: index.search(pair(n)),
        "by one frequent word": lambda n: index.search(COMMON[n % len(COMMON)]),
        "by meaning": lambda n: index.search(queries[n], by="meaning"),
        "merged": lambda n: index.search(pair(n), by="both"),
        "the newest": lambda n: index.search(),
    }.items():
        act(0)
        line(f"search {what}: median, processor time", medians(*timed(act, QUERIES)), "under 50 ms")


def recording(file: Path) -> None:
    """Measure what happens beside each picture that is drawn: its hash, its thumbnail and its record."""
    import torch  # the others need none

    from t2i.drawing.picture import Picture
    from t2i.drawing.provenance import ArtistIdentity, Provenance

    os.environ["T2I_INDEX"] = str(file)
    weights = {"model.safetensors": "0" * 64}
    artist = ArtistIdentity("bench", "", weights, {"minilm": ENCODER_SHA256}, "cpu", {"t2i-core": "0"})
    vectors = np.random.default_rng(0).normal(size=(QUERIES, DIM)).astype(np.float32)
    for side in (64, 512):
        image = Image.merge("RGB", [Image.radial_gradient("L"), Image.linear_gradient("L"), Image.radial_gradient("L")])
        with tempfile.TemporaryDirectory() as folder:
            pictures = []
            for number, vector in enumerate(vectors):
                path = Path(folder, f"{number}.png")
                sentence = torch.from_numpy(vector / np.linalg.norm(vector))
                provenance = Provenance(f"picture {number} of {side}", number, {}, artist)
                picture = Picture(image.resize((side, side)), provenance, sentence=sentence)
                pictures.append((picture.save(path), picture))
            times = timed(lambda n, pictures=pictures: picture_written(*pictures[n]), QUERIES)
        line(f"recording a picture of {side} px: median, processor time", medians(*times), "under 5 ms")


def cold(file: Path) -> None:
    """Measure including the start of the command line."""
    program, env = [sys.executable, "-m", "t2i"], {"T2I_INDEX": str(file)}
    searches = {
        "by words": ["cat", "house"],
        "by meaning": ["cat house", "--meaning"],
        "merged": ["cat house", "--both"],
    }
    lines = [[*program, "search", *words, "-n", "5"] for words in searches.values()]
    *found, torch = commands(*lines, [sys.executable, "-c", "import torch"], runs=3, env=env)
    for what, measured in zip(searches, found, strict=True):
        used = statistics.median(measured.processor)
        line(
            f"t2i search {what}, from its start, processor time", f"{measured.median:.2f} s, {used:.2f} s", "under 1 s"
        )
        line("  processor time as a ratio to `import torch`", f"{used / statistics.median(torch.processor):.2f} x")
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
            kind="picture",
            prompt=text,
            model="stackgan-v2.world64",
            seed=number,
            options={"truncation": 1.0},
            artist={"name": "stackgan-v2.world64"},
            path=f"/pictures/{number}.png",
            sha256=f"{number:064x}",
            time=time.time(),
        )
        found.append(Entry(record, b"", vectors[n]))
    return found


def recall(store: SQLiteStore, queries: np.ndarray) -> float:
    """Compare with an exact search over every vector, in parts that fit into memory."""
    best: list[list[tuple[float, int]]] = [[] for _ in queries]
    table = VectorTable(store._database, "meaning")
    for rows in table.between(0, END, Filters()):
        for number, query in enumerate(queries):
            best[number] = heapq.nlargest(10, [*best[number], *rows.nearest(query, 10)])
    shares = []
    for query, top in zip(queries, best, strict=True):
        expected = [record for _, thing in top for record in table.records(thing, Filters(), 10)][:10]
        shares.append(len({*store.by_vector("meaning", query, Filters(), 10)} & {*expected}) / 10)
    return float(np.mean(shares))


def timed(act: Callable[[int], object], count: int) -> tuple[list[float], list[float]]:
    """Seconds on the clock and on the processor, of each call; on a busy machine the first says little."""
    clock, processor = [], []
    for number in range(count):
        begun, used = time.perf_counter(), time.process_time()
        act(number)
        clock.append(time.perf_counter() - begun)
        processor.append(time.process_time() - used)
    return clock, processor


def medians(clock: list[float], processor: list[float]) -> str:
    return f"{ms(statistics.median(clock))}, {ms(statistics.median(processor))}"


def ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
