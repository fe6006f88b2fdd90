"""The checks find each of a set of objectives that are broken in one way, and pass correct ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, softplus

from fakes.checking import caught, expect, failures
from fakes.training import OnePlayer, TwoPhases
from t2i.testing.checks.objectives import OBJECTIVE_CHECKS
from t2i.training.objective import Batch, Phase, Player


class Shares(TwoPhases):
    """Its shares sum to more than 1."""

    @property
    def phases(self) -> Sequence[Phase]:
        return [Phase(phase.name, phase.players, 0.6) for phase in super().phases]


class TwoModulesOneName(TwoPhases):
    """Uses one name for two networks."""

    @property
    def phases(self) -> Sequence[Phase]:
        copying, _ = super().phases
        critic = Player("critic", {"generator": self.critic}, self.critic_loss, self.optimizer)
        return [copying, Phase("duel", [critic], 0.5)]


class NewModules(OnePlayer):
    """Makes a new network whenever `phases` is read."""

    @property
    def phases(self) -> Sequence[Phase]:
        extra = nn.Linear(1, 1)

        def loss(batch: Batch) -> dict[str, Tensor]:
            return {**self.loss(batch), "extra": extra(torch.ones(1, 1)).sum()}

        return [
            Phase("copy", [Player("generator", {"generator": self.generator, "extra": extra}, loss, self.optimizer)])
        ]


class TrainsTheCriticOnly(TwoPhases):
    """Does not train the generator."""

    @property
    def phases(self) -> Sequence[Phase]:
        return [Phase("duel", [Player("critic", {"critic": self.critic}, self.critic_loss, self.optimizer)])]


class Vector(OnePlayer):
    """Its loss has one number per picture."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {name: value.expand(2) for name, value in super().loss(batch).items()}


class NotANumber(OnePlayer):
    """Divides by a progress of 0."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {name: value / batch.progress for name, value in super().loss(batch).items()}


class Unfreezes(TwoPhases):
    """Sets requires_grad on another player's network."""

    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        self.generator.requires_grad_(True)
        return dict(super().critic_loss(batch))


class OwnsTooMuch(TwoPhases):
    """Names a network its loss does not reach."""

    @property
    def phases(self) -> Sequence[Phase]:
        player = Player("generator", {"generator": self.generator, "critic": self.critic}, self.loss, self.optimizer)
        return [Phase("copy", [player])]


class OwnRandomness(OnePlayer):
    """Draws from NumPy."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {name: value * np.random.rand() for name, value in super().loss(batch).items()}


class RemembersOutside(OnePlayer):
    """Weights its loss by a number that is not in checkpoints."""

    calls = 0

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        self.calls += 1
        moves = self.calls > 3
        return {name: value if moves else value.square() for name, value in super().loss(batch).items()}


class Uphill(OnePlayer):
    """Its gradient is that of the negative loss."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {name: 2 * value.detach() - value for name, value in super().loss(batch).items()}


class WritesLog(OnePlayer):
    """Writes a log outside the run folder."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        Path(os.devnull).write_text("a step")
        return dict(super().loss(batch))


class ReadsWrongTexts(OnePlayer):
    """Reads mismatched captions without declaring it."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {**super().loss(batch), "wrong": 0 * batch.mismatched.sentence.sum()}  # type: ignore[union-attr]


class DeclaresUnused(OnePlayer):
    """Declares mismatched captions and never reads them."""

    needs_mismatched = True


class HiddenNetwork(OnePlayer):
    """Compares by a random network that is not in checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.compare = {"by": [nn.Linear(3 * 8 * 8, 4)]}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        seen = self.compare["by"][0]
        fakes = self.generator(batch.text.sentence, batch.noise.normal(4))
        return {**super().loss(batch), "seen": (seen(fakes.flatten(1)) - seen(batch.images.flatten(1))).square().mean()}


class KeptNetwork(HiddenNetwork):
    """Compares by a random network that it declares in `keeps`."""

    def __init__(self) -> None:
        super().__init__()
        self.keeps = {"compare": self.compare["by"][0]}


class DrawsOnce(TwoPhases):
    """Draws its fakes once for both players of the duel."""

    @property
    def phases(self) -> Sequence[Phase]:
        copying, duel = super().phases
        return [copying, replace(duel, sharing="in_turn")]

    def fakes(self, batch: Batch) -> Tensor:
        return batch.once("fakes", lambda: TwoPhases.fakes(self, batch))

    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        real, fake = (self.critic(i, batch.text.sentence) for i in (batch.images, self.fakes(batch).detach()))
        return {"real": softplus(-real).mean(), "fake": softplus(fake).mean()}


class SharesWithoutGradients(DrawsOnce):
    """Shares detached fakes, so that the generator gets no gradient."""

    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            fakes = self.fakes(batch)
        return {"fake": softplus(self.critic(fakes, batch.text.sentence)).mean()}


class MovesWhileWatched(OnePlayer):
    """Its watch changes weights."""

    @property
    def phases(self) -> Sequence[Phase]:
        return [replace(phase, watch=self.watch) for phase in super().phases]

    def watch(self, batch: Batch) -> dict[str, Tensor]:
        self.generator.start.bias += 1
        return {"size": torch.zeros(())}


class ShowsTooMuch(MovesWhileWatched):
    """Shows pictures outside their range."""

    def watch(self, batch: Batch) -> dict[str, Tensor]:
        return {"twice": 2 * torch.ones(4, 3, 8, 8)}


class NeedsFullPrecision(OnePlayer):
    """Resizes its pictures by an operation that knows no bfloat16."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        fakes = self.generator(batch.text.sentence, batch.noise.normal(4))
        small, wanted = (interpolate(x, size=4, mode="bilinear", antialias=True) for x in (fakes, batch.images))
        return {"small": (small - wanted).square().mean()}


class Undocumented(OnePlayer):
    pass


RESUMED = "a_resumed_run_equals_an_uninterrupted_one"
LOSSES = "losses_are_finite_scalars"
COARSE = "losses_can_be_computed_in_bfloat16"
GRADIENTS = "gradients_reach_the_players_own_modules_alone"
SAME = "same_seed_and_step_same_loss"
SHARED = "shared_values_carry_gradients_to_every_player"
ASKED = "mismatched_captions_are_asked_for"
HELD = "every_network_is_in_the_checkpoint"
WATCHED = "watching_changes_nothing"
QUIET = "losses_open_no_file_and_no_socket"
LEARNS = "each_player_learns_one_batch"
SPECIMENS: list[tuple[Callable[[], OnePlayer], dict[str, str]]] = [
    (lambda: OnePlayer(dropout=0.3, norm=True), {}),
    (lambda: TwoPhases(dropout=0.3), {}),
    (Shares, {"phases_are_consistent": "phases must sum to 1, got 1.2", RESUMED: "got 1.2"}),
    (TwoModulesOneName, {"phases_are_consistent": "'generator' names two modules", RESUMED: "two modules"}),
    (NewModules, {"phases_do_not_change": "makes new modules"}),
    (TrainsTheCriticOnly, {"the_generator_is_trained": "no player updates the generator"}),
    (Vector, {LOSSES: "must be a scalar, got [2]"}),
    (NotANumber, {LOSSES: "progress 0.0 is inf", RESUMED: "at or before step 1"}),
    (NeedsFullPrecision, {COARSE: "copy/generator in bfloat16 fails: "}),
    (Unfreezes, {GRADIENTS: "duel/critic unfreezes or reaches 4 parameters"}),
    (OwnsTooMuch, {GRADIENTS: "copy/generator does not reach its module 'critic'"}),
    (OwnRandomness, {SAME: "different losses for the same batch", RESUMED: "ends differently"}),
    (RemembersOutside, {RESUMED: "a run resumed at step 1 ends differently in"}),
    (Uphill, {LEARNS: "30 updates of copy/generator on one batch must lower its loss, but"}),
    (WritesLog, {"losses_open_no_file_and_no_socket": f"copy/generator opened {os.devnull}"}),
    (ReadsWrongTexts, {ASKED: "needs_mismatched is False, but the loss of copy/generator reads batch.mismatched"}),
    (DeclaresUnused, {ASKED: "needs_mismatched is True, but no loss reads batch.mismatched"}),
    (
        HiddenNetwork,
        {HELD: "HiddenNetwork.compare['by'][0] is neither in the generator", RESUMED: "ends differently in"},
    ),
    (KeptNetwork, {}),
    (DrawsOnce, {}),
    (SharesWithoutGradients, {SHARED: "the loss of duel/generator does not reach its module 'generator'"}),
    (MovesWhileWatched, {WATCHED: "watching copy changes start.bias"}),
    (ShowsTooMuch, {WATCHED: "must be a scalar or pictures in [-1, 1], got [4, 3, 8, 8]"}),
    (Undocumented, {"is_documented": "Undocumented has none"}),
]
FOLLOWS = {  # other checks that fail for the same reason
    NewModules: {SAME, GRADIENTS, RESUMED, LEARNS},
    Vector: {SAME, COARSE, GRADIENTS, RESUMED, LEARNS},
    NotANumber: {SAME, COARSE, GRADIENTS},
    OwnRandomness: {LEARNS},
    RemembersOutside: {SAME},
    TwoModulesOneName: {check.name for check in OBJECTIVE_CHECKS} - {"phases_are_consistent", RESUMED},
    ReadsWrongTexts: {LOSSES, COARSE, GRADIENTS, SAME, RESUMED, LEARNS, QUIET},
}


@pytest.mark.parametrize(("make", "reasons"), SPECIMENS)
def test_each_broken_objective_fails_for_its_reason(make: Callable[[], OnePlayer], reasons: dict[str, str]) -> None:
    quick = [check for check in OBJECTIVE_CHECKS if check.name != RESUMED or not reasons or RESUMED in reasons]
    found = failures(quick, make)
    expect({name: message for name, message in found.items() if name not in FOLLOWS.get(make, ())}, reasons)


def test_every_check_catches_a_broken_objective() -> None:
    assert caught(SPECIMENS) == {check.name for check in OBJECTIVE_CHECKS}
