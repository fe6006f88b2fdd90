"""What every feature judge keeps to: states, processes, and pictures nobody should show it."""

from __future__ import annotations

import math
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from fakes.pictures import pictures
from t2i.create import create_evaluator
from t2i.data.dataset import CaptionedDataset
from t2i.errors import InvalidInputError, UnknownNameError
from t2i.evaluator import Evaluator
from t2i_metrics import extractor as extractor_module
from t2i_metrics.reader import Reader

SETTINGS: dict[str, dict[str, Any]] = {
    "fid": {"min_images": 2},
    "kid": {},
    "is": {"folds": 3},
    "prdc": {"neighbours": 2},
    "memorisation": {"pairs": 3},
    "diversity": {},
}
OTHER_SETTINGS: dict[str, dict[str, Any]] = {
    "fid": {"reference": "openmoji:train"},
    "kid": {"subsets": 2},
    "is": {"folds": 2},
    "prdc": {"neighbours": 1},
    "memorisation": {"train": "openmoji:compose"},
    "diversity": {"protocol": "tf"},
}
CAPTIONS = ["one", "two", "one", "two", "three", "three", "three", "four"]
SEEN: dict[tuple[str, bytes], extractor_module.Activations] = {}
BATCHES = [(pictures(8, seed=number), number < 2) for number in range(4)]


@pytest.fixture(autouse=True)
def seen_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch passes the network once in this file, whatever the test; what is tested is what judges make of it."""
    look = extractor_module.Extractor.__call__

    def remember(self: extractor_module.Extractor, images: Tensor) -> extractor_module.Activations:
        key = (self.sha256, images.numpy().tobytes())
        if key not in SEEN:
            SEEN[key] = look(self, images)
        return SEEN[key]

    monkeypatch.setattr(extractor_module.Extractor, "__call__", remember)


@pytest.fixture(params=list(SETTINGS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def make(name: str, training_folder: CaptionedDataset):
    def make(**settings: Any) -> Evaluator:
        given = SETTINGS[name] | ({"train": training_folder} if name == "memorisation" else {})
        return create_evaluator(name, **{**given, **settings})

    return make


def show(judge: Evaluator, batches: list[tuple[Tensor, bool]] = BATCHES) -> Evaluator:
    for images, real in batches:
        judge.update(images, captions=CAPTIONS[: len(images)], real=real)
    return judge


def numbers(judge: Evaluator) -> dict[str, tuple[float, float, dict[str, str]]]:
    return {
        name: (score.value, score.standard_error or 0.0, dict(score.protocol))
        for name, score in judge.compute().items()
    }


def test_two_processes_find_what_one_finds(make) -> None:
    alone, first, second = show(make()), show(make(), [BATCHES[0], BATCHES[2]]), show(make(), [BATCHES[1], BATCHES[3]])
    first.merge(second.state())
    for (name, found), (same, wanted) in zip(numbers(first).items(), numbers(alone).items(), strict=True):
        assert (name, found[2]) == (same, wanted[2])
        assert found[:2] == pytest.approx(wanted[:2], rel=1e-9, abs=1e-12)


def test_goes_on_from_a_state_on_disk(make, tmp_path) -> None:
    safetensors.torch.save_file(
        {key: tensor.contiguous() for key, tensor in show(make(), BATCHES[:3]).state().items()}, tmp_path / "state"
    )
    later = make()
    later.merge(safetensors.torch.load_file(tmp_path / "state"))
    assert numbers(show(later, BATCHES[3:])) == numbers(show(make()))


def test_a_state_is_not_changed_by_what_comes_after(make) -> None:
    judge = show(make(), BATCHES[:1])
    state = judge.state()
    before = {key: tensor.clone() for key, tensor in state.items()}
    fresh = make()
    fresh.merge(state)
    show(judge, BATCHES[1:])
    show(fresh, BATCHES[1:])
    assert all(torch.equal(tensor, before[key]) for key, tensor in state.items())


def test_the_state_of_one_that_saw_nothing_changes_nothing(make) -> None:
    judge = show(make())
    before = numbers(judge)
    judge.merge(make().state())
    assert numbers(judge) == before


def test_reset_forgets_pictures_and_their_size(make) -> None:
    judge = show(make())
    before = numbers(judge)
    judge.reset()
    with pytest.raises(InvalidInputError):
        judge.compute()
    assert numbers(show(judge)) == before


def test_other_judges_and_other_settings_do_not_merge(make, name: str, tensorflow_weights) -> None:
    judge = make()
    stranger = create_evaluator("kid" if name != "kid" else "prdc")
    with pytest.raises(InvalidInputError, match="of its own kind"):
        judge.merge(stranger.state())
    with pytest.raises(InvalidInputError, match="of its own kind"):
        judge.merge({"weight": torch.ones(1)})
    weights = {"extractor_weights": tensorflow_weights} if name == "diversity" else {}
    other = create_evaluator(name, **SETTINGS[name] | OTHER_SETTINGS[name] | weights)
    with pytest.raises(InvalidInputError, match=r"these differ in \w+"):
        judge.merge(other.state())


def test_pictures_of_two_sizes_are_refused(make, name: str) -> None:
    judge = show(make(), BATCHES[2:3])
    with pytest.raises(InvalidInputError, match="48x48 came after 32x32"):
        judge.update(pictures(8, side=48), captions=CAPTIONS)
    other = make()
    if name != "memorisation":
        other.update(pictures(8, side=48), captions=CAPTIONS)
        with pytest.raises(InvalidInputError, match="48x48 came after 32x32"):
            judge.merge(other.state())


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (torch.full((2, 3, 8, 8), float("nan")), "from nan to nan"),
        (torch.tensor([0.0, float("inf")]).expand(1, 3, 2, 2), "from 0 to inf"),
        (torch.rand(2, 3, 8, 8) * 255, "from_uint8"),
        (torch.zeros(2, 1, 8, 8), r"shape \[2, 1, 8, 8\]"),
        (torch.zeros(2, 4, 8, 8), r"shape \[2, 4, 8, 8\]"),
        (torch.zeros(3, 8, 8), r"shape \[3, 8, 8\]"),
        (torch.zeros(0, 3, 8, 8), r"shape \[0, 3, 8, 8\]"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "torch.uint8"),
    ],
)
def test_what_is_no_picture_is_refused(images: Tensor, says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        Reader("kid")(images)


def test_nan_is_refused_by_every_judge(make) -> None:
    judge = make()
    images = pictures(8)
    images[3, 1, 2, 2] = float("nan")
    with pytest.raises(InvalidInputError, match="diverged"):
        judge.update(images, captions=CAPTIONS)


def test_constant_pictures_have_finite_scores(make, name: str) -> None:
    judge = make()
    judge.update(pictures(8), captions=CAPTIONS, real=True)
    judge.update(torch.zeros(8, 3, 32, 32), captions=CAPTIONS)
    scores = judge.compute()
    assert all(math.isfinite(score.value) and score.standard_error != math.inf for score in scores.values())
    if name == "is":
        assert scores["is"].value == pytest.approx(1)
    if name == "diversity":
        assert scores["diversity"].value == pytest.approx(0, abs=1e-3)
    if name == "prdc":
        assert scores["precision"].value == scores["coverage"].value == 0


def test_no_pictures_at_all(make) -> None:
    with pytest.raises(InvalidInputError, match="needs at least"):
        make().compute()


def test_an_unknown_protocol_names_the_known(make) -> None:
    with pytest.raises(UnknownNameError, match=r"'clean'.*torchvision-legacy"):
        make(protocol="claen")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("fid", {"min_images": 1}), ("kid", {"subsets": -1}), ("kid", {"subset_size": 1}), ("is", {"folds": 0}),
        ("prdc", {"neighbours": 0}), ("memorisation", {"pairs": 0}),
    ],
)  # fmt: skip
def test_settings_outside_their_range(name: str, settings: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(settings))):
        create_evaluator(name, **settings)


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("fid", {}, r"at least 1281 pictures of each kind.*16 real and 16 generated.*take kid"),
        ("fid", {"min_images": 17}, "at least 17"),
        ("kid", {"subsets": 3}, "at least 1000.*smaller subsets"),
        ("is", {}, "at least 20 .* but 16 came"),
        ("prdc", {"neighbours": 16}, "at least 17"),
    ],
)
def test_too_few_pictures(name: str, settings: dict[str, int], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        show(create_evaluator(name, **settings)).compute()


def test_judges_of_one_protocol_pass_a_batch_through_the_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # of the memory above
    judges = [create_evaluator(name) for name in ("fid", "kid", "prdc", "is")]
    shared = extractor_module.get_extractor()
    passes = []
    forward = shared._network.forward
    monkeypatch.setattr(shared._network, "forward", lambda x: passes.append(len(x)) or forward(x))
    images = pictures(4, seed=11)
    for judge in judges:
        judge.update(images)
    assert passes == [4]
    images.mul_(0.5)
    judges[0].update(images)
    assert passes == [4, 4], "a batch changed in place is looked at again"


def test_a_score_says_how_it_was_made(make, name: str) -> None:
    for score in show(make()).compute().values():
        assert score.protocol["protocol"] == "effnet-lite0"
        assert score.protocol["extractor_sha256"].startswith("57934424")
        assert "224" in score.protocol["resize"]
        assert score.protocol["pictures"] == "32x32"
        assert int(score.protocol["n_fake"]) >= 14
        assert name in ("is", "diversity") or score.protocol["n_real"] == "16"
