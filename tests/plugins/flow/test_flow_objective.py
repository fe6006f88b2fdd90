"""The loss against its closed form, where gradients flow, and whether it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fakes.models import FakeTextEncoder
from fakes.training import settings, squares
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.testing.checks.tiny_training import batch_of
from t2i.training.objective import Batch
from t2i.training.run import read_recipe
from t2i.training.trainer import Trainer
from t2i_flow.config import FlowConfig, FlowObjectiveConfig, FlowOptions
from t2i_flow.generator import FlowTransformer
from t2i_flow.training import FlowObjective, noised


def make(shape: dict[str, Any] | None = None, **values: Any) -> FlowObjective:
    torch.manual_seed(0)
    tiny = {"resolution": 16, "text_dim": 12, "patch": 4, "bottleneck": 8, "dim": 16, "depth": 2, "heads": 2}
    generator = FlowTransformer(FlowConfig.model_validate(tiny | {"hidden_dim": 24} | (shape or {})))
    return FlowObjective(generator, FlowObjectiveConfig.model_validate(values))


def batch(count: int = 4) -> Batch:
    text = FakeTextEncoder(dim=12).encode([f"caption {i}" for i in range(count)])
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return batch_of(images, text)


def moved(objective: FlowObjective) -> FlowObjective:
    """The objective with perturbed weights, because a new network's blocks are the identity."""
    for parameter in objective.generator.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return objective


def times(count: int, mean: float = 0.8, std: float = 0.8) -> Tensor:
    return (mean + std * Noise(range(count)).normal()).sigmoid()


def asked(objective: FlowObjective) -> list[tuple[Any, ...]]:
    """The inputs of the network, recorded at each call from now on."""
    seen: list[tuple[Any, ...]] = []
    objective.generator.denoiser.register_forward_pre_hook(lambda _, given: seen.append(given))
    return seen


def test_the_loss_of_a_new_network_in_closed_form() -> None:
    """It predicts grey (0), so the error of the velocity is (z - 0) / t - (z - x) / t = x / t."""
    seen = batch(64)
    terms = make().loss(seen)
    x, t = seen.images.square().mean((1, 2, 3)), times(64).clamp_min(0.05)
    torch.testing.assert_close(terms["velocity"].detach(), (x / t**2).mean())
    torch.testing.assert_close(terms["picture"], x.mean())
    assert not terms["picture"].requires_grad


@pytest.mark.parametrize("least", [0.05, 0.6])
def test_the_loss_is_the_squared_error_of_the_velocity(least: float) -> None:
    """Li and He 2025, sec. 4.1: both velocities are divided by the same clamped t."""
    objective, seen = moved(make(least_noise=least)), batch()
    questions = asked(objective)
    loss = objective.loss(seen)["velocity"]
    noisy, t, reading = questions[0]
    divisor = t.clamp_min(least)[:, None, None, None]
    guess = objective.generator.denoiser(noisy, t, reading)
    torch.testing.assert_close(loss, ((noisy - guess) / divisor - (noisy - seen.images) / divisor).square().mean())
    if least == 0.05:  # nothing is clamped here: the target is e - x
        noise = (noisy - (1 - t[:, None, None, None]) * seen.images) / t[:, None, None, None]
        torch.testing.assert_close(noise - seen.images, (noisy - seen.images) / divisor, atol=1e-4, rtol=0)


def test_times_are_logit_normal() -> None:
    objective = make(time_mean=-0.5, time_std=1.5)
    questions = asked(objective)
    objective.loss(batch(512))
    logits = questions[0][1].logit()
    torch.testing.assert_close(questions[0][1], times(512, -0.5, 1.5))
    assert logits.mean().item() == pytest.approx(-0.5, abs=0.25) and logits.std().item() == pytest.approx(1.5, abs=0.2)


def test_each_picture_and_its_caption_under_several_noises() -> None:
    objective, seen = make(noises=3, condition_dropout=0), batch()
    questions = asked(objective)
    objective.loss(seen)
    noisy, t, reading = questions[0]
    streams = Noise(range(4))
    shares, _, noises = streams.normal(3), streams.uniform(3), streams.normal(3, 3, 16, 16)
    sentences = objective.generator.denoiser.read(seen.text, torch.zeros(4, dtype=torch.bool)).sentence
    for copy in range(3):
        rows = slice(4 * copy, 4 * copy + 4)
        torch.testing.assert_close(t[rows], (0.8 + 0.8 * shares[:, copy]).sigmoid())
        torch.testing.assert_close(noisy[rows], noised(seen.images, noises[:, copy], t[rows]))
        torch.testing.assert_close(reading.sentence[rows], sentences)


def test_noised_pictures_by_hand() -> None:
    one, other = torch.ones(2, 3, 4, 4), torch.full((2, 3, 4, 4), 5.0)
    found = noised(one, other, torch.tensor([0.0, 0.25]))
    assert torch.equal(found[0], one[0]) and torch.equal(found[1], torch.full((3, 4, 4), 2.0))


def test_noise_is_normal_and_from_each_pictures_stream() -> None:
    objective, seen = make(), batch(64)
    questions = asked(objective)
    objective.loss(seen)
    noisy, t, _ = questions[0]
    share = t[:, None, None, None]
    noise = (noisy - (1 - share) * seen.images) / share
    assert noise.mean().item() == pytest.approx(0, abs=0.02) and noise.std().item() == pytest.approx(1, abs=0.02)
    alone = make()
    question = asked(alone)
    alone.loss(batch_of(seen.images[5:6], seen.text[5:6], noise=Noise([5])))
    torch.testing.assert_close(question[0][0], noisy[5:6])


def test_a_share_of_the_captions_is_dropped() -> None:
    objective = make(condition_dropout=0.3)
    questions = asked(objective)
    objective.loss(batch(64))
    dropped = ~questions[0][2].mask[:, 1:].any(1)
    assert 8 < dropped.sum() < 32
    none = make(condition_dropout=0.0)
    questions = asked(none)
    none.loss(batch(64))
    assert questions[0][2].mask[:, 1:].any(1).all()


def test_gradients_reach_every_parameter() -> None:
    objective = moved(make(condition_dropout=0.5))
    objective.loss(batch(16))["velocity"].backward()
    for name, parameter in objective.generator.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_one_batch_is_memorised() -> None:
    """8 plain squares: the prediction's error falls below a tenth, and drawn pictures are within .1 of them."""
    data, encoder = squares(16), FakeTextEncoder(dim=12)
    objective = make({"dim": 32, "hidden_dim": 64, "bottleneck": 16}, condition_dropout=0.1)
    images = from_uint8(data.images)
    text = encoder.encode([data.caption_texts[own[0]] for own in data.captions_of])
    optimizer = torch.optim.Adam(objective.generator.parameters(), lr=4e-3)
    errors = []
    for step in range(300):
        terms = objective.loss(batch_of(images, text, noise=Noise(range(8 * step, 8 * step + 8))))
        errors.append(terms["picture"].item())
        optimizer.zero_grad()
        terms["velocity"].backward()
        optimizer.step()
    assert sum(errors[-20:]) / 20 < 0.1 * sum(errors[:5]) / 5
    with torch.no_grad():
        drawn = objective.generator.eval().generate(text, Noise(range(100, 108)), FlowOptions(guidance=1.0))
    assert (drawn - images).abs().mean() < 0.1


def test_the_tiny_recipe_trains(tmp_path: Path) -> None:
    recipe = read_recipe("flow", "tiny")
    generator = FlowTransformer(FlowConfig.model_validate(recipe["model"] | {"text_dim": 8}))
    objective = FlowObjective(generator, FlowObjectiveConfig.model_validate(recipe["objective"]))
    config = settings(**recipe["train"])
    result = Trainer(objective, squares(16), config, tmp_path / "run", device="cpu").fit()
    assert result.finished and "denoiser/velocity" in (result.run / "metrics.jsonl").read_text()
