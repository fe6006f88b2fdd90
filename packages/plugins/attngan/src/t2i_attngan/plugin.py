"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import CommandSpec, EvaluatorSpec, ModelSpec, TextEncoderSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="attngan",
            target="t2i_attngan.generator:AttnGAN",
            config="t2i_attngan.config:AttnGANConfig",
            options="t2i_attngan.config:AttnGANOptions",
            objective="t2i_attngan.training:AttnGANObjective",
            objective_config="t2i_attngan.config:AttnGANObjectiveConfig",
            converter="t2i_attngan.official:attngan",
            kind="gan",
            summary="AttnGAN: a tree of generators whose regions attend to the words",
            paper="Xu, Zhang, Huang, Zhang, Gan, Huang and He: AttnGAN: Fine-Grained Text to Image Generation with "
            "Attentional Generative Adversarial Networks. CVPR 2018",
            recipes={
                "own": "t2i_attngan:recipes/own.yaml",
                "paper": "t2i_attngan:recipes/paper.yaml",
                "tiny": "t2i_attngan:recipes/tiny.yaml",
                "world64": "t2i_attngan:recipes/world64.yaml",
            },
        )
    ]


@hookimpl
def t2i_text_encoders() -> list[TextEncoderSpec]:
    return [
        TextEncoderSpec(
            name="damsm",
            target="t2i_attngan.text_encoder:DAMSMTextEncoder",
            summary="DAMSM's text encoder as released, from a file of `t2i convert-damsm` (Xu et al. 2018)",
            license="unknown",
            takes_reference=True,
        )
    ]


@hookimpl
def t2i_evaluators() -> list[EvaluatorSpec]:
    return [
        EvaluatorSpec(
            "damsm",
            "t2i_attngan.evaluator:DAMSMPrecision",
            "R-precision by DAMSM, whose loss also trains AttnGAN (Xu et al. 2018)",
            check_settings={"model": "untrained", "distractors": 9},
            least_pictures=10,
        )
    ]


@hookimpl
def t2i_commands() -> list[CommandSpec]:
    return [
        CommandSpec(
            "convert-damsm",
            "t2i_attngan.cli:convert_damsm",
            "Turn DAMSM's released text encoder into one that models here can use.",
        )
    ]
