"""Pictures drawn by two workers are the files that one process writes, byte for byte, in a folder and in a bucket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.artist import write_artist
from t2i.drawing.folder import draw_folder
from t2i.drawing.folder_plan import FolderPlan, plan_folder
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import Widened
from t2i.drawing.spread import FolderWorker, spread_folder
from t2i.engine import Engine
from t2i.errors import InvalidConfigError, OutputError, UnknownNameError, UnreadPromptWarning

PROMPTS = ["a red square", "a blue square", "a green square"]
WIDENED = {"a blue square": Widened("blue", "words", "", 7)}
PLAN = plan_folder(PROMPTS, range(5), ".png", WIDENED)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_artist(tmp_path_factory.mktemp("models") / "painter"))


@pytest.fixture(scope="module")
def alone(model: str, tmp_path_factory: pytest.TempPathFactory, fakes_installed_for_module: None) -> dict[str, bytes]:
    """What one process writes."""
    folder = tmp_path_factory.mktemp("alone")
    options = {"wildness": 2.0}
    artist = pipeline(model, device="cpu")
    draw_folder(artist, PROMPTS, range(5), folder, artist.options(**options), widened=WIDENED)
    return files(folder)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def worker(model: str, place: Path | str, **how: object) -> FolderWorker:
    return FolderWorker(model, str(place), {"wildness": 2.0}, "cpu", batch_size=2, **how)  # type: ignore[arg-type]


def test_two_workers_write_the_files_of_one_process(
    engine: Engine, model: str, alone: dict[str, bytes], tmp_path: Path
):
    done = spread_folder(engine, worker(model, tmp_path / "out"), PLAN)
    assert (done.total, done.drawn, done.grid) == (15, 15, str(tmp_path / "out" / "grid.png"))
    assert files(tmp_path / "out") == alone
    (tmp_path / "out" / "0002-a-blue-square-3.png").unlink()
    changed = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("0*")}
    assert spread_folder(engine, worker(model, tmp_path / "out"), PLAN).drawn == 1
    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("0*")}
    assert {name for name in again if again[name] != changed.get(name)} == {"0002-a-blue-square-3.png"}
    assert files(tmp_path / "out") == alone


def test_errors_are_those_of_one_process(engine: Engine, model: str, tmp_path: Path):
    with pytest.raises(InvalidConfigError, match="wildnes"):
        spread_folder(engine, FolderWorker(model, str(tmp_path / "a"), {"wildnes": 1}, "cpu"), PLAN)
    with pytest.raises(UnknownNameError, match="no model"):
        spread_folder(engine, FolderWorker("nomodel", str(tmp_path / "a")), PLAN)
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "0001-a-red-square-0.png").write_bytes(b"damaged")
    spread_folder(engine, worker(model, folder), plan_folder(PROMPTS[:1], [0]))
    with pytest.raises(OutputError, match="holds another picture"):
        spread_folder(engine, FolderWorker(model, str(folder), {}, "cpu"), plan_folder(PROMPTS[:1], [0]))


def test_words_that_no_worker_can_read_are_reported(engine: Engine, tmp_path: Path):
    plan = plan_folder(["Красное сердце"], [0])
    with pytest.warns(UnreadPromptWarning, match="Красное"):
        spread_folder(engine, FolderWorker("cgan.world64", str(tmp_path), device="cpu"), plan)
    artist = pipeline("cgan.world64", device="cpu")
    with pytest.warns(UnreadPromptWarning):
        (picture,) = artist(plan.prompts, seed=0)
    assert next(tmp_path.glob("0001-*")).read_bytes() == picture.png()


def test_a_bucket_gets_the_files_of_a_folder(
    engine: Engine, model: str, alone: dict[str, bytes], s3: str, fakes_installed: None
):
    import boto3

    place = f"{s3}/spread/one"
    assert spread_folder(engine, worker(model, place), PLAN).drawn == 15
    store = boto3.client("s3")
    listed = store.list_objects_v2(Bucket="pictures", Prefix="spread/one/")["Contents"]
    found = {each["Key"]: store.get_object(Bucket="pictures", Key=each["Key"])["Body"].read() for each in listed}
    assert {key.rpartition("/")[2]: content for key, content in found.items()} == alone
    store.delete_object(Bucket="pictures", Key="spread/one/0003-a-green-square-4.png")
    assert spread_folder(engine, worker(model, place), PLAN).drawn == 1


def test_shards_are_read_a_few_at_a_time(engine: Engine, model: str, tmp_path: Path):
    """A plan of a billion pictures begins at once."""

    class EnoughError(Exception):
        pass

    def progress(title: str, total: int):
        from contextlib import contextmanager

        @contextmanager
        def block() -> Iterator[object]:
            yield stop

        return block()

    def stop(steps: int) -> None:
        raise EnoughError

    began = time.monotonic()
    with pytest.raises(EnoughError):
        spread_folder(engine, worker(model, tmp_path), FolderPlan(PROMPTS[:1], range(1_000_000_000)), progress=progress)
    assert time.monotonic() - began < 60
    assert len(list(tmp_path.glob("0*.png"))) < 1000
