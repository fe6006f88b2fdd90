"""Each term of both objectives against numbers calculated by hand, where gradients flow, and whether they learn."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fakes.models import FakeTextEncoder
from fakes.training import settings, squares
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.testing.checks.tiny_training import losses, started
from t2i.testing.objectives import batch_of
from t2i.toolbox.conditioning import divergence
from t2i.toolbox.discriminator import StageDiscriminator
from t2i.toolbox.stage_game import resized
from t2i.training.objective import Batch, Objective, Player
from t2i.training.trainer import Trainer
from t2i_stackgan.config import (
    StackGANConfig,
    StackGANObjectiveConfig,
    StackGANv2Config,
    StackGANv2ObjectiveConfig,
)
from t2i_stackgan.generator import StackGAN, StackGANv2
from t2i_stackgan.training import StackGANObjective, StackGANv2Objective

TINY = {"text_dim": 8, "condition_dim": 8, "noise_dim": 4, "residual_blocks": 1, "widths": (16, 8)}
RIGHT, WRONG, FAKE = (torch.tensor(v) for v in ([2, 0.5, -1, 0], [-2, 0, 1, -0.5], [-1, -3, 0.5, 0]))
REAL_PICTURE, FAKE_PICTURE = torch.tensor([1.0, 0.5, 3, -1]), torch.tensor([0.5, -2, 0, -1.5])


class FixedDiscriminator(StageDiscriminator):
    """Returns fixed logits for each kind of pair; its features are the pictures themselves."""

    def __init__(self, real: Tensor, right: Tensor, wrong: Tensor) -> None:
        nn.Module.__init__(self)
        self.real, self.right, self.wrong = real, right, wrong

    def features(self, images: Tensor) -> list[Tensor]:
        return [images, 2 * images]

    def logits(self, features: list[Tensor], condition: Tensor) -> Tensor:
        if not torch.equal(features[0], self.real):
            assert torch.equal(condition, self.right)
            return FAKE
        if torch.equal(condition, self.right):
            return RIGHT
        assert torch.equal(condition, self.wrong)
        return WRONG

    def picture_logits(self, features: list[Tensor]) -> Tensor:
        return REAL_PICTURE if torch.equal(features[0], self.real) else FAKE_PICTURE


def v1(stages: int = 2, **settings: Any) -> StackGANObjective:
    torch.manual_seed(0)
    shape = TINY | {"encoder_widths": (8, 8), "decoder_widths": (8, 8), "stages": stages}
    values = {"discriminator_width": 4} | settings
    return StackGANObjective(
        StackGAN(StackGANConfig.model_validate(shape)), StackGANObjectiveConfig.model_validate(values)
    )


def v2(**settings: Any) -> StackGANv2Objective:
    torch.manual_seed(0)
    values = {"discriminator_width": 4} | settings
    shape = StackGANv2Config.model_validate(TINY | {"branch_widths": (8,)})
    return StackGANv2Objective(StackGANv2(shape), StackGANv2ObjectiveConfig.model_validate(values))


def batch(count: int = 4) -> Batch:
    encoder, data = FakeTextEncoder(), squares(16)
    names = [data.caption_texts[captions[0]] for captions in data.captions_of[:count]]
    text, wrong = encoder.encode(names), encoder.encode([f"wrong {i}" for i in range(count)])
    return batch_of(from_uint8(data.images[:count]), text, mismatched=wrong)


def with_fixed_discriminators(objective: StackGANObjective | StackGANv2Objective, seen: Batch, side: int) -> None:
    """Replace all discriminators by fixed ones."""
    two = isinstance(objective, StackGANObjective) and side == 16
    game = objective.games[two] if isinstance(objective, StackGANObjective) else objective.game
    with torch.no_grad():
        right, wrong = game._read(seen.text), game._read(seen.mismatched)
    for each in list(game._discriminators):
        fixed = FixedDiscriminator(resized(seen.images, each, "area"), right, wrong)
        game._discriminators[each] = fixed  # type: ignore[index]


def numbers(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in terms.items()}


# --- the discriminators' terms ---------------------------------------------------------------------------------------


def hinge(logits: Tensor, sign: int) -> float:
    return sum(max(0.0, 1 - sign * each) for each in logits.tolist()) / len(logits)


@pytest.mark.parametrize("loss", ["hinge", "bce"])
def test_v1_stage_one_is_real_plus_half_of_fake_and_wrong(loss: str) -> None:
    objective, seen = v1(loss=loss), batch()
    with_fixed_discriminators(objective, seen, 8)
    terms = numbers(objective.games[0].discriminator_loss(seen))
    assert terms == pytest.approx(
        {"real": asked(loss, RIGHT, 1), "wrong_text": asked(loss, WRONG, 0) / 2, "fake": asked(loss, FAKE, 0) / 2}
    )


@pytest.mark.parametrize("loss", ["hinge", "bce"])
def test_v1_stage_two_is_the_mean_of_two_real_and_of_three_fake_terms(loss: str) -> None:
    objective, seen = v1(loss=loss), batch()
    with_fixed_discriminators(objective, seen, 16)
    terms = numbers(objective.games[1].discriminator_loss(seen))
    real = (asked(loss, RIGHT, 1) + asked(loss, REAL_PICTURE, 1)) / 2
    fake = (asked(loss, FAKE, 0) + asked(loss, WRONG, 0) + asked(loss, FAKE_PICTURE, 0)) / 3
    assert sum(terms.values()) == pytest.approx(real + fake)


@pytest.mark.parametrize("loss", ["hinge", "bce"])
def test_v2_adds_conditional_and_unconditional_terms_at_every_scale(loss: str) -> None:
    """As released: the pictures of wrong pairs are real, so real pictures count twice in the terms without text."""
    objective, seen = v2(loss=loss, unconditional=0.5), batch()
    with_fixed_discriminators(objective, seen, 16)
    terms = numbers(objective.game.discriminator_loss(seen))
    assert {name.rpartition("_")[2] for name in terms} == {"8", "16"}
    conditional = asked(loss, RIGHT, 1) + asked(loss, WRONG, 0) + asked(loss, FAKE, 0)
    unconditional = 2 * asked(loss, REAL_PICTURE, 1) + asked(loss, FAKE_PICTURE, 0)
    assert sum(terms.values()) == pytest.approx(2 * (conditional + 0.5 * unconditional))


def asked(loss: str, logits: Tensor, real: int) -> float:
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(logits, torch.full((4,), float(real))).item()
    return hinge(logits, 1 if real else -1)


@pytest.mark.parametrize("make", [v1, v2])
def test_discriminators_give_the_generator_no_gradient(make: Callable[[], Objective]) -> None:
    """Although both read the same fakes, and everything is trainable."""
    objective = make()
    for _, player in players(objective):
        if "discriminator" in player.name:
            torch.stack(list(player.loss(batch()).values())).sum().backward()
            assert all(parameter.grad is None for parameter in objective.generator.parameters())


def test_a_step_draws_fakes_once(tmp_path: Path) -> None:
    """The generator's loss is the same as if it had drawn its own."""
    objective, drawn = v2(text_noise=0.1, spectral_norm=False), []
    objective.generator.tree.register_forward_hook(lambda _, given, pictures: drawn.append(pictures))
    Trainer(objective, squares(16), settings(), tmp_path / "run", device="cpu").one_step()
    assert len(drawn) == 1
    shared = batch()
    objective.game.discriminator_loss(shared)
    assert numbers(objective.game.generator_loss(shared)) == numbers(objective.game.generator_loss(batch()))


# --- the generators' terms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["hinge", "bce"])
def test_the_generators_adversarial_terms(loss: str) -> None:
    def fooled(logits: Tensor) -> float:
        return asked("bce", logits, 1) if loss == "bce" else -logits.mean().item()

    one, two, tree, seen = v1(loss=loss, adversarial=0.3), v1(loss=loss), v2(loss=loss, unconditional=0.5), batch()
    with_fixed_discriminators(one, seen, 8)
    with_fixed_discriminators(two, seen, 16)
    with_fixed_discriminators(tree, seen, 16)
    assert one.games[0].generator_loss(seen)["adversarial"].item() == pytest.approx(0.3 * fooled(FAKE))
    second = numbers(two.games[1].generator_loss(batch()))
    assert second["adversarial"] + second["adversarial_picture"] == pytest.approx(fooled(FAKE) + fooled(FAKE_PICTURE))
    scales = numbers(tree.game.generator_loss(batch()))
    for side in (8, 16):
        assert scales[f"adversarial_{side}"] == pytest.approx(fooled(FAKE))
        assert scales[f"adversarial_picture_{side}"] == pytest.approx(0.5 * fooled(FAKE_PICTURE))


def test_kl_is_that_of_the_texts_gaussian() -> None:
    objective, seen = v2(kl=3.0, squared_error=1), batch()
    mu, logvar = objective.generator.tree.augmentation.gaussian(seen.text.sentence)
    torch.testing.assert_close(objective.game.reconstruction_loss(seen)["kl"], 3 * divergence(mu, logvar))


def test_reconstruction_at_every_scale_by_hand() -> None:
    objective, seen = v2(reconstruction=2, squared_error=3, kl=0), batch()
    noise = Noise(range(4))
    pictures, _ = objective.generator.tree(seen.text.sentence, noise.normal(4), noise.normal(8))
    terms = objective.game.reconstruction_loss(seen)
    assert set(terms) == {"reconstruction_8", "squared_error_8", "reconstruction_16", "squared_error_16"}
    half = seen.images.unfold(2, 2, 2).unfold(3, 2, 2).mean((-1, -2))
    for picture, real in zip(pictures, (half, seen.images), strict=True):
        side = real.shape[-1]
        torch.testing.assert_close(terms[f"reconstruction_{side}"], 2 * (picture - real).abs().mean())
        torch.testing.assert_close(terms[f"squared_error_{side}"], 3 * (picture - real).square().mean())


# --- phases and gradients --------------------------------------------------------------------------------------------


def players(objective: Objective) -> list[tuple[str, Player]]:
    return [(phase.name, player) for phase in objective.phases for player in phase.players]


def frozen(objective: Objective, player: Player) -> None:
    """Freeze all but the player's own parameters, as the Trainer does."""
    modules = [objective.generator, *(m for _, each in players(objective) for m in each.modules.values())]
    for module in modules:
        module.train().requires_grad_(False).zero_grad()
    for module in player.modules.values():
        module.requires_grad_(True)


def test_v1_trains_one_stage_after_the_other() -> None:
    phases = v1(stage_one=0.4, reconstruct_first=0.75, reconstruction=1).phases
    assert [(p.name, pytest.approx(p.share)) for p in phases] == [
        ("reconstruct_one", 0.3),
        ("gan_one", 0.1),
        ("reconstruct_two", 0.45),
        ("gan_two", 0.15),
    ]
    spans = {player.name: player.span for _, player in players(v1(stage_one=0.4))}
    assert set(spans.values()) == {(0.0, 0.4), (0.4, 1.0)} and spans["generator_two"] == (0.4, 1.0)
    assert [phase.name for phase in v1(stages=1).phases] == ["gan_one"]


def test_v2_trains_all_scales_at_once() -> None:
    (gan,) = v2().phases
    assert [(p.name, set(p.modules)) for p in gan.players] == [
        ("discriminators", {"discriminator_8", "discriminator_16"}),
        ("generator", {"tree"}),
    ]
    first, second = v2(reconstruct_first=0.7, squared_error=1).phases
    assert (first.name, first.share, second.share) == ("reconstruct", 0.7, pytest.approx(0.3))


@pytest.mark.parametrize("paper", [True, False], ids=["paper", "default"])
@pytest.mark.parametrize("make", [v1, v2])
def test_gradients_reach_every_parameter_of_every_player(make: Callable[..., Objective], paper: bool) -> None:
    objective = make(loss="bce", spectral_norm=not paper, kl=2.0)
    for phase, player in players(objective):
        frozen(objective, player)
        torch.stack(list(player.loss(batch()).values())).sum().backward()
        for name, module in player.modules.items():
            lost = [key for key, p in module.named_parameters() if p.grad is None or not p.grad.any()]
            assert not lost, f"{phase}/{player.name} does not reach {name}: {lost}"


def test_stage_one_is_unchanged_while_stage_two_trains() -> None:
    objective = v1()
    before = copy.deepcopy(objective.generator.stage_one.state_dict())
    for phase in started(objective):
        for player in phase.players if phase.name == "gan_two" else ():
            torch.stack(list(losses(objective, player, batch()).values())).sum().backward()
    after = objective.generator.stage_one.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)  # its batch norms' averages too
    assert all(p.grad is None for p in objective.generator.stage_one.parameters())


# --- does it learn? --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [v1, v2])
def test_one_batch_can_be_memorised(make: Callable[..., Objective]) -> None:
    """Squared error of four squares: from above .2 to below .02 at the last stage, with the discriminators training."""
    rate = {"lr": 1e-2, "beta1": 0.5}
    rates = {"generator": rate, "generator_two": rate} if make is v1 else {"generator": rate}
    objective = make(squared_error=1.0, adversarial=0.005, kl=0.001, **rates)
    errors: list[float] = []
    for phase in objective.phases:
        steppers = [
            torch.optim.Adam(
                [p for module in player.modules.values() for p in module.parameters()],
                player.optimizer.lr,
                (player.optimizer.beta1, 0.99),
            )
            for player in phase.players
        ]
        for _ in range(120):
            for player, stepper in zip(phase.players, steppers, strict=True):
                frozen(objective, player)
                terms = player.loss(batch())
                torch.stack(list(terms.values())).sum().backward()
                stepper.step()
            errors.append(next(v for k, v in reversed(numbers(dict(terms)).items()) if k.startswith("squared_error")))
            if errors[-1] < 0.02:
                break
    assert errors[0] > 0.2 and errors[-1] < 0.02, (errors[0], errors[-10:])


def test_only_the_nearest_of_several_drawings_is_compared() -> None:
    """By its first stage or scale; noise for z is drawn first, then noise for the condition."""
    seen = batch()
    one, two = (make(squared_error=1.0, nearest_of=3, kl=0) for make in (v1, v2))
    stream = Noise(range(4))
    z, noise = stream.normal(3, 4), stream.normal(3, 8)
    sentence = seen.text.sentence
    one.generator.eval(), two.generator.eval()
    sketches = [torch.tanh(one.generator.stage_one(sentence, z[:, k], noise[:, k])[0]) for k in range(3)]
    errors = torch.stack([(each - resized(seen.images, 8, "area")).square().mean((1, 2, 3)) for each in sketches])
    torch.testing.assert_close(one.games[0].reconstruction_loss(seen)["squared_error"], errors.amin(0).mean())
    trees = [two.generator.tree(sentence, z[:, k], noise[:, k])[0] for k in range(3)]
    small, large = (
        torch.stack([(tree[scale] - resized(seen.images, side, "area")).square().mean((1, 2, 3)) for tree in trees])
        for scale, side in enumerate((8, 16))
    )
    terms, nearest = two.game.reconstruction_loss(batch()), small.argmin(0)
    torch.testing.assert_close(terms["squared_error_8"], small.amin(0).mean())
    torch.testing.assert_close(terms["squared_error_16"], large[nearest, torch.arange(4)].mean())
