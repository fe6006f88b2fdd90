"""Checks that an Objective is consistent, and derives its modules by name and the ends of its phases."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from torch import nn

from t2i.errors import InvalidConfigError, TrainingError, did_you_mean
from t2i.training.objective import Objective, Phase

FORBIDDEN = frozenset("./: ")  # they separate the parts of a name in checkpoints and in metrics


def check_objective(objective: Objective) -> None:
    """
    Raises:
        TrainingError: the phases' shares do not sum to 1; a phase has no player; a name is not unique or has a
            forbidden character; a player is never updated or trains nothing; or a kept module is trained.
    """
    phases = objective.phases
    phase_ends(phases, 1)
    modules = modules_of(objective)
    _check_names("an objective's phases", [phase.name for phase in phases])
    _check_names("an objective's modules", [*modules, *objective.keeps])
    for phase in phases:
        if not phase.players:
            raise TrainingError(f"A phase needs at least one player, but {phase.name!r} has none.")
        _check_names(f"the players of {phase.name!r}", [player.name for player in phase.players])
        for player in phase.players:
            if player.every < 1:
                raise TrainingError(f"A player needs every=1 or more, but {player.name!r} has every={player.every}.")
    for name, module in modules.items():
        if not any(True for _ in module.parameters()):
            raise TrainingError(f"A player's modules need parameters to train, but {name!r} has none.")
    trained = {id(parameter) for module in modules.values() for parameter in module.parameters()}
    for name, module in objective.keeps.items():
        if any(id(parameter) in trained for parameter in module.parameters()):
            raise TrainingError(
                f"Modules in an objective's `keeps` are not trained, but a player trains parameters of {name!r}."
            )


def check_freeze(objective: Objective, freeze: Sequence[str]) -> None:
    """
    Raises:
        InvalidConfigError: one of `freeze` does not consist of the first parts of a parameter's name.
    """
    names = [f"{key}.{name}." for key, module in modules_of(objective).items() for name, _ in module.named_parameters()]
    parts = sorted({".".join(name.split(".")[:2]) for name in names})
    for start in freeze:
        if not any(name.startswith(f"{start}.") for name in names):
            raise InvalidConfigError(
                f"train.freeze must name modules of this technique, got {start!r}.{did_you_mean(start, parts)} "
                f"It has: {', '.join(parts)}."
            )


def modules_of(objective: Objective) -> dict[str, nn.Module]:
    """Every player's modules by name.

    Raises:
        TrainingError: two modules have the same name.
    """
    modules: dict[str, nn.Module] = {}
    for phase in objective.phases:
        for player in phase.players:
            for name, module in player.modules.items():
                if modules.setdefault(name, module) is not module:
                    raise TrainingError(f"Module names must be unique in an objective, but {name!r} names two modules.")
    return modules


def phase_ends(phases: Sequence[Phase], steps: int) -> list[int]:
    """The step at which each phase ends.

    Raises:
        TrainingError: there is no phase, or the shares do not sum to 1.
    """
    total, ends = 0.0, []
    for phase in phases:
        total += phase.share
        ends.append(round(total * steps))
    if not phases or not math.isclose(total, 1.0):
        raise TrainingError(f"The shares of an objective's phases must sum to 1, got {total:g}.")
    return ends


def _check_names(what: str, names: Iterable[str]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise TrainingError(f"Names must be unique among {what}, but {name!r} is used {count} times.")
        if not name or set(name) & FORBIDDEN:
            raise TrainingError(
                f"Names of {what} must not be empty or contain a dot, slash, colon or space, got {name!r}."
            )
