"""The roles that a plugin can fill, one row each. Code that treats all roles alike iterates over these rows.

A new role needs a row here, a spec in specs.py, and a contract with checks.
"""

from __future__ import annotations

from dataclasses import dataclass

from t2i.registry.specs import (
    ArtistSpec,
    CommandSpec,
    DatasetSpec,
    EngineSpec,
    EvaluatorSpec,
    HubModelSpec,
    LanguageModelSpec,
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
        word, plural: its name in messages, such as "text encoder".
        summary: what the hook declares, in one sentence.
        checks: the target of the `t2i.testing.checks.roles.role.CheckedRole` that `t2i check` uses for a spec.
        template: `t2i new --kind TEMPLATE` writes a plugin for this role from t2i/templates/TEMPLATE, whose main module
            has the same name, with "_" for "-"; "" if there is no template.
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
        summary="Pretrained weights, shipped with the plugin or published on the Hub.",
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
        hook="t2i_language_models",
        spec=LanguageModelSpec,
        word="language model",
        plural="language models",
        summary="Language models, which write prompts and texts.",
        checks="t2i.testing.checks.roles.language_models:LanguageModels",
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
        summary="Datasets, and readers of users' own files.",
        checks="t2i.testing.checks.roles.datasets:Datasets",
        template="dataset",
    ),
    Role(
        hook="t2i_artists",
        spec=ArtistSpec,
        word="artist",
        plural="artists",
        summary="Artists, which draw with models in other layouts than a snapshot.",
        checks="t2i.testing.checks.roles.artists:Artists",
    ),
    Role(
        hook="t2i_hub_models",
        spec=HubModelSpec,
        word="Hub model",
        plural="Hub models",
        summary="Well-known models on the Hub, under short names; an artist draws with them.",
        checks="t2i.testing.checks.roles.hub_models:HubModels",
    ),
    Role(
        hook="t2i_engines",
        spec=EngineSpec,
        word="engine",
        plural="engines",
        summary="Engines, which spread work over many processes or machines.",
        checks="t2i.testing.checks.roles.engines:Engines",
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
