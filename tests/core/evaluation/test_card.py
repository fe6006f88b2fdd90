"""Scores survive a round trip through a model card, which the Hub and people can read."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path

import pytest
from huggingface_hub import EvalResult, ModelCard

from t2i.errors import OutputError
from t2i.evaluation.card import read_card_scores, with_scores_of, write_card_scores
from t2i.evaluation.scores import Scored
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


def test_the_card_shows_scores_to_people_and_to_the_hub(tmp_path: Path):
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


def test_a_newer_score_replaces_one_of_the_same_protocol(tmp_path: Path):
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


FOREIGN = {
    "no head": "no head",
    "no YAML": "---\n: [\n---\n",
    "a list": "---\n- a\n---\n",
    "no index": "---\nmodel-index: 3\n---\n",
    "deep": f"---\na: {'[' * 5000}\n---\n",
    "tags": "---\ntags: 5\n---\n",
    "a number as key": "---\n5: 5\n---\n",
    "no results": "---\nmodel_name: x\neval_results: 5\n---\n",
    "other results": "---\nmodel_name: x\neval_results: [1]\n---\n",
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_foreign_cards_have_no_scores(tmp_path: Path, text: str):
    path = tmp_path / "README.md"
    path.write_text(text)
    assert read_card_scores(path) == []
    with suppress(OutputError):
        write_card_scores(path, [ROW])
        assert read_card_scores(path) == [ROW]
    assert read_card_scores(tmp_path / "none.md") == []


def test_a_caution_is_shown_under_the_table_as_plain_text(tmp_path: Path):
    path = tmp_path / "README.md"
    path.write_text(CARD)
    doubtful = dataclasses.replace(ROW, score=dataclasses.replace(ROW.score, caution="Near chance: [pick](http://y)."))
    write_card_scores(path, [doubtful, FID])
    text = ModelCard.load(path).text
    listed = text.partition("## Scores")[2].partition("<!-- end")[0]
    assert r"r_precision on squares:test: Near chance: \[pick\](http:\/\/y)." in listed.splitlines()
    assert listed.count(" on squares:test: ") == 1 and read_card_scores(path) == [doubtful, FID]
    write_card_scores(path, [ROW])
    assert "Near chance" not in path.read_text()


def test_scores_cannot_be_written_to_a_card_without_a_header(tmp_path: Path):
    with pytest.raises(OutputError, match="cannot be read as one"):
        write_card_scores(tmp_path / "no.md", [ROW])


def test_scores_are_copied_to_another_card_with_the_same_table(tmp_path: Path):
    """The card that `t2i push` writes shows the same table as the run's card, byte for byte."""
    path = tmp_path / "README.md"
    path.write_text(CARD)
    write_card_scores(path, [ROW, FID])
    pushed = with_scores_of(path, CARD.replace("# mine", "# pushed"), "mine")
    section = path.read_text().partition("<!--")[2]
    assert pushed.partition("<!--")[2] == section and "# pushed" in pushed
    assert ModelCard(pushed).data.eval_results == ModelCard.load(path).data.eval_results
    assert with_scores_of(tmp_path / "none.md", CARD, "mine") == CARD


def test_scores_of_other_tools_are_kept_and_escaped(tmp_path: Path):
    path, wild = tmp_path / "README.md", "<b>a</b>|[x](http://y)"
    card = ModelCard(CARD)
    foreign = EvalResult("text-to-image", "squares", wild, "fid", 12.5, metric_args={"extractor": "inception"})
    card.data.model_name, card.data.eval_results = "m", [foreign]
    card.save(path)
    write_card_scores(path, [ROW])
    page = ModelCard.load(path)
    assert foreign in page.data.eval_results and read_card_scores(path) == [ROW]
    assert r"| fid | 12.5 | \<b\>a\</b\>\|\[x\](http:\/\/y) |" in page.text
