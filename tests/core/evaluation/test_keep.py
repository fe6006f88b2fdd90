"""Scores are stored only in folders that belong to the user."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fakes.artist import ShardedArtist, write_artist
from fakes.command_line import contents
from fakes.training import ColouredSquares
from t2i.drawing.artist import ArtistFiles
from t2i.evaluation.card import read_card_scores
from t2i.evaluation.evaluate import evaluate
from t2i.evaluation.keep import evaluate_and_keep
from t2i.evaluation.plan import Plan
from t2i.evaluation.scores import read_scores

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")
PLAN = Plan(["bright"], n=6)


class Elsewhere(ShardedArtist):
    """An artist with the given changes to its files."""

    changes: dict[str, None]

    @property
    def files(self) -> ArtistFiles:
        return replace(super().files, **self.changes)


@pytest.fixture
def artist(tmp_path: Path) -> Elsewhere:
    made = Elsewhere(write_artist(tmp_path / "m"), "m", "cpu")
    made.changes = {}
    return made


def test_rows_name_the_model_and_are_in_both_files(artist: Elsewhere, tmp_path: Path):
    said: list[str] = []
    options = artist.options(wildness=0.5)
    found, rows = evaluate_and_keep(artist, ColouredSquares(), PLAN, options, say=said.append)
    assert found.scores == evaluate(artist, ColouredSquares(), PLAN, options).scores
    assert {row.metric: row.score for row in rows} == found.scores
    identity = ("m", artist.identity.weights_sha256, {"wildness": 0.5})
    assert {(row.model, row.weights_sha256, str(row.options)) for row in rows} == {(*identity[:2], str(identity[2]))}
    assert read_scores(tmp_path / "m" / "scores.jsonl") == rows == read_card_scores(tmp_path / "m" / "README.md")
    assert said == [f"kept in {tmp_path / 'm' / 'scores.jsonl'} and in the model card"]


def test_without_a_card_scores_are_only_in_the_file(artist: Elsewhere, tmp_path: Path):
    artist.changes = {"card": None}
    said: list[str] = []
    evaluate_and_keep(artist, ColouredSquares(), PLAN, say=said.append)
    assert said == [f"kept in {tmp_path / 'm' / 'scores.jsonl'}"]
    assert read_card_scores(tmp_path / "m" / "README.md") == []


def test_folders_of_others_are_not_changed(artist: Elsewhere, tmp_path: Path):
    artist.changes = {"home": None}
    before, said = contents(tmp_path / "m"), []
    _, rows = evaluate_and_keep(artist, ColouredSquares(), PLAN, say=said.append)
    assert rows and not said and contents(tmp_path / "m") == before
