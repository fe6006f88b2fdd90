"""A run's settings: recipes, YAML files and overrides, joined and checked before any work. Imports no torch."""

from __future__ import annotations

import copy
import itertools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from t2i.config import Config, parse_config, parse_value
from t2i.errors import InvalidConfigError, OutputError, TrainingError, UnknownNameError, did_you_mean
from t2i.files import read_text
from t2i.plain_yaml import load_yaml
from t2i.registry.describe import DEFAULT_TEXT_ENCODER
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target, packaged
from t2i.runs.folder import RunFolder
from t2i.training.config import DataConfig, TrainConfig

MAX_SETTINGS_BYTES = 200_000
SECTIONS = ("model", "objective", "train")
COLUMNS = ("caption_column", "image_column")
WHOLE = ("text_encoder", "strict")  # settings without a section
LENGTH = ("steps", "sample_first", "sample_every", "checkpoint_every", "log_every")
"""Fields of TrainConfig that follow from how long a run is."""


class Change(Config):
    """Settings that a run has from a step on, by their dotted names, such as {"train.steps": 4000}."""

    step: int = Field(ge=0)
    settings: dict[str, Any]


class RunConfig(Config):
    """The complete settings of a run; stored as run.yaml in its folder, so that resuming needs nothing else."""

    technique: str
    data: DataConfig
    text_encoder: str = Field(DEFAULT_TEXT_ENCODER, description="the text encoder that reads the captions")
    strict: bool = Field(False, description="refuse a dataset with any flawed picture")
    model: dict[str, Any] = Field(default_factory=dict)
    objective: dict[str, Any] = Field(default_factory=dict)
    train: TrainConfig = TrainConfig()
    recipe: str = Field("", description="the shipped recipe it began with")
    parent: str = Field("", description="the model whose weights it started from; see `t2i train --from`")
    command: str = Field("", description="the command that started it")
    parent_license: str = Field("", description="the licence that the parent records")
    parent_sha256: str = Field("", description="of the parent's weights; written by the run")
    data_sha256: str = Field("", description="of the data it started with; written by the run")
    changes: tuple[Change, ...] = Field((), description="settings that changed at a resume, and from which step on")

    @model_validator(mode="before")
    @classmethod
    def _columns_belong_to_the_data(cls, value: Any) -> Any:
        """Read runs that were made before `data` had fields of its own."""
        columns = {name: value[name] for name in COLUMNS if name in value} if isinstance(value, Mapping) else {}
        if not columns:
            return value
        kept = {name: part for name, part in value.items() if name not in COLUMNS}
        return kept | {"data": columns | {"source": value.get("data")}}


def read_recipe(technique: str, recipe: str) -> dict[str, Any]:
    """Read a recipe shipped with a technique, or a YAML file.

    Raises:
        UnknownNameError: there is neither.
        InvalidConfigError: it is not text, or not a YAML mapping.
    """
    spec, _ = registry().get(ModelSpec, technique)
    if recipe in spec.recipes:
        return read_settings(recipe_path(spec, recipe))
    if os.path.isfile(recipe):  # noqa: PTH113 (Path.is_file raises on a name too long for the disk)
        return read_settings(Path(recipe))
    known = ", ".join(spec.recipes) or "none"
    raise UnknownNameError(
        f"There is no recipe {recipe!r} for {technique!r}.{did_you_mean(recipe, spec.recipes)} "
        f"It ships: {known}. A path to a YAML file works too."
    )


def recipe_path(spec: ModelSpec, recipe: str) -> Path:
    """The file of a shipped recipe."""
    return packaged(spec.recipes[recipe])


def read_settings(path: Path) -> dict[str, Any]:
    """The settings in a YAML file.

    Raises:
        InvalidConfigError: it cannot be read, is not text, or is not a YAML mapping.
    """
    try:
        values = load_yaml(read_text(path, MAX_SETTINGS_BYTES))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InvalidConfigError(f"{path} must be a readable text file ({reason}).") from None
    except ValueError as error:
        raise InvalidConfigError(f"{path} is not YAML ({error}).") from None
    if not isinstance(values, dict):
        raise InvalidConfigError(f"{path} must hold a YAML mapping, got a {type(values).__name__}.")
    return values


def merge(settings: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` overridden by `over`, section by section and field by field."""
    merged = copy.deepcopy(dict(settings))
    for name, value in over.items():
        value = {"source": value} if name == "data" and isinstance(value, str) else value
        below = merged.get(name)
        merged[name] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def override(settings: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """`settings` with "section.field=value" assignments applied; values are read as YAML.

    Raises:
        InvalidConfigError: an assignment is not of that form.
    """
    changed = copy.deepcopy(dict(settings))
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        section, _, name = key.partition(".")
        if not equals or not (key in WHOLE or (section in (*SECTIONS, "data") and name)):
            raise InvalidConfigError(
                f"A setting must be model.field=value, objective.field=value, train.field=value, data.field=value, "
                f"{' or '.join(f'{name}=value' for name in WHOLE)}, got {assignment!r}."
            )
        target: Any = changed
        *path, last = key.split(".")
        for part in path:
            target = target.setdefault(part, {})
            if not isinstance(target, dict):
                raise InvalidConfigError(f"{assignment!r} sets a field of {part!r}, which has no fields.")
        target[last] = parse_value(value, key)
    return changed


def without_foreign_prompts(settings: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` that override those of `recipe`; if their data is not the recipe's, without its sample prompts."""
    train, shipped = settings.get("train"), recipe.get("train")
    if (
        "data" not in recipe
        or _source(settings.get("data")) == _source(recipe["data"])
        or not (isinstance(train, Mapping) and isinstance(shipped, Mapping))
        or train.get("sample_prompts") != shipped.get("sample_prompts")
    ):
        return dict(settings)
    return {**settings, "train": {name: value for name, value in train.items() if name != "sample_prompts"}}


def without_length(settings: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` without those that follow from how long a run is."""
    train = settings.get("train")
    if not isinstance(train, Mapping):
        return dict(settings)
    return {**settings, "train": {name: value for name, value in train.items() if name not in LENGTH}}


def _source(data: Any) -> Any:
    return data.get("source") if isinstance(data, Mapping) else data


def checked(settings: Mapping[str, Any], where: str = "the run's settings") -> RunConfig:
    """`settings` as a RunConfig whose technique is known, can be trained, and knows every field.

    Raises:
        InvalidConfigError: a field is unknown, or its value does not fit; names the field and its valid values.
        UnknownNameError, PluginError: there is no usable technique of that name.
        TrainingError: it declares no objective.
    """
    config = parse_config(RunConfig, settings, where)
    spec, _ = registry().get(ModelSpec, config.technique)
    if not spec.objective:
        raise TrainingError(
            f"{config.technique!r} declares no objective, so it cannot be trained. Choose another technique: t2i models"
        )
    parse_config(load_target(spec.config), config.model, config.technique)
    parse_config(load_target(spec.objective_config), config.objective, "objective")
    return config


def check_new(out: Path) -> None:
    """
    Raises:
        OutputError: `out` exists already and is not an empty folder; a lock in it does not count.
    """
    files = RunFolder(out)
    if out.exists() and (not out.is_dir() or {*out.iterdir()} - {files.lock, files.lock_holder}):
        raise OutputError(f"{out} already exists. Continue it with `t2i train --resume {out}`, or choose another name.")


def free_folder(config: RunConfig) -> Path:
    """A new folder for a run, named after its technique and data: runs/cgan-photos, then runs/cgan-photos-2."""
    data = re.sub(r"[^A-Za-z0-9.]+", "-", Path(config.data.source).name).strip("-.") or "data"
    names = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    return next(path for end in names if not (path := Path("runs", f"{config.technique}-{data}{end}")).exists())


def read_run(out: Path) -> RunConfig:
    """The settings of the run in `out`.

    Raises:
        TrainingError: `out` is not a run folder.
        InvalidConfigError: its run.yaml is damaged.
    """
    path = RunFolder(out).settings
    if not path.is_file():
        raise TrainingError(
            f"{out} is not a run folder (it has no {path.name}). Start one: t2i train TECHNIQUE --data DATA --out {out}"
        )
    return checked(read_settings(path), str(path))
