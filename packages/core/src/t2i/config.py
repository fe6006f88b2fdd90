"""The base class of every config, and the one place where validation errors become readable messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from t2i.arguments import shown
from t2i.errors import InvalidConfigError, did_you_mean


class Config(BaseModel):
    """Frozen settings that reject unknown fields. Subclasses document each field's unit and section of the paper."""

    shorthands: ClassVar[Mapping[str, str]] = {}
    """Names, with their meaning, that a validator turns into fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


ConfigT = TypeVar("ConfigT", bound=Config)
MOST_PROBLEMS = 10  # reported per config
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def parse_config(kind: type[ConfigT], values: Mapping[str, Any], where: str) -> ConfigT:
    """Validate `values` as a `kind`; `where` names their source in the error.

    Raises:
        InvalidConfigError: names each wrong field, the value received, and the fields or values allowed.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        raise InvalidConfigError(f"{where}: {_sentences(kind, error)}") from None


def parse_value(text: str, where: str) -> Any:
    """Parse a setting's value, as typed by a person, as YAML.

    Raises:
        InvalidConfigError: it is not YAML.
    """
    from t2i.plain_yaml import load_yaml

    try:
        return load_yaml(text)
    except ValueError:
        raise InvalidConfigError(f"{where} must be a value such as 3, 0.5, true or [1, 2], got {text!r}.") from None


def _sentences(kind: type[Config], error: ValidationError) -> str:
    sentences = []
    problems = error.errors(include_url=False)
    for problem in problems[:MOST_PROBLEMS]:
        field = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = _fields_at(kind, problem["loc"][:-1])
            remedy = did_you_mean(str(problem["loc"][-1]), known) or f" Known fields: {', '.join(known) or 'none'}."
            sentences.append(f"unknown field {shown(field)}.{remedy}")
        else:
            message, given = problem["msg"][0].lower() + problem["msg"][1:], f", got {shown(problem['input'])}"
            if problem["type"] == "value_error":  # from a validator of the config
                message = str(problem["ctx"]["error"])
                if isinstance(problem["input"], Mapping) or "got" in message.split():  # it says itself what it got
                    given = ""
            subject = f"field {shown(field)}: " if field else ""
            sentences.append(f"{subject}{message}{given}.")
    more = len(problems) - len(sentences)
    return " ".join(sentences) + (f" And {more} more." if more else "")


def _fields_at(kind: type[Config], path: tuple[int | str, ...]) -> list[str]:
    """The fields of the config that `path` leads to from `kind`."""
    for part in path:
        nested = kind.model_fields[str(part)].annotation if part in kind.model_fields else None
        if not (isinstance(nested, type) and issubclass(nested, Config)):
            return []
        kind = nested
    return [*kind.model_fields, *kind.shorthands]
