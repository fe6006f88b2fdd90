"""Choose a run's settings by the rules, and its length by a measured step. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from t2i.config import Config
from t2i.registry.specs import ModelSpec, load_target
from t2i.training.config import DataConfig, TrainConfig
from t2i.training.defaults import rules
from t2i.training.defaults.duration import shown_duration
from t2i.training.defaults.facts import Facts
from t2i.training.defaults.own import shared_settings


@dataclass(frozen=True)
class Choice:
    """A setting that was chosen, by its dotted name, and why."""

    setting: str
    value: Any
    why: str

    @property
    def assignment(self) -> str:
        """ "train.batch_size=16", as it can be typed."""
        value = yaml.safe_dump(self.value, default_flow_style=True).removesuffix("\n...\n").strip()
        return f"{self.setting}={value}"


def recommended(spec: ModelSpec, facts: Facts, *, parent: bool = False) -> list[Choice]:
    """The settings that the rules, and then the technique's recipe for shared captions, choose for these facts.

    Args:
        parent: the run starts from a parent's weights, so the networks are given.
    """
    choices: dict[str, Choice] = {}
    for rule in rules.RULES:
        applies = rule.setting not in choices and has_setting(spec, rule.setting) and rule.when(facts)
        if applies and (rule.to_parent or not parent) and (parent or rule.setting != "train.mix"):
            value = rule.value(facts) if callable(rule.value) else rule.value
            choices[rule.setting] = Choice(rule.setting, value, rule.why.format(**asdict(facts)))
    if facts.shared:
        why = f"{facts.pictures:,} pictures share {facts.captions:,} captions, so a caption has several right pictures"
        for section, part in shared_settings(spec.name).items():
            if parent and section == "model":
                continue
            for name, value in part.items():
                setting = f"{section}.{name}"
                choices.pop(setting, None)  # it is shown where its reason is
                choices[setting] = Choice(setting, value, why)
                why = "likewise"
    return list(choices.values())


def length(pictures: int, seconds_a_step: float, budget: float, batch_size: int) -> list[Choice]:
    """The number of steps that fits in `budget` seconds, and when samples, checkpoints and rows are written."""
    affordable = max(1, int(budget / seconds_a_step))
    useful = max(1, pictures * rules.MOST_VISITS // batch_size)
    steps = min(affordable, useful)
    time = estimated(steps, seconds_a_step)
    if useful < affordable:
        time += f"; with more steps, {pictures:,} pictures would only be memorised"
    return [Choice("train.steps", steps, time), *rhythm(steps, seconds_a_step)]


def estimated(steps: int, seconds_a_step: float) -> str:
    """How long so many steps take, in words."""
    return f"{seconds_a_step:.2g} s a step on this device: about {shown_duration(steps * seconds_a_step)}"


def rhythm(steps: int, seconds_a_step: float) -> list[Choice]:
    """When samples, checkpoints and rows of a run of so many steps are written."""
    every = min(steps, max(1, steps // rules.SHEETS, int(rules.SHEETS_SECONDS / seconds_a_step)))
    first = min(max(1, int(rules.FIRST_SAMPLES_SECONDS / seconds_a_step)), steps)
    return [
        Choice("train.sample_first", first, f"the first pictures after {shown_duration(first * seconds_a_step)}"),
        Choice("train.sample_every", every, f"then every {shown_duration(every * seconds_a_step)}"),
        Choice("train.checkpoint_every", every, "an interruption loses at most this"),
        Choice("train.log_every", max(1, steps // rules.ROWS), "one point of the curves each time"),
    ]


def nested(choices: Sequence[Choice]) -> dict[str, Any]:
    """The choices as settings, section by section."""
    settings: dict[str, Any] = {}
    for choice in choices:
        section, _, name = choice.setting.partition(".")
        settings.setdefault(section, {})[name] = choice.value
    return settings


def still_open(choices: Sequence[Choice], settings: Mapping[str, Any]) -> list[Choice]:
    """The choices that a person's `settings` leave open; any setting of the model's shape replaces all advice on it."""
    return [choice for choice in choices if not _is_set(settings, choice.setting)]


def lines(choices: Sequence[Choice]) -> list[str]:
    """One aligned line for each choice."""
    width = max((len(choice.assignment) for choice in choices), default=0)
    return [f"  {choice.assignment:<{width}}  {choice.why}" for choice in choices]


def has_setting(spec: ModelSpec, setting: str) -> bool:
    """Whether a technique's runs have the setting "section.name"."""
    section, _, name = setting.partition(".")
    targets: dict[str, type[Config]] = {"data": DataConfig, "train": TrainConfig}
    kind = targets.get(section) or load_target(spec.config if section == "model" else spec.objective_config)
    return name in kind.model_fields or name in kind.shorthands


def _is_set(settings: Mapping[str, Any], setting: str) -> bool:
    section, _, name = setting.partition(".")
    part = settings.get(section)
    return isinstance(part, Mapping) and (name in part or (section == "model" and bool(part)))
