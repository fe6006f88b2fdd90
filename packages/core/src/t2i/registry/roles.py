"""The roles that a plugin can fill, one row each. What treats roles alike iterates over these rows.

A new role is a row here, its spec in specs.py, and the contract with its checks.
"""

from __future__ import annotations

from dataclasses import dataclass

from t2i.registry.specs import (
    ArtistSpec,
    CommandSpec,
    DatasetSpec,
    EvaluatorSpec,
    ModelSpec,
    Spec,
    TextEncoderSpec,
    WeightsSpec,
)


@dataclass(frozen=True)
class Role:
    """A role.

    Attributes:
        hook: the hook in which plugins return their specs.
        spec: the type of those specs.
        word, plural: what people call it, such as "text encoder".
        summary: what the hook declares, one sentence.
        checks: the target of what `t2i check` does with a spec, a `t2i.testing.checks.roles.role.CheckedRole`.
        template: `t2i new --kind TEMPLATE` writes a plugin for this role from t2i/templates/TEMPLATE, whose main module
            is template.py with "_" for "-"; "" if it writes none.
    """

    hook: str
    spec: type[Spec]
    word: str
    plural: str
    summary: str
    checks: str
    template: str = ""


ROLES: tuple[Role, ...] = (
    Role(
        hook="t2i_models",
        spec=ModelSpec,
        word="model",
        plural="models",
        summary="Techniques.",
        checks="t2i.testing.checks.roles.models:Models",
        template="generator",
    ),
    Role(
        hook="t2i_weights",
        spec=WeightsSpec,
        word="pretrained model",
        plural="pretrained models",
        summary="Pretrained weights, shipped with the plugin or known by their address on the Hub.",
        checks="t2i.testing.checks.roles.weights:Weights",
    ),
    Role(
        hook="t2i_text_encoders",
        spec=TextEncoderSpec,
        word="text encoder",
        plural="text encoders",
        summary="Text encoders.",
        checks="t2i.testing.checks.roles.text_encoders:TextEncoders",
        template="text-encoder",
    ),
    Role(
        hook="t2i_evaluators",
        spec=EvaluatorSpec,
        word="evaluator",
        plural="evaluators",
        summary="Evaluators, which score pictures.",
        checks="t2i.testing.checks.roles.evaluators:Evaluators",
        template="evaluator",
    ),
    Role(
        hook="t2i_datasets",
        spec=DatasetSpec,
        word="dataset",
        plural="datasets",
        summary="Datasets, and readers of people's own files.",
        checks="t2i.testing.checks.roles.datasets:Datasets",
        template="dataset",
    ),
    Role(
        hook="t2i_artists",
        spec=ArtistSpec,
        word="artist",
        plural="artists",
        summary="What draws with models of another layout than a snapshot's.",
        checks="t2i.testing.checks.roles.artists:Artists",
    ),
    Role(
        hook="t2i_commands",
        spec=CommandSpec,
        word="command",
        plural="commands",
        summary="Verbs of the command line, run as `t2i NAME`.",
        checks="t2i.testing.checks.roles.commands:Commands",
    ),
)


def role_of(spec: type[Spec]) -> Role:
    """The role whose specs are of this type."""
    return next(role for role in ROLES if role.spec is spec)
