"""Properties of every evaluator of features: states, merging, and refused input."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from fakes.pictures import pictures
from fakes.protocol import DIM, TINY, write_weights
from t2i.create import create_evaluator
from t2i.data.dataset import CaptionedDataset
from t2i.errors import InvalidInputError, UnknownNameError
from t2i.evaluator import Evaluator
from t2i_metrics.accumulating_evaluator import check_images
from t2i_metrics.extractor import get_extractor

pytestmark = pytest.mark.usefixtures("tiny")
Make = Callable[..., Evaluator]
SETTINGS: dict[str, dict[str, Any]] = {
    "fid": {"min_images": 2},
    "kid": {},
    "is": {"folds": 3},
    "prdc": {"neighbours": 2},
    "memorisation": {"pairs": 3},
    "diversity": {},
}
OTHER_SETTINGS: dict[str, dict[str, Any]] = {
    "fid": {"reference": "other"},
    "kid": {"subsets": 2},
    "is": {"folds": 2},
    "prdc": {"neighbours": 1},
    "memorisation": {"train": "other"},
    "diversity": {},
}
CAPTIONS = ["one", "two", "one", "two", "three", "three", "three", "four"]
BATCHES = [(pictures(8, seed=number), number < 2) for number in range(4)]


@pytest.fixture(params=list(SETTINGS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def make(name: str, training_folder: CaptionedDataset) -> Make:
    def make(**settings: Any) -> Evaluator:
        given = SETTINGS[name] | ({"train": training_folder} if name == "memorisation" else {})
        return create_evaluator(name, **{"protocol": TINY, **given, **settings})

    return make


def show(evaluator: Evaluator, batches: list[tuple[Tensor, bool]] = BATCHES) -> Evaluator:
    for images, real in batches:
        evaluator.update(images, captions=CAPTIONS[: len(images)], real=real)
    return evaluator


def numbers(evaluator: Evaluator) -> dict[str, tuple[float, float, dict[str, str]]]:
    return {
        name: (score.value, score.standard_error or 0.0, dict(score.protocol))
        for name, score in evaluator.compute().items()
    }


def test_two_processes_give_the_scores_of_one(make: Make) -> None:
    alone, first, second = show(make()), show(make(), [BATCHES[0], BATCHES[2]]), show(make(), [BATCHES[1], BATCHES[3]])
    first.merge(second.state())
    for (name, found), (same, wanted) in zip(numbers(first).items(), numbers(alone).items(), strict=True):
        assert (name, found[2]) == (same, wanted[2])
        assert found[:2] == pytest.approx(wanted[:2], rel=1e-9, abs=1e-12)


def test_continues_from_a_state_on_disk(make: Make, tmp_path: Path) -> None:
    safetensors.torch.save_file(
        {key: tensor.contiguous() for key, tensor in show(make(), BATCHES[:3]).state().items()}, tmp_path / "state"
    )
    later = make()
    later.merge(safetensors.torch.load_file(tmp_path / "state"))
    assert numbers(show(later, BATCHES[3:])) == numbers(show(make()))


def test_a_process_without_pictures_can_merge_and_compute(make: Make) -> None:
    first = make()
    first.merge(show(make()).state())
    assert numbers(first) == numbers(show(make()))


def test_a_state_is_not_changed_by_later_updates(make: Make) -> None:
    evaluator = show(make(), BATCHES[:1])
    state = evaluator.state()
    before = {key: tensor.clone() for key, tensor in state.items()}
    fresh = make()
    fresh.merge(state)
    show(evaluator, BATCHES[1:])
    show(fresh, BATCHES[1:])
    assert all(torch.equal(tensor, before[key]) for key, tensor in state.items())


def test_merging_an_empty_state_changes_nothing(make: Make) -> None:
    evaluator = show(make())
    before = numbers(evaluator)
    evaluator.merge(make().state())
    assert numbers(evaluator) == before


def test_reset_forgets_pictures_and_their_size(make: Make) -> None:
    evaluator = show(make())
    before = numbers(evaluator)
    evaluator.reset()
    with pytest.raises(InvalidInputError):
        evaluator.compute()
    evaluator.update(pictures(8, side=48), captions=CAPTIONS)
    evaluator.reset()
    assert numbers(show(evaluator)) == before


def test_other_evaluators_and_other_settings_do_not_merge(
    make: Make, name: str, training_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shutil.copytree(training_path, tmp_path / "other").parent)
    evaluator = make()
    stranger = create_evaluator("kid" if name != "kid" else "prdc", protocol=TINY)
    for state in (stranger.state(), {"weight": torch.ones(1)}, {**evaluator.state(), "settings": torch.ones(3)}):
        with pytest.raises(InvalidInputError, match="of its own kind"):
            evaluator.merge(state)
    settings = SETTINGS[name] | OTHER_SETTINGS[name]
    weights = {} if OTHER_SETTINGS[name] else {"extractor_weights": write_weights(tmp_path / "weights.safetensors", 1)}
    with pytest.raises(InvalidInputError, match=r"these differ in \w+"):
        evaluator.merge(create_evaluator(name, protocol=TINY, **settings, **weights).state())


def test_pictures_of_two_sizes_are_refused(make: Make, name: str) -> None:
    evaluator = show(make(), BATCHES[2:3])
    with pytest.raises(InvalidInputError, match="got 48x48 after 32x32"):
        evaluator.update(pictures(8, side=48), captions=CAPTIONS)
    other = make()
    other.update(pictures(8, side=48), captions=CAPTIONS)
    with pytest.raises(InvalidInputError, match="got 48x48 after 32x32"):
        evaluator.merge(other.state())


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (torch.full((2, 3, 8, 8), float("nan")), "got nan to nan"),
        (torch.tensor([0.0, float("inf")]).expand(1, 3, 2, 2), "got 0 to inf"),
        (torch.linspace(0, 255, 384).view(2, 3, 8, 8), "from_uint8"),
        (torch.zeros(2, 1, 8, 8), r"shape \[2, 1, 8, 8\]"),
        (torch.zeros(2, 4, 8, 8), r"shape \[2, 4, 8, 8\]"),
        (torch.zeros(3, 8, 8), r"shape \[3, 8, 8\]"),
        (torch.zeros(0, 3, 8, 8), r"shape \[0, 3, 8, 8\]"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "torch.uint8"),
    ],
)
def test_input_that_is_not_pictures_is_refused(images: Tensor, says: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^kid expects .*{says}"):
        check_images(images, "kid")


@pytest.mark.parametrize("real", [True, False])
def test_every_evaluator_refuses_nan_and_texts_that_do_not_fit(make: Make, real: bool) -> None:
    evaluator = make()
    images = pictures(8)
    for texts in ({"captions": CAPTIONS[1:]}, {"captions": CAPTIONS, "groups": CAPTIONS[1:]}):
        with pytest.raises(InvalidInputError, match=r"one non-empty \w+ for each picture, got 7 for 8 pictures"):
            evaluator.update(images, real=real, **texts)
    images[3, 1, 2, 2] = float("nan")
    with pytest.raises(InvalidInputError, match="diverged"):
        evaluator.update(images, captions=CAPTIONS, real=real)


def test_constant_pictures_have_finite_scores(make: Make, name: str) -> None:
    evaluator = make()
    evaluator.update(pictures(8), captions=CAPTIONS, real=True)
    evaluator.update(torch.zeros(8, 3, 32, 32), captions=CAPTIONS)
    scores = evaluator.compute()
    assert all(math.isfinite(score.value) and score.standard_error != math.inf for score in scores.values())
    if name == "is":
        assert scores["is"].value == pytest.approx(1)
    if name == "diversity":
        assert scores["diversity"].value == pytest.approx(0, abs=1e-3)
    if name == "prdc":
        assert scores["precision"].value == scores["coverage"].value == 0


def test_no_pictures_at_all(make: Make) -> None:
    with pytest.raises(InvalidInputError, match="needs at least"):
        make().compute()


def test_an_unknown_protocol_is_an_error_that_lists_the_known(make: Make) -> None:
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
    with pytest.raises(InvalidInputError, match=f"{name}'? needs .*{next(iter(settings))}"):
        create_evaluator(name, protocol=TINY, **settings)


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("fid", {}, rf"at least {DIM + 1} real and {DIM + 1} generated pictures, got 16 and 16.*use kid"),
        ("fid", {"min_images": 17}, "at least 17"),
        ("kid", {"subsets": 3}, "at least 1000 .*set a smaller subset_size"),
        ("is", {}, "at least 20 generated pictures, got 16"),
        ("prdc", {"neighbours": 16}, "at least 17"),
    ],
)
def test_too_few_pictures(name: str, settings: dict[str, int], says: str) -> None:
    with pytest.raises(InvalidInputError, match=says):
        show(create_evaluator(name, protocol=TINY, **settings)).compute()


def test_evaluators_of_one_protocol_run_the_network_once_per_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluators = [create_evaluator(name, protocol=TINY) for name in ("fid", "kid", "prdc", "is")]
    shared = get_extractor(TINY)
    passes = []
    forward = shared._network.forward
    monkeypatch.setattr(shared._network, "forward", lambda x: passes.append(len(x)) or forward(x))
    images = pictures(4, seed=11)
    for evaluator in evaluators:
        evaluator.update(images)
    assert passes == [4]
    images.mul_(0.5)
    evaluators[0].update(images)
    assert passes == [4, 4], "a batch changed in place is a new one"


def test_a_score_records_its_protocol(make: Make, name: str) -> None:
    for score_name, score in show(make()).compute().items():
        assert score.protocol["protocol"] == TINY
        assert score.protocol["extractor_sha256"] == get_extractor(TINY).sha256
        assert score.protocol["pictures"] == "32x32"
        assert score_name == "diversity_ceiling" or int(score.protocol["n_fake"]) >= 14
        assert name == "is" or score_name == "diversity" or score.protocol["n_real"] == "16"


def test_the_default_protocol_needs_no_network() -> None:
    evaluator = create_evaluator("kid")
    evaluator.update(pictures(3, seed=1), real=True)
    evaluator.update(pictures(3, seed=2))
    protocol = evaluator.compute()["kid"].protocol
    assert protocol == {
        "protocol": "effnet-lite0",
        "extractor": "efficientnet-lite0 of ImageNet (timm)",
        "extractor_sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "resize": "bicubic antialiased 224, float, clipped",
        "estimator": "all pairs",
        "pictures": "32x32",
        "n_real": "3",
        "n_fake": "3",
    }, "stored scores have these exact words"
