"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import ModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="vaegan",
            target="t2i_vaegan.generator:VAEGAN",
            config="t2i_cvae.config:CVAEConfig",
            options="t2i_cvae.config:CVAEOptions",
            objective="t2i_vaegan.training:VAEGANObjective",
            objective_config="t2i_vaegan.config:VAEGANObjectiveConfig",
            kind="hybrid",
            summary="autoencoder that compares pictures by a discriminator's features",
            paper="Larsen, Sønderby, Larochelle and Winther: Autoencoding beyond pixels using a learned similarity "
            "metric. ICML 2016",
            recipes={
                "cvae-gan": "t2i_vaegan:recipes/cvae-gan.yaml",
                "own": "t2i_vaegan:recipes/own.yaml",
                "paper": "t2i_vaegan:recipes/paper.yaml",
                "tiny": "t2i_vaegan:recipes/tiny.yaml",
                "world64": "t2i_vaegan:recipes/world64.yaml",
            },
        )
    ]
