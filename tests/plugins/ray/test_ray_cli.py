"""`--engine` of generate, evaluate and index add: the same results as without it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fakes.artist import write_artist
from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.engine import Engine


class Shared(Engine):
    """An engine of other tests, too, so `close` leaves it open."""

    def __init__(self, engine: Engine) -> None:
        self.map, self.serve = engine.map, engine.serve  # type: ignore[method-assign]

    def map(self, open_worker, tasks): ...  # type: ignore[no-untyped-def]
    def serve(self, open_worker, replicas=None): ...  # type: ignore[no-untyped-def]

    def close(self) -> None:
        pass


@pytest.fixture
def two(engine: Engine, monkeypatch: pytest.MonkeyPatch, fakes_installed: None) -> None:
    """`--engine local:2` is the engine of all tests here."""
    monkeypatch.setattr("t2i_ray.connect.open_local", lambda reference: Shared(engine))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_artist(tmp_path / "painter")
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_generate_writes_the_same_files(t2i: T2I, two: None, here: Path):
    (here / "prompts.csv").write_text("sku,prompt\n1,a red square\n2,a blue square\n")
    how = ("--prompts", "prompts.csv", "-n", 5, "--model", str(here / "painter"), "--device", "cpu", "--batch-size", 3)
    alone = t2i("generate", *how, "-o", "alone", "--option", "wildness=2")
    spread = t2i("generate", *how, "-o", "spread", "--option", "wildness=2", "--engine", "local:2")
    assert alone.code == spread.code == 0, spread.err
    assert files(here / "spread") == files(here / "alone") and len(files(here / "spread")) == 11
    said = [line.replace(f"{here}/", "") for line in spread.err.splitlines() if not line.startswith("Drawing: ")]
    assert said == alone.err.replace("alone", "spread").splitlines()
    again = t2i("generate", *how, "-o", "spread", "--option", "wildness=2", "--engine", "local:2")
    assert "spread/: 0 pictures, 10 were there already" in again.err


@pytest.mark.parametrize("metrics", ["bright", pytest.param("bright,kid", marks=pytest.mark.slow)])
def test_evaluate_gives_the_same_scores(t2i: T2I, two: None, here: Path, metrics: str):
    data = here / "data"
    write_pictures(data)
    how = ("evaluate", str(here / "painter"), "--data", str(data), "-n", 24, "--metrics", metrics, "--json")
    settings = ("--batch-size", 8, "--device", "cpu", *(["--setting", "kid.subset_size=8"] if "kid" in metrics else []))
    alone = t2i(*how, *settings)
    assert alone.code == 0, alone.err
    spread = t2i(*how, *settings, "--engine", "local:2")
    assert spread.code == 0, spread.err
    scores = [[{**row, "time": ""} for row in json.loads(each.out)] for each in (alone, spread)]
    assert scores[0] == scores[1] and len(scores[0]) >= len(metrics.split(","))


def write_pictures(folder: Path) -> None:
    from PIL import Image

    folder.mkdir()
    for number, colour in enumerate(("red", "green", "blue", "yellow", "black", "white", "purple", "orange") * 3):
        Image.new("RGB", (16, 16), colour).save(folder / f"{number:02d}.png")
        (folder / f"{number:02d}.txt").write_text(f"a {colour} square\n")


def test_index_add_adds_the_same_records(t2i: T2I, two: None, here: Path, monkeypatch: pytest.MonkeyPatch):
    made = ("generate", "a red square", "-n", 6, "--model", str(here / "painter"), "--device", "cpu", "-o", "made")
    assert t2i(*made).code == 0
    (here / "made" / "lines.txt").write_text("a line\nanother\n")
    (here / "made" / "broken.png").write_bytes(b"no picture")
    found = []
    for name in ("alone", "spread"):
        monkeypatch.setenv("T2I_INDEX", str(here / f"{name}.sqlite"))
        added = t2i("index", "add", "made", *(["--engine", "local:2"] if name == "spread" else []))
        assert added.code == 0, added.err
        listed = t2i("index", "export", f"{name}.jsonl")
        assert listed.code == 0, listed.err
        records = [json.loads(line) for line in (here / f"{name}.jsonl").read_text().splitlines()]
        said = re.sub(r"0x[0-9a-f]+", "0x", added.err)  # an address in Pillow's message
        found.append((said, [{**record, "run": "", "id": 0} for record in records]))
    assert found[0] == found[1] and len(found[0][1]) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "heart.png", "--engine", "local:2"], "An engine draws into a folder or to s3://bucket/prefix"),
        (["-o", "-", "--engine", "local:2"], "An engine draws into a folder"),
        (["-o", "out", "--engine", "local:2", "--attention"], "--attention needs pictures that this process writes"),
        (["-o", "s3://bucket/x", "--attention"], "--attention needs pictures that this process writes"),
        (["-o", "out", "--engine", "lokal"], "There is no engine 'lokal'. Did you mean 'local'?"),
        (["-o", "out", "--engine", "local:many"], "local takes a number of workers, 1 to 1024, got 'many'"),
        (["-o", "gs://bucket/x"], "into a folder or to s3://bucket/prefix"),
    ],
)
def test_what_no_engine_can_do_is_an_error(t2i: T2I, here: Path, arguments: list[str], message: str):
    result = t2i("generate", "a heart", *arguments)
    assert message in result.error
    assert not (here / "out").exists()
