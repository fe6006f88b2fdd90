"""A zoo of objectives, each broken in one way: the checks name that way, and let honest ones pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fakes.checking import caught, expect, failures
from fakes.training import OnePlayer, TwoPhases
from t2i.testing.checks.objectives import OBJECTIVE_CHECKS
from t2i.training.objective import Batch, Phase, Player


class Shares(TwoPhases):
    """Shares that sum to more than the run."""

    @property
    def phases(self) -> Sequence[Phase]:
        return [Phase(phase.name, phase.players, 0.6) for phase in super().phases]


class TwoModulesOneName(TwoPhases):
    """One name for two networks."""

    @property
    def phases(self) -> Sequence[Phase]:
        copying, _ = super().phases
        critic = Player("critic", {"generator": self.critic}, self.critic_loss, self.optimizer)
        return [copying, Phase("duel", [critic], 0.5)]


class NewModules(OnePlayer):
    """Makes a network at every look."""

    @property
    def phases(self) -> Sequence[Phase]:
        extra = nn.Linear(1, 1)

        def loss(batch: Batch) -> dict[str, Tensor]:
            return {**self.loss(batch), "extra": extra(torch.ones(1, 1)).sum()}

        return [
            Phase("copy", [Player("generator", {"generator": self.generator, "extra": extra}, loss, self.optimizer)])
        ]


class TrainsTheCriticOnly(TwoPhases):
    """Leaves the generator as it is."""

    @property
    def phases(self) -> Sequence[Phase]:
        return [Phase("duel", [Player("critic", {"critic": self.critic}, self.critic_loss, self.optimizer)])]


class Vector(OnePlayer):
    """A loss per picture."""

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
    """Weighs its loss by a number no checkpoint holds."""

    calls = 0

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        self.calls += 1
        moves = self.calls > 3
        return {name: value if moves else value.square() for name, value in super().loss(batch).items()}


class Uphill(OnePlayer):
    """Says one loss and follows its opposite."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {name: 2 * value.detach() - value for name, value in super().loss(batch).items()}


class WritesLog(OnePlayer):
    """Logs beside its run."""

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        Path(os.devnull).write_text("a step")
        return dict(super().loss(batch))


class Undocumented(OnePlayer):
    pass


RESUMED = "a_resumed_run_equals_an_uninterrupted_one"
LOSSES = "losses_are_finite_scalars"
GRADIENTS = "gradients_reach_the_players_own_modules_alone"
SAME = "same_seed_and_step_same_loss"
LEARNS = "each_player_learns_one_batch"
SPECIMENS: list[tuple[Callable[[], OnePlayer], dict[str, str]]] = [
    (lambda: OnePlayer(dropout=0.3, norm=True), {}),
    (lambda: TwoPhases(dropout=0.3), {}),
    (Shares, {"phases_are_consistent": "the phases' shares sum to 1, not to 1.2", RESUMED: "1.2 here"}),
    (TwoModulesOneName, {"phases_are_consistent": "'generator' stands for two modules", RESUMED: "two modules"}),
    (NewModules, {"phases_are_the_same_at_every_look": "makes new modules"}),
    (TrainsTheCriticOnly, {"the_generator_is_trained": "no player updates the generator"}),
    (Vector, {LOSSES: "is no scalar but [2]"}),
    (NotANumber, {LOSSES: "progress 0.0 is inf", RESUMED: "at or before step 1"}),
    (Unfreezes, {GRADIENTS: "duel/critic unfreezes or reaches 4 parameters"}),
    (OwnsTooMuch, {GRADIENTS: "copy/generator does not reach its module 'critic'"}),
    (OwnRandomness, {SAME: "another loss for the same batch", RESUMED: "ends otherwise"}),
    (RemembersOutside, {RESUMED: "a run resumed at step 1 ends otherwise in"}),
    (Uphill, {LEARNS: "30 moves of copy/generator on one batch lower its loss, but it went from"}),
    (WritesLog, {"losses_open_no_file_and_no_socket": f"copy/generator did: {os.devnull}"}),
    (Undocumented, {"is_documented": "Undocumented has none"}),
]
FOLLOWS = {  # what else cannot run when a specimen is broken
    NewModules: {SAME, GRADIENTS, RESUMED, LEARNS},
    Vector: {SAME, GRADIENTS, RESUMED, LEARNS},
    NotANumber: {SAME, GRADIENTS},
    RemembersOutside: {SAME},
}


@pytest.mark.parametrize(("make", "reasons"), SPECIMENS)
def test_an_objective_fails_for_what_it_breaks(make: Callable[[], OnePlayer], reasons: dict[str, str]) -> None:
    quick = [check for check in OBJECTIVE_CHECKS if check.name != RESUMED or not reasons or RESUMED in reasons]
    found = failures(quick, make)
    expect({name: told for name, told in found.items() if name not in FOLLOWS.get(make, ())}, reasons)


def test_every_check_catches_a_specimen() -> None:
    assert caught(SPECIMENS) == {check.name for check in OBJECTIVE_CHECKS}
