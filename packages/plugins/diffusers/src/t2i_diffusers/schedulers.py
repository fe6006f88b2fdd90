"""Schedulers by short names, such as "euler" for diffusers' EulerDiscreteScheduler."""

from __future__ import annotations

import re
from typing import Any

from t2i.errors import InvalidInputError

OWN_RANDOMNESS = {"DPMSolverSDEScheduler"}  # draws noise for the whole batch from one seed
MISSING = "DummyObject"  # the metaclass of classes whose library is not installed


def short_name(scheduler: str) -> str:
    """ "EulerAncestralDiscreteScheduler" as "euler-ancestral"."""
    name = scheduler.removesuffix("Scheduler").removesuffix("Discrete")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def compatible(pipe: Any) -> dict[str, Any]:
    """The classes that can replace the pipeline's scheduler, by short name; its own is the first."""
    own = type(pipe.scheduler)
    found = {short_name(own.__name__): own}
    for kind in sorted(getattr(pipe.scheduler, "compatibles", ()), key=lambda kind: str(kind.__name__)):
        if kind.__name__ not in OWN_RANDOMNESS and type(kind).__name__ != MISSING:
            found.setdefault(short_name(kind.__name__), kind)
    return found


def build(kind: Any, config: Any, name: str) -> Any:
    """A scheduler of class `kind` with the settings of another one's config.

    Raises:
        InvalidInputError: they do not fit it.
    """
    try:
        return kind.from_config(config)
    except (ValueError, TypeError, ImportError, NotImplementedError) as error:
        raise InvalidInputError(
            f"The scheduler {name!r} does not fit this model ({error}). Choose another one, or leave it out."
        ) from None
