"""Scores survive a round trip through scores.jsonl."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from t2i.errors import OutputError
from t2i.evaluation.scores import Scored, append_scores, read_scores
from t2i.evaluator import Score

PROTOCOL = {"data": "squares:test", "n_fake": "2000", "encoder": "judge"}
ROW = Scored(
    metric="r_precision",
    score=Score(0.4125, PROTOCOL, standard_error=0.0131, interval=(0.39, 0.44)),
    model="runs/mine",
    weights_sha256="ab" * 32,
    options={"truncation": 0.8},
    time="2026-11-24T08:00:00+00:00",
)
FID = dataclasses.replace(ROW, metric="fid", score=Score(31.5, PROTOCOL, higher_is_better=False), options={})


def test_rows_round_trip(tmp_path: Path):
    path = tmp_path / "run" / "scores.jsonl"
    assert read_scores(path) == []
    append_scores(path, [ROW, FID])
    append_scores(path, [FID])
    assert read_scores(path) == [ROW, FID, FID]
    assert read_scores(path)[0].score.interval == (0.39, 0.44)


def test_an_incomplete_line_is_skipped(tmp_path: Path):
    path = tmp_path / "scores.jsonl"
    append_scores(path, [ROW, FID])
    path.write_bytes(path.read_bytes()[:-20])
    append_scores(path, [ROW])
    path.write_bytes(path.read_bytes() + b'{"metric": "foreign"}\n\xff\xfe\n')
    append_scores(path, [FID])
    assert read_scores(path) == [ROW, ROW, FID]


def test_concurrent_writers_do_not_mix_rows(tmp_path: Path):
    path = tmp_path / "scores.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: append_scores(path, [ROW, FID]), range(40)))
    assert read_scores(path) == [ROW, FID] * 40


def test_an_unwritable_file_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        append_scores(tmp_path / "file" / "scores.jsonl", [ROW])
