"""A share of another dataset in every batch, against forgetting what a parent can draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import t2i
from fakes.training import write_squares
from t2i.data.mixing import MOST, Thinned, mixed, thinned
from t2i.data.prepare import PreparedData
from t2i.errors import UnknownNameError
from t2i.testing.checks.tiny_training import tiny_data
from t2i.training import run
from t2i.training.batches import BatchMaker
from t2i.training.parent import settings_from
from t2i.training.report.samples import default_samples
from t2i.training.sampling import Sampler
from t2i.training.settings import merge

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


def test_a_parent_whose_data_is_not_here_is_said_so_and_nothing_is_mixed_in(parent: Path, tmp_path: Path) -> None:
    said: list[str] = []
    assert run.start(settings(parent, mix=0.5), tmp_path / "run", device="cpu", warn=said.append).finished
    assert any("None of the parent's data is mixed in" in line and "train.mix_data" in line for line in said)


def test_the_parents_data_can_be_named(parent: Path, tmp_path: Path) -> None:
    said: list[str] = []
    named = settings(parent, mix=0.5, mix_data=str(parent.parent / "squares"))
    assert run.start(named, tmp_path / "run", device="cpu", warn=said.append).finished and said == []
    with pytest.raises(UnknownNameError):
        run.start(settings(parent, mix=0.5, mix_data="no/such/folder"), tmp_path / "other", device="cpu")
