"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import ModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="layers",
            target="t2i_layers.generator:LayeredVAE",
            config="t2i_layers.config:LayersConfig",
            options="t2i_layers.config:LayersOptions",
            objective="t2i_layers.training:LayersObjective",
            objective_config="t2i_layers.config:LayersObjectiveConfig",
            kind="vae",
            summary="layered autoencoder: draws each thing once, and places it",
            paper="Yang, Kannan, Batra and Parikh: LR-GAN: Layered Recursive Generative Adversarial Networks for Image "
            "Generation. ICLR 2017",
            recipes={
                "own": "t2i_layers:recipes/own.yaml",
                "tiny": "t2i_layers:recipes/tiny.yaml",
                "world64": "t2i_layers:recipes/world64.yaml",
                "world64-pairs": "t2i_layers:recipes/world64-pairs.yaml",
                "world64-prompts": "t2i_layers:recipes/world64-prompts.yaml",
                "world64-single": "t2i_layers:recipes/world64-single.yaml",
            },
        )
    ]
