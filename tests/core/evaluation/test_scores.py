"""Scores come back from scores.jsonl and from model cards as they went in, and the Hub can read the card."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from t2i.errors import OutputError
from t2i.evaluation.scores import Scored, append_scores, read_card_scores, read_scores, write_card_scores
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
CARD = """---
library_name: t2i
license: cc-by-sa-4.0
tags:
- t2i
---

# mine

What it is.
"""


def test_rows_come_back(tmp_path: Path):
    path = tmp_path / "run" / "scores.jsonl"
    assert read_scores(path) == []
    append_scores(path, [ROW, FID])
    append_scores(path, [FID])
    assert read_scores(path) == [ROW, FID, FID]
    assert read_scores(path)[0].score.interval == (0.39, 0.44)
    assert str(ROW).split() == ["r_precision", "0.4125", "±", "0.013", "(higher", "is", "better)"]
    assert "31.5" in str(FID) and "lower" in str(FID)


def test_a_torn_line_costs_itself_alone(tmp_path: Path):
    path = tmp_path / "scores.jsonl"
    append_scores(path, [ROW, FID])
    path.write_bytes(path.read_bytes()[:-20])
    append_scores(path, [ROW])
    path.write_bytes(path.read_bytes() + b'{"metric": "foreign"}\n\xff\xfe\n')
    append_scores(path, [FID])
    assert read_scores(path) == [ROW, ROW, FID]


def test_many_may_write_at_once(tmp_path: Path):
    path = tmp_path / "scores.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: append_scores(path, [ROW, FID]), range(40)))
    assert read_scores(path) == [ROW, FID] * 40


def test_a_place_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        append_scores(tmp_path / "file" / "scores.jsonl", [ROW])
    with pytest.raises(OutputError, match="none that can be read"):
        write_card_scores(tmp_path / "no.md", [ROW])


def test_the_card_says_them_to_people_and_to_the_hub(tmp_path: Path):
    path = tmp_path / "README.md"
    path.write_text(CARD)
    write_card_scores(path, [ROW, FID])
    card = ModelCard.load(path)  # the Hub's own reader
    assert card.data.license == "cc-by-sa-4.0" and card.data.library_name == "t2i"
    found = [(r.metric_type, r.metric_value, r.dataset_name, r.dataset_split) for r in card.data.eval_results]
    assert found == [("r_precision", 0.4125, "squares:test", "test"), ("fid", 31.5, "squares:test", "test")]
    assert card.text.startswith("\n# mine\n\nWhat it is.\n\n<!--")
    assert "| r_precision | 0.4125 ± 0.013 | squares:test | truncation 0.8 | 2026-11-24 |" in card.text
    assert read_card_scores(path) == [ROW, FID]


def test_a_newer_score_replaces_one_that_answers_the_same_question(tmp_path: Path):
    path = tmp_path / "README.md"
    path.write_text(CARD + "\n## Later\n\nStays.\n")
    newer = dataclasses.replace(ROW, score=dataclasses.replace(ROW.score, value=0.5))
    elsewhere = dataclasses.replace(ROW, score=dataclasses.replace(ROW.score, protocol=PROTOCOL | {"data": "folder:x"}))
    for rows in ([ROW], [FID, elsewhere], [newer]):
        write_card_scores(path, rows)
    assert read_card_scores(path) == [elsewhere, FID, newer]
    text = path.read_text()
    assert text.count("## Scores") == 1 and text.count("Stays.") == 1 and text.count("| r_precision |") == 2
    write_card_scores(path, [newer])
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["no head", "---\n: [\n---\n", "---\n- a\n---\n", "---\nmodel-index: 3\n---\n"])
def test_foreign_cards_say_nothing(tmp_path: Path, text: str):
    path = tmp_path / "README.md"
    path.write_text(text)
    assert read_card_scores(path) == []
    assert read_card_scores(tmp_path / "none.md") == []
