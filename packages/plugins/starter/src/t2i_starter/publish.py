"""`python -m t2i_starter.publish NAMESPACE`: the maintainers' way to put every bundled snapshot on the Hub."""

from __future__ import annotations

import sys

from t2i.cli.console import fail, say, warn
from t2i.errors import T2IError
from t2i.publishing.push import Pushed, Target, push
from t2i.registry.discovery import registry
from t2i.registry.specs import WeightsSpec


def publish_bundled(namespace: str) -> dict[str, Pushed]:
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


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(fail("A namespace is needed, such as: python -m t2i_starter.publish my-org"))
    try:
        publish_bundled(sys.argv[1])
    except T2IError as error:
        sys.exit(fail(str(error)))
