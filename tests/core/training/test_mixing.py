"""A share of another dataset in every batch, against forgetting what a parent can draw."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import t2i
from fakes.training import write_squares
from t2i.data.mixing import MOST, Thinned, mixed, thinned
from t2i.data.prepare import PreparedData
from t2i.errors import DataError, UnknownNameError
from t2i.runs.checkpoints import latest_checkpoint
from t2i.testing.checks.tiny_training import tiny_data
from t2i.training import run
from t2i.training.batches import BatchMaker
from t2i.training.parent import settings_from
from t2i.training.parent_data import named_dataset
from t2i.training.report.samples import default_samples
from t2i.training.sampling import Sampler
from t2i.training.settings import merge, read_run

TRAIN = {"steps": 2, "batch_size": 4, "tracker": "none", "checkpoint_every": 2, "sample_every": 0, "log_every": 2}


def data(count: int, name: str) -> PreparedData:
    found = tiny_data(t2i.create_model("cgan", **run.read_recipe("cgan", "tiny")["model"], text_dim=8), count)
    return replace(found, name=name, caption_texts=[f"{name} {number}" for number in range(count)])


def test_a_share_of_each_batch_is_mixed_in_with_its_own_captions() -> None:
    both = mixed(data(10, "own").holding_out(0.2), data(7, "other"))
    assert both.name == "own" and len(both.images) == 17 and both.mixed_in == 7
    sampler, maker = Sampler(both, 8, 0, mix=0.25), BatchMaker(both, 16, False, torch.device("cpu"))
    seen: set[str] = set()
    for step in range(40):
        draw = sampler.draw(step)
        (batch,) = maker.make(draw, 1, 0.0)
        assert [caption.split()[0] for caption in batch.captions] == ["own"] * 6 + ["other"] * 2
        assert draw.mismatched is not None and (draw.mismatched < 10).all()
        seen |= {*batch.captions}
    assert len(seen) == len(both.trained) + 7
    theirs = data(7, "other")
    positions = torch.tensor([3])
    assert torch.equal(both.captions[positions + 10].sentence, theirs.captions[positions].sentence)
    assert torch.equal(both.captions[positions + 10].words, theirs.captions[positions].words)
    assert torch.equal(both.images[13], theirs.images[3])


def test_mixed_in_pictures_are_used_for_nothing_else() -> None:
    own = data(10, "own")
    both = mixed(own, data(7, "other"))
    assert default_samples(both).prompts == default_samples(own).prompts
    assert both.trained.tolist() == own.trained.tolist() == list(range(10))
    plain, without = Sampler(own, 4, 0).draw(3), Sampler(both, 4, 0, mix=0.0).draw(3)
    assert (plain.pictures == without.pictures).all() and (plain.captions == without.captions).all()


def test_large_data_is_thinned() -> None:
    many = data(5, "other")
    places = np.arange(MOST + 1000) % 5
    large = replace(
        many, images=many.images[torch.from_numpy(places)], captions_of=[[p] for p in places.tolist()], groups=places
    )
    assert mixed(data(3, "own"), large).mixed_in == MOST


def test_only_pictures_that_can_be_used_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = t2i.load_dataset(str(write_squares(tmp_path / "squares")))
    assert thinned(whole) is whole
    monkeypatch.setattr("t2i.data.mixing.MOST", 3)
    few = thinned(whole)
    assert isinstance(few, Thinned) and (few.name, few.license) == (whole.name, whole.license)
    assert [*few.examples] == [whole.examples[index] for index in (0, (len(whole) - 1) // 2, len(whole) - 1)]
    assert few.picture(2, 16)[0].tobytes() == whole.picture(len(whole) - 1, 16)[0].tobytes()
    monkeypatch.setattr("t2i.data.mixing.MOST", 2)
    assert len({few.fingerprint, thinned(whole).fingerprint, whole.fingerprint}) == 3


@pytest.fixture(scope="module")
def parent(fakes_installed_for_module: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parent")
    recipe = run.read_recipe("cgan", "tiny") | {"technique": "cgan", "data": str(write_squares(folder / "squares"))}
    run.start(recipe | {"text_encoder": "fake", "train": TRAIN}, folder / "run", device="cpu")
    return folder / "run"


def settings(parent: Path, **train: Any) -> dict[str, Any]:
    return merge(settings_from(str(parent)), {"data": str(parent.parent / "squares"), "train": TRAIN | train})


def start(settings: dict[str, Any], out: Path) -> list[str]:
    """Train; returns the warnings."""
    said: list[str] = []
    assert run.start(settings, out, device="cpu", warn=said.append).finished
    return said


def test_a_parent_whose_data_is_not_here_is_said_so_and_nothing_is_mixed_in(parent: Path, tmp_path: Path) -> None:
    shutil.copytree(latest_checkpoint(parent).snapshot, tmp_path / "snapshot")
    said = start(merge(settings(parent, mix=0.5), {"parent": str(tmp_path / "snapshot")}), tmp_path / "run")
    assert any("None of the parent's data is mixed in" in line and "train.mix_data" in line for line in said)


@pytest.fixture
def nested(fakes_installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run on `data/squares`, started two folders above its own, with padded pictures."""
    project = tmp_path / "project"
    picture = next(write_squares(project / "data" / "squares").glob("*.png"))
    Image.open(picture).resize((16, 40)).save(picture)
    monkeypatch.chdir(project)
    recipe = run.read_recipe("cgan", "tiny") | {"technique": "cgan", "text_encoder": "fake", "train": TRAIN}
    run.start(recipe | {"data": {"source": "data/squares", "fit": "pad"}}, project / "runs" / "mine", device="cpu")
    return project / "runs" / "mine"


def mixed_in(monkeypatch: pytest.MonkeyPatch) -> list[PreparedData]:
    """Collects the data that is mixed in."""
    seen: list[PreparedData] = []

    def spy(first: PreparedData, second: PreparedData) -> PreparedData:
        seen.append(second)
        return mixed(first, second)

    monkeypatch.setattr("t2i.training.run_data.mixed", spy)
    return seen


def test_the_parents_own_data_is_found_from_another_folder(
    nested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not a folder of the same name there; and with the parent's fit, as its hash says."""
    write_squares(tmp_path / "elsewhere" / "data" / "squares", 20)
    write_squares(tmp_path / "elsewhere" / "squares", 20)
    monkeypatch.chdir(tmp_path / "elsewhere")
    seen = mixed_in(monkeypatch)
    own = {"data": str(nested.parents[1] / "data" / "squares"), "train": TRAIN | {"mix": 0.5}}
    assert start(merge(settings_from(str(nested)), own), tmp_path / "tuned") == []
    assert [data.content for data in seen] == [read_run(nested).data_sha256]
    margin = merge(own, {"train": {"crop_margin": 2}})
    assert start(merge(settings_from(str(nested)), margin), tmp_path / "margin") == [] and len(seen) == 2


def test_parents_data_that_has_changed_is_not_mixed_in(
    nested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squares = nested.parents[1] / "data" / "squares"
    shutil.copytree(squares, tmp_path / "own")
    next(squares.rglob("*.png")).unlink()
    seen = mixed_in(monkeypatch)
    own = {"data": str(tmp_path / "own"), "train": TRAIN | {"mix": 0.5}}
    said = start(merge(settings_from(str(nested)), own), tmp_path / "tuned")
    assert seen == [] and any("has other pictures or captions than those" in line for line in said)


@pytest.mark.parametrize("name", ["folder:squares", "squares", ""])
def test_a_folder_that_has_the_name_of_a_models_data_is_not_mixed_in(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_squares(tmp_path / "squares")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="does not record where"):
        named_dataset(name)


def test_the_parents_data_can_be_named(parent: Path, tmp_path: Path) -> None:
    said: list[str] = []
    named = settings(parent, mix=0.5, mix_data=str(parent.parent / "squares"))
    assert run.start(named, tmp_path / "run", device="cpu", warn=said.append).finished and said == []
    with pytest.raises(UnknownNameError):
        run.start(settings(parent, mix=0.5, mix_data="no/such/folder"), tmp_path / "other", device="cpu")
