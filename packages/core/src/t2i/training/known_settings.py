"""Every setting of a technique's runs and every option of its models, with default and meaning. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from t2i.config import Config
from t2i.registry.specs import ModelSpec, load_target
from t2i.training.config import DataConfig, TrainConfig
from t2i.training.settings import WHOLE, RunConfig

BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))


@dataclass(frozen=True)
class Setting:
    """A setting by its dotted name, or an option by its name.

    Attributes:
        default: None if it has none.
        meaning: its description and its bounds; "" if the name says it.
    """

    name: str
    default: Any
    meaning: str


def known_settings(spec: ModelSpec) -> list[Setting]:
    """The settings of the model and, if it can be trained, those of its objective, training and data."""
    sections: dict[str, type[Config]] = {"model": load_target(spec.config)}
    if spec.objective:
        sections |= {"objective": load_target(spec.objective_config), "train": TrainConfig, "data": DataConfig}
    found = [setting for name, kind in sections.items() for setting in _fields(name, kind)]
    whole = RunConfig.model_fields if spec.objective else {}
    return found + [
        Setting(name, whole[name].default, whole[name].description or "") for name in WHOLE if name in whole
    ]


def known_options(spec: ModelSpec, own: Mapping[str, Any]) -> list[Setting]:
    """The options that users choose for each picture; `own` are the defaults of the weights, where they differ."""
    if not spec.options:
        return []
    fields = load_target(spec.options).model_fields.items()
    return [Setting(name, own.get(name, _default(field)), _meaning(field)) for name, field in fields]


def _fields(prefix: str, kind: type[Config], values: Config | None = None) -> Iterator[Setting]:
    """The fields of `kind`, nested ones by their dotted names, with the defaults in `values` if they are given."""
    for name, meaning in kind.shorthands.items():
        yield Setting(f"{prefix}.{name}", None, meaning)
    for name, field in kind.model_fields.items():
        default = _default(field) if values is None else getattr(values, name)
        if isinstance(default, Config):
            yield from _fields(f"{prefix}.{name}", type(default), default)
        else:
            yield Setting(f"{prefix}.{name}", default, _meaning(field))


def _default(field: FieldInfo) -> Any:
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _meaning(field: FieldInfo) -> str:
    limits = [(sign, getattr(limit, name, None)) for limit in field.metadata for name, sign in BOUNDS]
    bounds = ", ".join(f"{sign} {value:g}" for sign, value in limits if value is not None)
    return "; ".join(part for part in (field.description or "", bounds) if part)
