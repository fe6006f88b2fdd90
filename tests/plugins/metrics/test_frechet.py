"""The Fréchet distance against closed forms and four other tools."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from t2i_metrics.frechet import frechet_distance, frechet_distance_of, trace_of_root
from t2i_metrics.moments import Moments


def gaussian(dim: int, seed: int, rows: int = 0) -> tuple[Tensor, Tensor]:
    """A mean and a covariance, which is singular if rows <= dim."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows or 4 * dim, dim, generator=generator, dtype=torch.float64) * torch.linspace(0.1, 2, dim)
    return x.mean(dim=0), x.T.cov()


DEVIATIONS = st.just(0.0) | st.floats(1e-3, 4)  # smaller squares would be lost to rounding next to that of 4


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3), DEVIATIONS, DEVIATIONS), min_size=1, max_size=9))
def test_independent_features_have_a_closed_form(features: list[tuple[float, float, float, float]]) -> None:
    mean1, mean2, deviation1, deviation2 = (
        torch.tensor(each, dtype=torch.float64) for each in zip(*features, strict=True)
    )
    found = frechet_distance(mean1, deviation1.square().diag(), mean2, deviation2.square().diag())
    wanted = (mean1 - mean2).square().sum() + (deviation1 - deviation2).square().sum()
    assert found == pytest.approx(float(wanted), abs=1e-6)


def test_rotations_change_nothing() -> None:
    (mean1, one), (mean2, two) = gaussian(20, seed=0), gaussian(20, seed=1)
    generator = torch.Generator().manual_seed(0)
    turn, _ = torch.linalg.qr(torch.randn(20, 20, dtype=torch.float64, generator=generator))
    turned = frechet_distance(turn @ mean1, turn @ one @ turn.T, turn @ mean2, turn @ two @ turn.T)
    assert turned == pytest.approx(frechet_distance(mean1, one, mean2, two), rel=1e-9)


@pytest.mark.parametrize("rows", [0, 12, 1000])
def test_the_distance_of_a_set_to_itself_is_0(rows: int) -> None:
    mean, covariance = gaussian(30, seed=0, rows=rows)
    assert frechet_distance(mean, covariance, mean, covariance) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("rows", [0, 500, 25])
def test_the_root_equals_scipys_to_a_millionth(rows: int) -> None:
    linalg = pytest.importorskip("scipy.linalg")
    (_, one), (_, two) = gaussian(50, seed=0, rows=rows), gaussian(50, seed=1)
    wanted = np.trace(linalg.sqrtm((one @ two).numpy())).real
    assert trace_of_root(one, two) == pytest.approx(wanted, rel=1e-6)
    assert trace_of_root(two, one) == pytest.approx(wanted, rel=1e-6)


def test_the_distance_to_constant_features_is_the_spread_of_the_others() -> None:
    mean, covariance = gaussian(10, seed=0)
    nothing = torch.zeros_like(covariance)
    assert frechet_distance(mean, nothing, mean, covariance) == pytest.approx(float(covariance.trace()))
    assert frechet_distance(mean, nothing, mean, nothing) == 0


def test_four_other_tools_give_the_same_distance() -> None:
    (mean1, one), (mean2, two) = gaussian(40, seed=0), gaussian(40, seed=1)
    as_numpy = [each.numpy() for each in (mean1, one, mean2, two)]
    statistics = [dict(zip(("mu", "sigma"), pair, strict=True)) for pair in (as_numpy[:2], as_numpy[2:])]
    fidelity = pytest.importorskip("torch_fidelity.metric_fid")
    found = [
        fidelity.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"],
        pytest.importorskip("torchmetrics.image.fid")._compute_fid(mean1, one, mean2, two),
        pytest.importorskip("cleanfid.fid").frechet_distance(*as_numpy),
        pytest.importorskip("pytorch_fid.fid_score").calculate_frechet_distance(*as_numpy),
    ]
    assert found == pytest.approx([frechet_distance(mean1, one, mean2, two)] * 4, rel=1e-6)


def test_moments_equal_numpys_for_any_division_into_batches() -> None:
    x = torch.randn(300, 20, generator=torch.Generator().manual_seed(0)) + 5
    moments, others = Moments(20), Moments(20)
    for part in x[:200].split(64):
        moments.add(part)
    others.add(x[200:])
    moments.merge("real", others.state("real"))
    assert moments.count == 300
    np.testing.assert_allclose(moments.mean, x.double().numpy().mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance, np.cov(x.double().numpy(), rowvar=False), rtol=1e-9, atol=1e-12)


def test_many_gaussian_features_approximate_the_distance_of_their_gaussians() -> None:
    generator = torch.Generator().manual_seed(0)
    scale, shift = torch.linspace(0.5, 2, 8), torch.full((8,), 0.3)
    one, two = Moments(8), Moments(8)
    for _ in range(20):
        one.add(torch.randn(5000, 8, generator=generator))
        two.add(torch.randn(5000, 8, generator=generator) * scale + shift)
    found = frechet_distance(one.mean, one.covariance, two.mean, two.covariance)
    assert found == pytest.approx(float((scale - 1).square().sum() + shift.square().sum()), rel=0.02)


@pytest.mark.parametrize(("m", "n"), [(40, 50), (7, 5), (2, 30)])
def test_the_distance_of_two_sets_is_that_of_their_covariances(m: int, n: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(m, 12, generator=generator), torch.randn(n, 12, generator=generator) + 1
    wanted = frechet_distance(*(part for each in (x, y) for part in (each.double().mean(dim=0), each.double().T.cov())))
    assert frechet_distance_of(x, y) == pytest.approx(wanted, rel=1e-6)
