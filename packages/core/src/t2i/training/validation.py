"""Is what an Objective declares consistent? And what it comes to: its modules by name, and where its phases end."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from torch import nn

from t2i.errors import TrainingError
from t2i.training.objective import Objective, Phase


def modules_of(objective: Objective) -> dict[str, nn.Module]:
    """Every player's modules by name.

    Raises:
        TrainingError: one name stands for two modules.
    """
    modules: dict[str, nn.Module] = {}
    for phase in objective.phases:
        for player in phase.players:
            for name, module in player.modules.items():
                if modules.setdefault(name, module) is not module:
                    raise TrainingError(f"Module names are unique in an objective, but {name!r} names two modules.")
    return modules


def check_names(phases: Sequence[Phase]) -> None:
    """
    Raises:
        TrainingError: a phase, or a player in its phase, has another's name, or a name a checkpoint cannot hold.
    """
    for what, names in (
        ("an objective's phases", [phase.name for phase in phases]),
        *((f"the players of {phase.name}", [player.name for player in phase.players]) for phase in phases),
        ("modules", {name for phase in phases for player in phase.players for name in player.modules}),
    ):
        for name, count in Counter(names).items():
            if count > 1:
                raise TrainingError(f"Names are unique among {what}, but {name!r} stands for {count} here.")
            if set(name) & set(".:/"):
                raise TrainingError(f"Names among {what} hold no dot, colon or slash, but {name!r} does.")


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
        raise TrainingError(f"The shares of an objective's phases sum to 1, but to {total} here.")
    return ends
