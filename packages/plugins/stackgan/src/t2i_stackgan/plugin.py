"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import ModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="stackgan",
            target="t2i_stackgan.generator:StackGAN",
            config="t2i_stackgan.config:StackGANConfig",
            options="t2i_stackgan.config:StackGANOptions",
            objective="t2i_stackgan.training:StackGANObjective",
            objective_config="t2i_stackgan.config:StackGANObjectiveConfig",
            converter="t2i_stackgan.official:stackgan",
            kind="gan",
            summary="StackGAN: a sketch from the text, then a second stage that redraws it larger",
            paper="Zhang, Xu, Li, Zhang, Wang, Huang and Metaxas: StackGAN: Text to Photo-realistic Image Synthesis "
            "with Stacked Generative Adversarial Networks. ICCV 2017",
            recipes=_recipes("stackgan"),
        ),
        ModelSpec(
            name="stackgan-v2",
            target="t2i_stackgan.generator:StackGANv2",
            config="t2i_stackgan.config:StackGANv2Config",
            options="t2i_stackgan.config:StackGANOptions",
            objective="t2i_stackgan.training:StackGANv2Objective",
            objective_config="t2i_stackgan.config:StackGANv2ObjectiveConfig",
            converter="t2i_stackgan.official:stackgan_v2",
            kind="gan",
            summary="StackGAN++: a tree of generators that draws one picture at several scales",
            paper="Zhang, Xu, Li, Zhang, Wang, Huang and Metaxas: StackGAN++: Realistic Image Synthesis with Stacked "
            "Generative Adversarial Networks. TPAMI 2018",
            recipes=_recipes("stackgan-v2"),
        ),
    ]


def _recipes(model: str) -> dict[str, str]:
    return {
        name: f"t2i_stackgan:recipes/{model}-{name}.yaml" for name in ("openmoji64", "own", "paper", "tiny", "world64")
    }
