"""Every feature evaluator against the tool that it replaces, with the same pictures and features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fakes.pictures import pictures
from fakes.protocol import DIM, TINY
from t2i.create import create_evaluator
from t2i.evaluator import Evaluator, Score
from t2i.images import to_pil
from t2i_metrics.extractor import get_extractor
from t2i_metrics.kid import kernel_distance

pytestmark = pytest.mark.usefixtures("tiny")
REAL, FAKE = pictures(30, seed=1), pictures(28, seed=2) * 0.8  # more than features


def scores(evaluator: Evaluator, real: Tensor = REAL, fake: Tensor = FAKE) -> dict[str, Score]:
    evaluator.update(real, real=True)
    evaluator.update(fake)
    return evaluator.compute()


def create(name: str, **settings: object) -> Evaluator:
    return create_evaluator(name, protocol=TINY, **settings)


@pytest.fixture(scope="module")
def features(tiny: None) -> dict[str, Tensor]:
    extractor = get_extractor(TINY)
    return {"real": extractor(REAL).features, "fake": extractor(FAKE).features, "logits": extractor(FAKE).logits}


def test_fid_is_torch_fidelitys_and_torchmetrics(features: dict[str, Tensor]) -> None:
    fidelity = pytest.importorskip("torch_fidelity.metric_fid")
    score = scores(create("fid"))["fid"]
    statistics = [fidelity.fid_features_to_statistics(features[kind]) for kind in ("fake", "real")]
    wanted = fidelity.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert score.value == pytest.approx(wanted, rel=1e-6)

    class Network(nn.Module):
        num_features = DIM

        def forward(self, images: Tensor) -> Tensor:
            return get_extractor(TINY)(images).features

    theirs = pytest.importorskip("torchmetrics.image.fid").FrechetInceptionDistance(Network())
    theirs.update(REAL, real=True)
    theirs.update(FAKE, real=False)
    assert score.value == pytest.approx(float(theirs.compute()), rel=1e-4)  # torchmetrics sums in float32


def test_kid_over_subsets_is_torch_fidelitys(features: dict[str, Tensor]) -> None:
    theirs = pytest.importorskip("torch_fidelity.metric_kid")
    wanted = theirs.kid_features_to_metric(
        features["fake"], features["real"], kid_subsets=7, kid_subset_size=20, verbose=False
    )
    score = scores(create("kid", subsets=7, subset_size=20))["kid"]
    assert score.value == pytest.approx(wanted["kernel_inception_distance_mean"], rel=1e-4)
    assert score.standard_error == pytest.approx(wanted["kernel_inception_distance_std"] / 7**0.5, rel=1e-4)


def test_kid_of_all_pairs_equals_clean_fids_in_one_subset_of_all(features: dict[str, Tensor]) -> None:
    theirs = pytest.importorskip("cleanfid.fid").kernel_distance
    fake, real = features["fake"], features["real"][:28]
    wanted = theirs(fake.double().numpy(), real.double().numpy(), num_subsets=1)
    assert scores(create("kid"), real=REAL[:28])["kid"].value == pytest.approx(wanted, rel=1e-6)
    assert kernel_distance(real, fake)[0] == pytest.approx(wanted, rel=1e-6)


def test_kids_standard_error_equals_an_explicit_jackknife() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(9, 5, generator=generator), torch.randn(7, 5, generator=generator) + 0.2
    without = [
        [kernel_distance(torch.cat([x[:i], x[i + 1 :]]), y)[0] for i in range(9)],
        [kernel_distance(x, torch.cat([y[:i], y[i + 1 :]]))[0] for i in range(7)],
    ]
    variance = sum((len(each) - 1) * np.var(each) for each in without)
    assert kernel_distance(x, y)[1] == pytest.approx(variance**0.5, rel=1e-9)


def test_kids_standard_error_is_the_deviation_over_samples() -> None:
    generator = torch.Generator().manual_seed(0)
    draws = [
        kernel_distance(torch.randn(40, 6, generator=generator), torch.randn(40, 6, generator=generator) + 0.5)
        for _ in range(100)
    ]
    values, errors = (np.array(each) for each in zip(*draws, strict=True))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)


def test_kid_of_one_distribution_is_zero_within_its_error() -> None:
    x = torch.randn(400, 16, generator=torch.Generator().manual_seed(3))
    value, error = kernel_distance(x[:200], x[200:])
    assert abs(value) < 3 * error


@pytest.mark.parametrize("folds", [1, 10])
def test_is_is_torch_fidelitys(features: dict[str, Tensor], folds: int) -> None:
    theirs = pytest.importorskip("torch_fidelity.metric_isc")
    wanted = theirs.isc_features_to_metric(features["logits"], splits=folds)
    score = scores(create("is", folds=folds))["is"]
    assert score.value == pytest.approx(wanted["inception_score_mean"], rel=1e-6)
    if folds > 1:
        deviation = wanted["inception_score_std"] * (folds / (folds - 1)) ** 0.5  # torch-fidelity divides by n
        assert score.standard_error == pytest.approx(deviation / folds**0.5, rel=1e-6)


@pytest.mark.parametrize("k", [1, 5])
def test_prdc_is_its_authors(features: dict[str, Tensor], k: int) -> None:
    theirs = pytest.importorskip("prdc").compute_prdc(features["real"].numpy(), features["fake"].numpy(), nearest_k=k)
    found = scores(create("prdc", neighbours=k))
    assert {name: score.value for name, score in found.items()} == pytest.approx(theirs, abs=1e-9)


def test_precision_and_recall_are_torch_fidelitys(features: dict[str, Tensor]) -> None:
    theirs = pytest.importorskip("torch_fidelity.metric_prc")
    wanted = theirs.prc_features_to_metric(features["fake"], features["real"], prc_neighborhood=3, verbose=False)
    found = scores(create("prdc", neighbours=3))
    assert found["precision"].value == pytest.approx(wanted["precision"])
    assert found["recall"].value == pytest.approx(wanted["recall"])


def test_prdc_does_not_depend_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    from t2i_metrics import prdc

    whole = scores(create("prdc"))
    monkeypatch.setattr(prdc, "DISTANCES_AT_ONCE", 50)
    assert scores(create("prdc")) == whole


def write(images: Tensor, folder: Path) -> Path:
    folder.mkdir()
    for number, picture in enumerate(to_pil(images)):
        picture.save(folder / f"{number:03}.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["tf", "clean"])
def test_whole_tools_on_whole_folders(
    protocol: str, tensorflow_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, fake = pictures(40, side=64, seed=3), pictures(36, side=64, seed=4) * 0.8
    folders = [write(fake, tmp_path / "fake"), write(real, tmp_path / "real")]
    settings: dict[str, dict[str, int]] = {
        "fid": {"min_images": 2}, "kid": {"subsets": 5, "subset_size": 30}, "is": {}, "prdc": {"neighbours": 3}
    }  # fmt: skip
    evaluators = [
        create_evaluator(name, protocol=protocol, extractor_weights=tensorflow_weights, **given)
        for name, given in settings.items()
    ]
    found = {name: score.value for each in evaluators for name, score in scores(each, real, fake).items()}
    if protocol == "tf":
        metrics = pytest.importorskip("torch_fidelity").calculate_metrics(
            input1=str(folders[0]), input2=str(folders[1]), fid=True, kid=True, isc=True, prc=True, cuda=False,
            kid_subsets=5, kid_subset_size=30, verbose=False, cache=False, feature_extractor="inception-v3-compat",
            feature_layer_prc="2048",
            feature_extractor_weights_path=str(tensorflow_weights),
        )  # fmt: skip
        names = {
            "fid": "frechet_inception_distance", "kid": "kernel_inception_distance_mean",
            "is": "inception_score_mean", "precision": "precision", "recall": "recall",
        }  # fmt: skip
        wanted = {ours: metrics[theirs] for ours, theirs in names.items()}
    else:
        fid = pytest.importorskip("cleanfid.fid")
        inception = pytest.importorskip("cleanfid.inception_pytorch")
        weights = torch.load(tensorflow_weights, weights_only=True)
        monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: weights)
        network = inception.InceptionV3([3], resize_input=False, normalize_input=False).eval()
        sets = [
            fid.get_folder_features(
                str(folder), lambda x: network((x - 128) / 128)[0].flatten(1), num_workers=0, device="cpu",
                mode="clean", verbose=False,
            )
            for folder in folders
        ]  # fmt: skip
        statistics = [each for x in sets for each in (x.mean(axis=0), np.cov(x, rowvar=False))]
        wanted = {"fid": fid.frechet_distance(*statistics)}
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, rel=1e-3), name
