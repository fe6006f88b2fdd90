"""Settings that a run may change when it is resumed, and the record of such changes. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from t2i.errors import InvalidConfigError
from t2i.training.config import OptimizerConfig
from t2i.training.settings import Change, RunConfig, checked, override

CHANGEABLE = (
    "steps", "lr_factor", "clip_norm", "checkpoint_every", "keep_checkpoints", "sample_first", "sample_every",
    "sample_prompts",
    "sample_options", "validate_every", "validation_metrics", "patience", "log_every", "tracker",
)  # fmt: skip
"""Fields of TrainConfig that change neither the networks nor which pictures a step sees."""


def changed(config: RunConfig, assignments: Sequence[str], step: int) -> RunConfig:
    """`config` with "section.field=value" assignments applied from `step` on, and recorded in its `changes`.

    Raises:
        InvalidConfigError: a setting must not change within a run, its value does not fit, or the run would have fewer
            steps than are done.
    """
    before = config.model_dump(mode="json")
    names = [assignment.partition("=")[0] for assignment in assignments]
    if not names:
        return config
    after = checked(override(before, assignments), "the changed settings")
    values = after.model_dump(mode="json")
    for name in names:
        _check_changeable(name, before)
    if after.train.steps < step:
        raise InvalidConfigError(
            f"A run must have at least as many steps as are done, here {step}, got steps={after.train.steps}."
        )
    new = {name: _value(values, name) for name in names if _value(values, name) != _value(before, name)}
    if not new:
        return config
    known = {name for change in config.changes for name in change.settings}
    first = {name: _value(before, name) for name in new if name not in known}
    changes = list(config.changes) or [Change(step=0, settings={})]
    changes[0] = Change(step=0, settings={**changes[0].settings, **first})
    return after.model_copy(update={"changes": (*changes, Change(step=step, settings=new))})


def _check_changeable(name: str, settings: Mapping[str, Any]) -> None:
    section, *path = name.split(".")
    if section == "train" and path[0] in CHANGEABLE:
        return
    player = settings["objective"].get(path[0]) if section == "objective" else None
    if isinstance(player, dict) and len(path) == 2 and path[1] in OptimizerConfig.model_fields:
        return
    rates = [f"objective.{player}.lr" for player, value in settings["objective"].items() if isinstance(value, dict)]
    raise InvalidConfigError(
        f"{name} cannot change within a run, because the checkpoint would no longer fit, or the recorded settings "
        f"would no longer determine the result. These can: {', '.join(f'train.{field}' for field in CHANGEABLE)}, and "
        f"the optimizer of each player, such as {', '.join(rates)}. For anything else start a new run."
    )


def _value(settings: Mapping[str, Any], name: str) -> Any:
    """The value at a dotted name; None if it is not set."""
    value: Any = settings
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
