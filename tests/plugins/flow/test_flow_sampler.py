"""The samplers on a known flow: pictures whose values are normal with mean M and deviation S."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from t2i_flow.sampler import euler, guided, heun, times

M, S = 0.3, 0.4


def best_prediction(z: Tensor, t: float) -> Tensor:
    """The mean of x given z = (1 - t) x + t e, the best possible prediction."""
    return M + (1 - t) * S**2 / variance(t) * (z - (1 - t) * M)


def variance(t: float) -> float:
    """The variance of z, whose mean is (1 - t) M."""
    return (1 - t) ** 2 * S**2 + t**2


def noise() -> Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def last(predictions: Iterator[Tensor]) -> Tensor:
    return list(predictions)[-1]


def error(solve: Callable[..., Iterator[Tensor]], steps: int) -> float:
    """The largest distance from the exact end of the flow, which is M + S e, because the flow keeps every quantile."""
    drawn = last(solve(best_prediction, noise(), times(steps)))
    return float((drawn - (M + S * noise())).abs().max())


@pytest.mark.parametrize(("solve", "order"), [(euler, 1), (heun, 2)])
def test_a_sampler_converges_at_its_order(solve: Callable[..., Iterator[Tensor]], order: int) -> None:
    """With twice the steps the error is 2 ** order times smaller."""
    errors = [error(solve, steps) for steps in (64, 128, 256)]
    for coarse, fine in pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)
    assert errors[-1] < (0.02 if order == 1 else 2e-4)


@pytest.mark.parametrize("shift", [0.5, 3.0])
def test_shifted_times_lead_to_the_same_pictures(shift: float) -> None:
    drawn = last(heun(best_prediction, noise(), times(200, shift)))
    torch.testing.assert_close(drawn, M + S * noise(), atol=1e-3, rtol=0)


def test_heun_is_more_accurate_than_euler_with_as_many_evaluations() -> None:
    assert error(heun, 16) < error(euler, 31)


@pytest.mark.parametrize(("solve", "evaluations"), [(euler, 5), (heun, 9)])
def test_evaluations_go_from_noise_downwards_and_never_at_0(
    solve: Callable[..., Iterator[Tensor]], evaluations: int
) -> None:
    asked = []
    list(solve(lambda z, t: asked.append(t) or best_prediction(z, t), noise(), times(5)))
    assert len(asked) == evaluations and asked[0] == 1 and min(asked) > 0
    assert asked == sorted(asked, reverse=True)


@pytest.mark.parametrize("solve", [euler, heun])
def test_a_constant_prediction_is_reached_in_any_number_of_steps(solve: Callable[..., Iterator[Tensor]]) -> None:
    """The flow to a single picture is straight."""
    picture = torch.rand(4, 3, 8, 8, dtype=torch.float64)
    for steps in (1, 2, 7):
        guesses = list(solve(lambda z, t: picture, noise(), times(steps)))
        assert len(guesses) == steps and torch.equal(guesses[-1], picture)


@pytest.mark.parametrize("solve", [euler, heun])
def test_a_prediction_is_given_as_soon_as_it_is_made(solve: Callable[..., Iterator[Tensor]]) -> None:
    asked: list[float] = []
    guesses = solve(lambda z, t: asked.append(t) or best_prediction(z, t), noise(), times(5))
    next(guesses)
    assert asked == [1.0]


@pytest.mark.parametrize("solve", [euler, heun])
def test_the_last_step_ends_at_the_last_prediction(solve: Callable[..., Iterator[Tensor]]) -> None:
    """An additional, very short step to 0 starts there."""
    seen: list[Tensor] = []
    guesses = list(solve(lambda z, t: seen.append(z) or best_prediction(z, t), noise(), [1.0, 0.5, 1e-9, 0.0]))
    torch.testing.assert_close(seen[-1], guesses[-1], atol=1e-6, rtol=0)


def test_times_by_hand() -> None:
    """Evenly spaced, or by Esser et al. 2024, eq. 23: 3 * .5 / (1 + 2 * .5) = .75."""
    assert times(4) == [1, 0.75, 0.5, 0.25, 0]
    assert times(2, 3.0) == [1, 0.75, 0]
    assert times(4, 1.0) == times(4)


def test_guidance_by_hand() -> None:
    conditional, unconditional = (torch.full((1, 3, 2, 2), value) for value in (4.0, 2.0))
    assert torch.equal(guided(conditional, unconditional, 3.0), torch.full((1, 3, 2, 2), 8.0))
    assert torch.equal(guided(conditional, unconditional, 1.0), conditional)
    assert torch.equal(guided(conditional, unconditional, 0.0), unconditional)
