"""For maintainers: `nox -s publish-weights -- NAMESPACE` pushes every bundled snapshot to the Hub."""

from __future__ import annotations

from t2i.progress import Say, unsaid
from t2i.publishing.push import Pushed, Target, push
from t2i.registry.discovery import registry
from t2i.registry.specs import WeightsSpec


def publish_bundled(namespace: str, *, say: Say = unsaid, warn: Say = unsaid) -> dict[str, Pushed]:
    """Verify each bundled snapshot and push it to NAMESPACE/technique-tag; an unchanged one makes no new commit.

    Raises:
        T2IError: a snapshot cannot be read, or the Hub refuses it; those before it are published.
    """
    pushed = {}
    for spec, _ in registry().all(WeightsSpec):
        if spec.bundled:
            target = Target(f"{namespace}/{spec.model}-{spec.tag}")
            pushed[spec.name] = push(spec.name, target, warn=warn)
            say(f'{spec.name}: repo="{target.repo}", revision="{pushed[spec.name].commit}"')
    return pushed
