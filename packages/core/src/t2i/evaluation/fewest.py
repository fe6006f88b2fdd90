"""The fewest pictures that evaluators need, checked before anything is loaded or drawn. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from t2i.errors import InvalidInputError
from t2i.registry.discovery import registry
from t2i.registry.specs import EvaluatorSpec


def check_declared(metrics: Sequence[str], with_settings: Collection[str], count: int) -> None:
    """Check `count` against what the evaluators' specs declare, except for those `with_settings` of their own.

    Raises:
        InvalidInputError: an evaluator needs more than `count` pictures.
        UnknownNameError, PluginError: there is no usable evaluator of that name.
    """
    specs = [registry().get(EvaluatorSpec, name)[0] for name in metrics if name not in with_settings]
    check_enough({spec.name: spec.least_pictures for spec in specs}, count)


def check_enough(fewest: Mapping[str, int], count: int) -> None:
    """
    Args:
        fewest: what each evaluator needs, by its name.

    Raises:
        InvalidInputError: one needs more than `count` pictures.
    """
    short = {name: least for name, least in fewest.items() if least > count}
    if short:
        needs = " and ".join(f"{name!r} needs at least {least} pictures" for name, least in short.items())
        raise InvalidInputError(f"{needs}, but {count} would be drawn. Draw more: -n {max(short.values())}")
