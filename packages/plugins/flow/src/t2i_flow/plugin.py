"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import ModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="flow",
            target="t2i_flow.generator:FlowTransformer",
            config="t2i_flow.config:FlowConfig",
            options="t2i_flow.config:FlowOptions",
            objective="t2i_flow.training:FlowObjective",
            objective_config="t2i_flow.config:FlowObjectiveConfig",
            kind="diffusion",
            summary="flow matching with a transformer on pixels",
            paper="Li and He: Back to Basics: Let Denoising Generative Models Denoise. arXiv 2511.13720, 2025",
            recipes={
                "own": "t2i_flow:recipes/own.yaml",
                "paper": "t2i_flow:recipes/paper.yaml",
                "tiny": "t2i_flow:recipes/tiny.yaml",
                "world64": "t2i_flow:recipes/world64.yaml",
            },
        )
    ]
