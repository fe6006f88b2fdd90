"""Which term is computed how, where gradients go, exact resuming from phase to phase, and whether both phases learn."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fakes.models import FakeTextEncoder
from fakes.training import differing, settings, squares, state_of
from t2i.errors import InvalidConfigError, PluginError
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.testing.checks.tiny_training import losses, players, started
from t2i.testing.objectives import batch_of
from t2i.toolbox.stage_game import resized
from t2i.training.objective import Batch
from t2i.training.run import read_recipe
from t2i.training.trainer import Trainer
from t2i_attngan.config import AttnGANConfig, AttnGANObjectiveConfig
from t2i_attngan.damsm import matching_losses
from t2i_attngan.generator import AttnGAN
from t2i_attngan.training import AttnGANObjective

TEXT = 8
SMALL: dict[str, Any] = {
    "text_dim": TEXT, "word_dim": 8, "backbone": "test_efficientnet", "backbone_channels": (48, 64),
    "backbone_side": 32, "backbone_pretrained": False, "condition_dim": 8, "noise_dim": 4, "widths": (16, 8),
    "branch_widths": (8,), "residual_blocks": 1,
}  # fmt: skip


def make(shape: dict[str, Any] | None = None, **values: Any) -> AttnGANObjective:
    torch.manual_seed(0)
    generator = AttnGAN(AttnGANConfig.model_validate(SMALL | (shape or {})))
    return AttnGANObjective(generator, AttnGANObjectiveConfig.model_validate({"discriminator_width": 4} | values))


def batch(count: int = 4, **others: Any) -> Batch:
    encoder, data = FakeTextEncoder(dim=TEXT), squares(16)
    names = [data.caption_texts[captions[0]] for captions in data.captions_of[:count]]
    text, wrong = encoder.encode(names), encoder.encode([f"wrong {i}" for i in range(count)])
    return batch_of(from_uint8(data.images[:count]), text, mismatched=wrong, **others)


# --- terms ------------------------------------------------------------------------------------------------------------


def test_damsm_learns_from_real_pictures() -> None:
    objective, seen = make(), batch()
    damsm, backbone = objective.generator.damsm.eval(), objective.keeps["backbone"]
    wanted = matching_losses(
        damsm.see(backbone(seen.images)), damsm.reader(seen.text), seen.groups, AttnGANObjectiveConfig().damsm
    )
    terms = objective.damsm_loss(seen)
    assert set(terms) == {*wanted, "right_by_words", "right_by_sentence"}
    for name, term in wanted.items():
        torch.testing.assert_close(terms[name], term)
    assert not terms["right_by_words"].requires_grad


@pytest.mark.parametrize("every", [1, 3])
def test_the_tree_learns_from_damsm_what_its_largest_picture_shows(every: int) -> None:
    """Eq. 3: lambda times DAMSM's loss of the fakes; at every k-th step k times as heavy."""
    objective, seen = make(matching=2.0, damsm={"every": every}), batch(step=3)
    generator = objective.generator
    noise = Noise(range(4))
    pictures = generator.tree(generator.damsm.reader(seen.text), noise.normal(4), noise.normal(8)).pictures
    wanted = matching_losses(
        generator.damsm.see(objective.keeps["backbone"](pictures[-1])),
        generator.damsm.reader(seen.text),
        seen.groups,
        AttnGANObjectiveConfig().damsm,
    )
    terms = objective.generator_loss(seen)
    for name, term in wanted.items():
        torch.testing.assert_close(terms[name], 2 * every * term)
    assert {f"adversarial_{side}" for side in (8, 16)} <= terms.keys() and "kl" in terms
    assert every == 1 or not wanted.keys() & objective.generator_loss(batch(step=4)).keys()


def test_the_tree_trains_on_the_nearest_of_several_drawings() -> None:
    objective, seen = make(squared_error=1.0, nearest_of=3), batch()
    tree, noise = objective.generator.tree, Noise(range(4))
    text, z, condition = objective.generator.damsm.reader(seen.text), noise.normal(3, 4), noise.normal(3, 8)
    small = resized(seen.images, 8, "area")
    errors = [(tree.coarsest(text, z[:, k], condition[:, k]) - small).square().mean((1, 2, 3)) for k in range(3)]
    nearest = torch.stack(errors).argmin(0)
    assert len({*nearest.tolist()}) > 1
    rows = torch.arange(4)
    expected = tree(text, z[rows, nearest], condition[rows, nearest]).pictures
    pictures, _ = objective.game.drawn(seen)
    assert len(pictures) == len(expected) and all(torch.equal(*pair) for pair in zip(pictures, expected, strict=True))


def test_discriminators_read_the_sentence_of_damsm() -> None:
    objective, seen = make(loss="bce"), batch()
    asked: list[Tensor] = []
    for network in objective.discriminators.values():
        network.joint.register_forward_pre_hook(lambda _, given: asked.append(given[0][:, -8:, 0, 0]))
    objective.game.discriminator_loss(seen)
    assert seen.mismatched is not None
    right, wrong = (objective.generator.damsm.reader(text).sentence for text in (seen.text, seen.mismatched))
    for found, wanted in zip(asked, [right, wrong, right] * 2, strict=True):
        torch.testing.assert_close(found, wanted)


def test_weights_are_as_released() -> None:
    """(r(x, e) + r(x)) / 2 + (f(x', e) + f(x, e') + f(x')) / 3, at logits of 0 with the hinge: each term is 1."""
    objective = make(spectral_norm=False)
    for network in objective.discriminators.values():
        for layer in (network.judge, network.judge_picture):
            assert layer is not None
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
    terms = {name: value.item() for name, value in objective.game.discriminator_loss(batch()).items()}
    shares = {"real": 1 / 2, "real_picture": 1 / 2, "wrong_text": 1 / 3, "fake": 1 / 3, "fake_picture": 1 / 3}
    assert terms == pytest.approx({f"{name}_{side}": share for side in (8, 16) for name, share in shares.items()})


# --- phases and gradients ---------------------------------------------------------------------------------------------


def test_damsm_trains_first_and_is_then_frozen() -> None:
    objective = make(damsm_share=0.25, reconstruct_first=0.5, squared_error=1.0)
    assert [(p.name, pytest.approx(p.share)) for p in objective.phases] == [
        ("damsm", 0.25), ("reconstruct", 0.375), ("gan", 0.375),
    ]  # fmt: skip
    before = copy.deepcopy(objective.generator.damsm.state_dict())
    for phase in started(objective):
        for player in phase.players if phase.name != "damsm" else ():
            torch.stack(list(losses(objective, player, batch()).values())).sum().backward()
            assert all(parameter.grad is None for parameter in objective.generator.damsm.parameters())
    after = objective.generator.damsm.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("reader", ["lstm", "linear"])
def test_gradients_reach_every_parameter_of_every_player(reader: str) -> None:
    objective = make({"reader": reader}, loss="bce")
    for phase, player in players(objective):
        torch.stack(list(losses(objective, player, batch()).values())).sum().backward()
        for name, module in player.modules.items():
            lost = [key for key, p in module.named_parameters() if p.grad is None or not p.grad.any()]
            assert not lost, f"{phase.name}/{player.name} does not reach {name}: {lost}"
        assert all(p.grad is None for p in objective.keeps["backbone"].parameters())


def test_a_step_draws_once(tmp_path: Path) -> None:
    objective, count = make(damsm_share=0.0, matching=0.0, text_noise=0.1), []
    objective.generator.tree.register_forward_hook(lambda *_: count.append(1))
    Trainer(objective, squares(16), settings(), tmp_path / "run", device="cpu").one_step()
    assert len(count) == 1


@pytest.mark.parametrize("stop", [1, 2, 3, 5], ids=["damsm", "after-damsm", "reconstruct", "gan"])
def test_a_resumed_run_equals_an_uninterrupted_one(stop: int, tmp_path: Path) -> None:
    """Each process makes its own random backbone, so that it must come from the checkpoint."""

    def run(folder: str, until: int, seed: int) -> None:
        torch.manual_seed(seed)
        generator = AttnGAN(AttnGANConfig.model_validate(SMALL))
        values = {"discriminator_width": 4, "damsm_share": 1 / 3, "reconstruct_first": 0.25, "squared_error": 1.0}
        objective = AttnGANObjective(generator, AttnGANObjectiveConfig.model_validate(values))
        if seed == 0:
            first.setdefault("objective", copy.deepcopy(objective))
        else:
            assert not torch.equal(
                next(objective.keeps["backbone"].parameters()), next(first["objective"].keeps["backbone"].parameters())
            )
        trainer = Trainer(objective, squares(16), settings(checkpoint_every=1), tmp_path / folder, device="cpu")
        taken = trainer.one_step

        def one_step() -> dict[str, Tensor]:
            if trainer.step == until - 1 < 5:
                trainer._request_stop()
            return taken()

        trainer.one_step = one_step  # type: ignore[method-assign]
        trainer.fit()

    first: dict[str, AttnGANObjective] = {}
    run("whole", 6, 0)
    run("parts", stop, 0)
    run("parts", 6, 1)
    assert not differing(state_of(tmp_path / "whole"), state_of(tmp_path / "parts"))


# --- does it learn? ---------------------------------------------------------------------------------------------------


def test_damsm_tells_squares_apart() -> None:
    """From chance, 1 of 8, to every caption with its own picture, by words and by sentences."""
    objective = make({"backbone_side": 32})
    seen = batch(8)
    optimizer = torch.optim.Adam(objective.generator.damsm.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        terms = objective.damsm_loss(seen)
        torch.stack([term for term in terms.values() if term.requires_grad]).sum().backward()
        optimizer.step()
    assert terms["right_by_words"] == 1 and terms["right_by_sentence"] == 1


def test_one_batch_can_be_learnt_by_heart() -> None:
    """Squared error of four squares falls from above .2 to below .02 while discriminators and DAMSM play."""
    objective = make(squared_error=1.0, adversarial=0.005, kl=0.001, matching=0.001)
    gan = objective.phases[-1]
    optimizers = [
        torch.optim.Adam([p for module in player.modules.values() for p in module.parameters()], rate, (0.5, 0.99))
        for player, rate in zip(gan.players, (2e-4, 1e-2), strict=True)
    ]
    for module in (objective.generator.tree, *objective.discriminators.values()):
        module.train()
    objective.generator.damsm.eval()
    errors = []
    for _ in range(40):
        for player, optimizer in zip(gan.players, optimizers, strict=True):
            terms = losses(objective, player, batch())
            torch.stack(list(terms.values())).sum().backward()
            optimizer.step()
        errors.append(terms["squared_error_16"].item())
    assert errors[0] > 0.2 and min(errors[-10:]) < 0.02, (errors[0], errors[-10:])


def test_the_tiny_recipe_trains_and_the_tree_looks_at_its_words(tmp_path: Path) -> None:
    recipe = read_recipe("attngan", "tiny")
    generator = AttnGAN(AttnGANConfig.model_validate(recipe["model"] | {"text_dim": TEXT}))
    objective = AttnGANObjective(generator, AttnGANObjectiveConfig.model_validate(recipe["objective"]))
    result = Trainer(objective, squares(16), settings(**recipe["train"]), tmp_path / "run", device="cpu").fit()
    log = (result.run / "metrics.jsonl").read_text()
    assert result.finished and "damsm/right_by_words" in log and "generator/words_to_picture" in log


# --- what does not fit ------------------------------------------------------------------------------------------------


def test_a_model_without_damsm_trains_no_damsm() -> None:
    with pytest.raises(InvalidConfigError, match=r"model.backbone is ''"):
        make({"backbone": "", "reader": "linear"})


@pytest.mark.parametrize(
    ("shape", "error", "told"),
    [
        ({"backbone": "resnet_of_nobody"}, PluginError, "cannot be loaded"),
        ({"backbone_channels": (48, 65)}, InvalidConfigError, r"Set it to \[48, 64\]"),
    ],
)
def test_a_backbone_that_does_not_fit_is_refused(shape: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        make(shape)
