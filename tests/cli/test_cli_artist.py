"""Every command with an artist that is not a Pipeline: it has its own tokenizer, and weights in three shards."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from PIL import Image

import t2i as library
from fakes.artist import SHARDS, ShardedArtist, write_artist
from fakes.command_line import T2I, contents
from fakes.models import FakeGenerator, FakeTextEncoder
from t2i.drawing.provenance import read_provenance
from t2i.evaluation.card import read_card_scores
from t2i.evaluation.scores import read_scores
from t2i.publishing.pretrained import save_pretrained
from t2i.testing.installed import sections

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")
FEW = ("--metrics", "bright", "-n", 12, "--batch-size", 5, "--device", "cpu")


@pytest.fixture
def model(here: Path) -> Path:
    return write_artist(here / "painter")


@pytest.fixture
def usual_model(here: Path) -> Path:
    """A model of the usual kind."""
    return save_pretrained(FakeGenerator(), here / "usual", text_encoder=FakeTextEncoder().identity)


def test_a_picture_records_the_shards_and_is_regenerated(t2i: T2I, model: Path, here: Path):
    draw = ("generate", "a red square", "--seed", 7, "--model", "painter", "--option", "wildness=2", "--device", "cpu")
    assert t2i(*draw, "-o", "red.png").code == 0
    facts = read_provenance(here / "red.png")
    hashes = {shard: hashlib.sha256((model / shard).read_bytes()).hexdigest() for shard in SHARDS}
    assert facts.artist.weights == hashes and facts.artist.name == "painter" and facts.options == {"wildness": 2.0}
    again = t2i("regenerate", "red.png", "-o", "again.png")
    assert again.code == 0 and "the same picture" in again.err
    assert (here / "again.png").read_bytes() == (here / "red.png").read_bytes()
    picture = library.pipeline("local-dir:painter", device="cpu")("a red square", seed=7, wildness=2)[0]
    with Image.open("red.png") as drawn:
        assert picture.image.tobytes() == drawn.tobytes()


def test_another_shard_is_refused(t2i: T2I, model: Path, here: Path):
    assert t2i("generate", "a red square", "--seed", 7, "--model", "painter", "-o", "red.png").code == 0
    other = write_artist(here / "other", seed=1)
    (other / SHARDS[1]).replace(model / SHARDS[1])
    error = t2i("regenerate", "red.png", "-o", "again.png").error
    assert read_provenance(here / "red.png").artist.weights_sha256 in error and not (here / "again.png").exists()


def test_existing_pictures_of_a_folder_are_kept(t2i: T2I, model: Path, here: Path):
    draw = ("generate", "a red square", "a blue square", "-n", 2, "--seed", 1, "--model", "painter", "-o", "out")
    assert "4 pictures" in t2i(*draw).err
    before = contents(here / "out")
    (here / "out" / "0001-a-red-square-2.png").unlink()
    assert "1 pictures, 3 were there already" in t2i(*draw).err
    assert {name: data for name, (data, _) in contents(here / "out").items()} == {n: d for n, (d, _) in before.items()}


def test_its_scores_are_stored_next_to_its_shards(t2i: T2I, model: Path, squares: Path):
    result = t2i("evaluate", "painter", "--data", squares, *FEW, "--option", "wildness=0.5")
    assert result.code == 0 and "\nbright " in result.out, result
    rows = read_scores(model / "scores.jsonl")
    artist = ShardedArtist(model, "painter", "cpu")
    assert [row.metric for row in rows] == ["bright", "bright_ceiling"]
    assert {(row.model, row.weights_sha256) for row in rows} == {("painter", artist.identity.weights_sha256)}
    assert rows[0].options == {"wildness": 0.5} and rows[0].score.protocol["resolution"] == "8 px"
    assert read_card_scores(model / "README.md") == rows
    assert "| bright | " in ModelCard.load(model / "README.md").text


def test_it_is_compared_with_a_model_of_the_usual_kind(
    t2i: T2I, model: Path, usual_model: Path, squares: Path, here: Path
):
    bare = t2i("compare", "painter", "usual", "-p", "a red square", "--device", "cpu")
    assert bare.code == 0 and "no scores" in bare.err
    scored = t2i("compare", "painter", "usual", "-p", "a red square", "--data", squares, *FEW, "-o", "scored.png")
    assert scored.code == 0, scored
    size = sum((model / shard).stat().st_size for shard in SHARDS) / 2**20
    assert (
        f"| painter | {read_scores(model / 'scores.jsonl')[0].score}" in scored.out and f"| {size:.1f} |" in scored.out
    )
    known = t2i("compare", "painter", "usual", "-p", "a red square", "--device", "cpu", "--force")
    assert "| model | bright, higher is better |" in known.out  # the scores in their cards
    board = t2i("leaderboard", "painter", "usual", "--data", squares, "--samples", 2, *FEW)
    assert board.code == 0 and json.loads(next((here / "leaderboard" / "evaluations").iterdir()).read_text())["scores"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("generate", "a", "--option", "wildnes=1"), "Did you mean 'wildness'"),
        (("generate", "a", "--stages"), "in one stage"),
        (("generate", "a", "--batch-size", 0), "batch size must be a whole number of 1 or more"),
        (("interpolate", "a", "b"), "is a ShardedArtist, which cannot draw pictures between two others"),
    ],
)
def test_what_it_cannot_do_is_a_one_sentence_error(
    t2i: T2I, model: Path, here: Path, arguments: tuple[object, ...], says: str
):
    before = contents(here)
    assert says in t2i(*arguments, "--model", "painter").error
    assert contents(here) == before


def test_it_passes_every_check(t2i: T2I):
    (section,) = [section for section in sections("sharded") if section.title == "the artist sharded"]
    assert {outcome.check: outcome.message for outcome in section.outcomes() if outcome.is_bad} == {}
