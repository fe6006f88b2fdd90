"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import ModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="dfgan",
            target="t2i_dfgan.generator:DFGAN",
            config="t2i_dfgan.config:DFGANConfig",
            options="t2i_dfgan.config:DFGANOptions",
            objective="t2i_dfgan.training:DFGANObjective",
            objective_config="t2i_dfgan.config:DFGANObjectiveConfig",
            converter="t2i_dfgan.official:dfgan",
            kind="gan",
            summary="DF-GAN: one generator that fuses the text into every block",
            paper="Tao, Tang, Wu, Jing, Bao and Xu: DF-GAN: A Simple and Effective Baseline for Text-to-Image "
            "Synthesis. CVPR 2022",
            recipes={
                "own": "t2i_dfgan:recipes/own.yaml",
                "paper": "t2i_dfgan:recipes/paper.yaml",
                "tiny": "t2i_dfgan:recipes/tiny.yaml",
                "world64": "t2i_dfgan:recipes/world64.yaml",
            },
        )
    ]
