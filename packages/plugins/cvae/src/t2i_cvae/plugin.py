"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import ModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="cvae",
            target="t2i_cvae.generator:ConditionalVAE",
            config="t2i_cvae.config:CVAEConfig",
            options="t2i_cvae.config:CVAEOptions",
            objective="t2i_cvae.training:CVAEObjective",
            objective_config="t2i_cvae.config:CVAEObjectiveConfig",
            kind="vae",
            summary="text-modulated variational autoencoder",
            paper="Sohn, Lee and Yan: Learning Structured Output Representation using Deep Conditional Generative "
            "Models. NeurIPS 2015",
            recipes={
                "openmoji64": "t2i_cvae:recipes/openmoji64.yaml",
                "own": "t2i_cvae:recipes/own.yaml",
                "paper": "t2i_cvae:recipes/paper.yaml",
                "tiny": "t2i_cvae:recipes/tiny.yaml",
                "world64": "t2i_cvae:recipes/world64.yaml",
            },
        )
    ]
