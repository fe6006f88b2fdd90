"""Shards drawn by the workers of an engine are the files of `draw_folder`; the engine here is this process."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.artist import write_artist
from t2i.drawing.folder import draw_folder
from t2i.drawing.folder_plan import plan_folder
from t2i.drawing.opening import refused
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import Widened
from t2i.drawing.spread import FolderWorker, shards, spread_folder
from t2i.engine import Engine, OneProcess
from t2i.errors import InvalidConfigError, InvalidInputError, OutputError
from t2i.testing.engines import EngineSuite

PROMPTS = ["a red square", "a blue square", "a green square"]
WIDENED = {"a blue square": Widened("blue", "words", "", 7)}
PLAN = plan_folder(PROMPTS, range(5), ".png", WIDENED)


class Pickling(Engine):
    """Sends everything through pickle, as processes do, and loses the third task's worker after its work."""

    def map(self, open_worker: Callable[[], Callable[[Any], Any]], tasks: Iterable[Any]) -> Iterator[Any]:
        for number, task in enumerate(tasks):
            for _ in range(2 if number == 2 else 1):
                opened, given = pickle.loads(pickle.dumps((open_worker, task)))
                result = opened()(given)
            yield pickle.loads(pickle.dumps(result))

    serve = OneProcess.serve

    def close(self) -> None:
        pass


class Interrupted(Engine):
    """Ctrl-C after two shards."""

    def map(self, open_worker: Callable[[], Callable[[Any], Any]], tasks: Iterable[Any]) -> Iterator[Any]:
        for number, result in enumerate(OneProcess().map(open_worker, tasks)):
            if number == 2:
                raise KeyboardInterrupt
            yield result

    serve = OneProcess.serve

    def close(self) -> None:
        pass


class TestOneProcess(EngineSuite):
    @pytest.fixture
    def engine(self) -> Engine:
        return OneProcess()


@pytest.fixture
def model(tmp_path: Path, fakes_installed: None) -> str:
    return str(write_artist(tmp_path / "painter"))


def worker(model: str, place: Path, **how: Any) -> FolderWorker:
    return FolderWorker(model, str(place), {"wildness": 2.0}, "cpu", batch_size=2, **how)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_give_the_files_of_one_process(model: str, tmp_path: Path):
    artist = pipeline(model, device="cpu")
    draw_folder(artist, PROMPTS, range(5), tmp_path / "alone", artist.options(wildness=2.0), widened=WIDENED)
    done = spread_folder(Pickling(), worker(model, tmp_path / "out"), PLAN)
    assert files(tmp_path / "out") == files(tmp_path / "alone")
    # the two pictures of the shard that was done twice were there the second time
    assert (done.total, done.drawn, done.grid) == (15, 13, str(tmp_path / "out" / "grid.png"))


def test_only_what_is_missing_is_drawn(model: str, tmp_path: Path):
    advanced: list[int] = []

    def progress(title: str, total: int):
        from contextlib import contextmanager

        @contextmanager
        def block() -> Iterator[Callable[[int], None]]:
            yield advanced.append

        assert total == 15
        return block()

    out = tmp_path / "out"
    spread_folder(OneProcess(), worker(model, out), PLAN)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("0*")}
    gone = "0002-a-blue-square-3.png"
    (out / gone).unlink()
    assert spread_folder(OneProcess(), worker(model, out), PLAN, progress=progress).drawn == 1
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("0*")}
    assert {name for name in after if after[name] != before[name]} == {gone}
    assert advanced == [2] * 7 + [1]


def test_an_interruption_says_how_many_are_there(model: str, tmp_path: Path):
    with pytest.raises(KeyboardInterrupt, match=r"out/ has at least 4 of 15 pictures\."):
        spread_folder(Interrupted(), worker(model, tmp_path / "out"), PLAN)
    assert spread_folder(OneProcess(), worker(model, tmp_path / "out"), PLAN).drawn in (9, 11)


def test_a_worker_that_does_not_see_the_folder_says_so(model: str, tmp_path: Path):
    with pytest.raises(OutputError, match=f"nowhere is not on {socket.gethostname()}.*shared disk"):
        worker(model, tmp_path / "nowhere")()


def test_options_and_downloads_are_checked_by_the_worker(model: str, tmp_path: Path):
    with pytest.raises(InvalidConfigError, match="wildnes"):
        spread_folder(OneProcess(), FolderWorker(model, str(tmp_path), {"wildnes": 1}, "cpu"), PLAN)
    with pytest.raises(InvalidInputError, match=r"^Download 5 GB\? Confirm it: --yes$"):
        refused("Download 5 GB?\nIts licence is MIT.")


def test_shards_are_parts_of_the_plan_in_order():
    found = list(shards(PLAN, 4))
    assert [len(shard) for shard in found] == [4, 4, 4, 3]
    assert [named for shard in found for named in shard] == list(PLAN)
    assert found[1][1][0].widened == WIDENED["a blue square"]
