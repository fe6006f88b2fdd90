"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import ModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="transformer",
            target="t2i_transformer.generator:TokenTransformer",
            config="t2i_transformer.config:TransformerConfig",
            options="t2i_transformer.config:TransformerOptions",
            objective="t2i_transformer.training:TransformerObjective",
            objective_config="t2i_transformer.config:TransformerObjectiveConfig",
            kind="transformer",
            summary="image tokens, DALL-E style",
            paper="Ramesh, Pavlov, Goh, Gray, Voss, Radford, Chen and Sutskever: Zero-Shot Text-to-Image Generation. "
            "ICML 2021",
            recipes={
                "openmoji64": "t2i_transformer:recipes/openmoji64.yaml",
                "own": "t2i_transformer:recipes/own.yaml",
                "paper": "t2i_transformer:recipes/paper.yaml",
                "tiny": "t2i_transformer:recipes/tiny.yaml",
                "world64": "t2i_transformer:recipes/world64.yaml",
            },
        )
    ]
