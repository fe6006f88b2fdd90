"""`nox -s publish-weights -- NAMESPACE`: every bundled snapshot on the Hub, for maintainers."""

from __future__ import annotations

from t2i.progress import Say, unsaid
from t2i.publishing.push import Pushed, Target, push
from t2i.registry.discovery import registry
from t2i.registry.specs import WeightsSpec


def publish_bundled(namespace: str, *, say: Say = unsaid, warn: Say = unsaid) -> dict[str, Pushed]:
    """Push each bundled snapshot, verified, to NAMESPACE/technique-tag; what is there already makes no new commit.

    Raises:
        T2IError: one cannot be read, or the Hub refuses it; those before it are published.
    """
    pushed = {}
    for spec, _ in registry().all(WeightsSpec):
        if spec.bundled:
            target = Target(f"{namespace}/{spec.model}-{spec.tag}")
            pushed[spec.name] = push(spec.name, target, warn=warn)
            say(f'{spec.name}: repo="{target.repo}", revision="{pushed[spec.name].commit}"')
    return pushed
