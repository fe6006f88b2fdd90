"""Each term against its closed form, where gradients flow, exact resuming across both phases, and whether it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fakes.models import FakeTextEncoder
from fakes.official_dfgan import moved
from fakes.training import differing, settings, squares, state_of
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.testing.checks.tiny_training import losses, players
from t2i.testing.objectives import batch_of
from t2i.training.objective import Batch
from t2i.training.run import read_recipe
from t2i.training.trainer import Trainer
from t2i_dfgan.config import DFGANConfig, DFGANObjectiveConfig
from t2i_dfgan.generator import DFGAN
from t2i_dfgan.training import DFGANObjective

TEXT = 8


def make(**values: Any) -> DFGANObjective:
    torch.manual_seed(0)
    generator = DFGAN(DFGANConfig(text_dim=TEXT, widths=(16, 8), patch=2, noise_dim=4))
    small = {"discriminator_widths": (8, 16), "joint_width": 8}
    objective = DFGANObjective(generator, DFGANObjectiveConfig.model_validate(small | values))
    moved(generator)
    moved(objective.discriminator)
    return objective


def batch(count: int = 4, step: int = 0) -> Batch:
    encoder, data = FakeTextEncoder(dim=TEXT), squares(16)
    names = [data.caption_texts[captions[0]] for captions in data.captions_of[:count]]
    text, wrong = encoder.encode(names), encoder.encode([f"wrong {i}" for i in range(count)])
    return batch_of(from_uint8(data.images[:count]), text, mismatched=wrong, step=step)


def rated(objective: DFGANObjective, images: Tensor, sentence: Tensor) -> Tensor:
    """The discriminator's logits, with the sentence at RMS 1."""
    normal = sentence / sentence.square().mean(1, keepdim=True).sqrt()
    return objective.discriminator.logits(objective.discriminator.features(images), normal)


def drawn(objective: DFGANObjective, seen: Batch) -> Tensor:
    return objective.generator.generate(seen.text, Noise(range(len(seen.images))), objective.generator.options())


def test_the_discriminators_terms_are_equation_1() -> None:
    objective, seen = make(matching_penalty=0), batch()
    assert seen.mismatched is not None
    real = rated(objective, seen.images, seen.text.sentence)
    wrong = rated(objective, seen.images, seen.mismatched.sentence)
    fake = rated(objective, drawn(objective, seen), seen.text.sentence)
    terms = objective.discriminator_loss(seen)
    assert set(terms) == {"real", "wrong_text", "fake"}
    torch.testing.assert_close(terms["real"], (-torch.clamp_max(-1 + real, 0)).mean())
    torch.testing.assert_close(terms["wrong_text"], -torch.clamp_max(-1 - wrong, 0).mean() / 2)
    torch.testing.assert_close(terms["fake"], -torch.clamp_max(-1 - fake, 0).mean() / 2)


@pytest.mark.parametrize("every", [1, 4])
def test_the_penalty_is_the_sixth_power_of_the_gradients_norm(every: int) -> None:
    """Eq. 2 per picture, on real pictures with their own sentences; at every k-th step with k times the weight."""
    objective = make(penalty_every=every)
    seen = batch(step=2 * every)
    wanted = []
    for image, sentence in zip(seen.images, objective.generator.read(seen.text.sentence), strict=True):
        x, e = image[None].requires_grad_(), sentence[None].requires_grad_()
        (logit,) = objective.discriminator.logits(objective.discriminator.features(x), e)
        gradients = torch.cat([g.flatten() for g in torch.autograd.grad(logit, (x, e))])
        wanted.append(torch.linalg.vector_norm(gradients) ** 6)
    found = objective.discriminator_loss(seen)["matching_penalty"]
    torch.testing.assert_close(found, 2 * every * torch.stack(wanted).mean(), rtol=1e-3, atol=1e-8)
    assert found > 0 and not seen.images.requires_grad and not seen.text.sentence.requires_grad
    assert every == 1 or "matching_penalty" not in objective.discriminator_loss(batch(step=2 * every + 1))


def test_the_penalty_flattens_the_discriminator() -> None:
    """Training on the penalty alone lowers the gradient at real pairs."""
    objective = make()
    optimizer = torch.optim.Adam(objective.discriminator.parameters(), lr=1e-2)
    found = []
    for _ in range(30):
        optimizer.zero_grad()
        penalty = objective.discriminator_loss(batch())["matching_penalty"]
        found.append(penalty.item())
        penalty.backward()
        optimizer.step()
    assert found[-1] < 0.1 * found[0]


def test_the_generators_terms() -> None:
    objective, seen = make(adversarial=0.3, squared_error=2.0, reconstruction=3.0), batch()
    fakes = drawn(objective, seen)
    terms = objective.generator_loss(seen)
    assert set(terms) == {"adversarial", "squared_error", "reconstruction"}
    torch.testing.assert_close(terms["adversarial"], -0.3 * rated(objective, fakes, seen.text.sentence).mean())
    torch.testing.assert_close(terms["squared_error"], 2 * F.mse_loss(fakes, seen.images))
    torch.testing.assert_close(terms["reconstruction"], 3 * F.l1_loss(fakes, seen.images))
    assert set(objective.reconstruction_loss(batch())) == {"squared_error", "reconstruction"}


def test_only_the_nearest_of_several_drawings_is_compared() -> None:
    objective, seen = make(squared_error=1.0, nearest_of=3), batch()
    z, network = Noise(range(4)).normal(3, 4), objective.generator.network
    sentence = objective.generator.read(seen.text.sentence)
    errors = [(network(z[:, one], sentence) - seen.images).square().mean((1, 2, 3)) for one in range(3)]
    expected = torch.stack(errors).amin(0).mean()
    torch.testing.assert_close(objective.reconstruction_loss(seen)["squared_error"], expected)


def test_gradients_reach_every_parameter_of_every_player() -> None:
    objective = make(reconstruct_first=0.5, squared_error=1.0)
    for phase, player in players(objective):
        torch.stack(list(losses(objective, player, batch()).values())).sum().backward()
        for name, module in player.modules.items():
            lost = [key for key, p in module.named_parameters() if p.grad is None or not p.grad.any()]
            assert not lost, f"{phase.name}/{player.name} does not reach {name}: {lost}"


def test_a_step_draws_once(tmp_path: Path) -> None:
    objective, count = make(text_noise=0.1), []
    objective.generator.network.register_forward_hook(lambda *_: count.append(1))
    Trainer(objective, squares(16), settings(), tmp_path / "run", device="cpu").one_step()
    assert len(count) == 1
    shared = batch()
    objective.discriminator_loss(shared)
    assert objective.generator_loss(shared)["adversarial"] == objective.generator_loss(batch())["adversarial"]


@pytest.mark.parametrize("stop", [2, 3, 5], ids=["reconstructing", "between-phases", "playing"])
def test_a_resumed_run_equals_an_uninterrupted_one(stop: int, tmp_path: Path) -> None:
    def run(folder: str, steps: int) -> None:
        objective = make(reconstruct_first=0.5, squared_error=1.0, penalty_every=2, spectral_norm=True)
        config = settings(steps=6, checkpoint_every=1)
        trainer = Trainer(objective, squares(16), config, tmp_path / folder, device="cpu")
        if steps < 6:
            taken = trainer.one_step

            def one_step() -> dict[str, Tensor]:
                if trainer.step == steps - 1:
                    trainer._request_stop()
                return taken()

            trainer.one_step = one_step  # type: ignore[method-assign]
        trainer.fit()

    run("whole", 6)
    run("parts", stop)
    run("parts", 6)
    assert not differing(state_of(tmp_path / "whole"), state_of(tmp_path / "parts"))


def test_one_batch_can_be_memorised() -> None:
    """Squared error of four squares falls from above .2 to below .02 while the discriminator trains."""
    objective = make(squared_error=1.0, adversarial=0.002)
    optimizers = {
        player.name: torch.optim.Adam(
            [p for module in player.modules.values() for p in module.parameters()], rate, (0.5, 0.99)
        )
        for (_, player), rate in zip(players(objective), (4e-4, 1e-2), strict=True)
    }
    errors = []
    for _ in range(75):
        for _, player in players(objective):
            terms = losses(objective, player, batch())
            torch.stack(list(terms.values())).sum().backward()
            optimizers[player.name].step()
        errors.append(terms["squared_error"].item())
    assert errors[0] > 0.2 and min(errors[-10:]) < 0.02, (errors[0], errors[-10:])


def test_the_tiny_recipe_trains(tmp_path: Path) -> None:
    recipe = read_recipe("dfgan", "tiny")
    generator = DFGAN(DFGANConfig.model_validate(recipe["model"] | {"text_dim": TEXT}))
    objective = DFGANObjective(generator, DFGANObjectiveConfig.model_validate(recipe["objective"]))
    result = Trainer(objective, squares(16), settings(**recipe["train"]), tmp_path / "run", device="cpu").fit()
    assert result.finished and "discriminator/matching_penalty" in (result.run / "metrics.jsonl").read_text()
