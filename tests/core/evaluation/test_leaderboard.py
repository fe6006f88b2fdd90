"""A leaderboard ranks models, shows each prompt once, and evaluates no model twice."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from fakes.artist import ShardedArtist, write_artist
from fakes.training import ColouredSquares
from t2i.evaluation.evaluate import evaluate
from t2i.evaluation.leaderboard import leaderboard
from t2i.evaluation.plan import Plan

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")
PLAN = Plan(["bright"], n=6, resolution=8)


@pytest.fixture
def models(tmp_path: Path) -> list[str]:
    return [str(write_artist(tmp_path / name, seed)) for seed, name in enumerate(("a", "b", "c"))]


class Headings(HTMLParser):
    """The headings of a page's rows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag == "th"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts.append(data.strip())


def test_the_best_comes_first_and_each_prompt_is_shown_once(models: list[str], tmp_path: Path):
    data = ColouredSquares()
    board = leaderboard(models, data, PLAN, tmp_path / "board", samples=40, device="cpu")
    value = {
        model: evaluate(ShardedArtist(Path(model), model, "cpu"), data, PLAN).scores["bright"].value for model in models
    }
    assert [entry.model for entry in board.entries] == sorted(models, key=value.__getitem__, reverse=True)
    assert not board.failures
    headings = Headings((tmp_path / "board" / "index.html").read_text()).texts
    for example in data.examples:
        assert headings.count(example.captions[0]) == 1
    table = (tmp_path / "board" / "leaderboard.md").read_text().splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in table if line.startswith("| /")] == [
        entry.model for entry in board.entries
    ]


def test_finished_evaluations_are_not_repeated(models: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    first = leaderboard(models[:2], ColouredSquares(), PLAN, tmp_path / "board", device="cpu")
    again = leaderboard(models, ColouredSquares(), PLAN, tmp_path / "board", device="cpu", say=said.append)
    assert [f"{model}: already evaluated" in line for model, line in zip(models, said[:3], strict=True)] == [
        True,
        True,
        False,
    ]
    kept = {entry.model: entry for entry in again.entries}
    assert all(kept[entry.model] == entry for entry in first.entries)


def test_a_failing_evaluator_writes_no_files_and_gives_its_reason(models: list[str], tmp_path: Path):
    plan = Plan(["bright"], n=6, settings={"bright": {"fewest": 9}})
    board = leaderboard(models[:1], ColouredSquares(), plan, tmp_path / "board", device="cpu")
    assert board.failures == {f"{models[0]}: bright": "bright needs at least 9 pictures, got 6."}
    assert not (tmp_path / "board" / "index.html").exists()
