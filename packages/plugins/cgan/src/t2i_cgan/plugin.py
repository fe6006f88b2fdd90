"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import ModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="cgan",
            target="t2i_cgan.generator:ConditionalGAN",
            config="t2i_cgan.config:CGANConfig",
            options="t2i_cgan.config:CGANOptions",
            objective="t2i_cgan.training:CGANObjective",
            objective_config="t2i_cgan.config:CGANObjectiveConfig",
            kind="gan",
            summary="GAN-INT-CLS, the first text-to-image GAN",
            paper="Reed, Akata, Yan, Logeswaran, Schiele and Lee: Generative Adversarial Text to Image Synthesis. "
            "ICML 2016",
            recipes={
                "openmoji64": "t2i_cgan:recipes/openmoji64.yaml",
                "own": "t2i_cgan:recipes/own.yaml",
                "own-shared": "t2i_cgan:recipes/own-shared.yaml",
                "paper": "t2i_cgan:recipes/paper.yaml",
                "tiny": "t2i_cgan:recipes/tiny.yaml",
                "world64": "t2i_cgan:recipes/world64.yaml",
            },
        )
    ]
