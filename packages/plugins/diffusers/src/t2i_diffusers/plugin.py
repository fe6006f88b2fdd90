"""Declares the artist, its well-known models, the verb `edit` and LoRA fine-tuning; imports no torch."""

from __future__ import annotations

from t2i.hub.layout import DIFFUSERS
from t2i.registry import ArtistSpec, CommandSpec, HubModelSpec, ModelSpec, TextEncoderSpec, hookimpl
from t2i_diffusers.catalogue import ARTIST, MODELS

T2I_API = 1


@hookimpl
def t2i_artists() -> list[ArtistSpec]:
    """Declare the artist."""
    return [
        ArtistSpec(
            name=ARTIST,
            target="t2i_diffusers.artist:open_artist",
            marker=DIFFUSERS,
            tiny="t2i_diffusers.tiny:write_tiny",
            summary="pipelines of diffusers that draw from text",
            fine_tuning="t2i_diffusers.lora.settings:settings_from",
            describe="t2i_diffusers.files.describe:describe",
        )
    ]


@hookimpl
def t2i_hub_models() -> list[HubModelSpec]:
    """Declare the well-known models."""
    return MODELS


@hookimpl
def t2i_commands() -> list[CommandSpec]:
    """Declare the verb."""
    return [CommandSpec("edit", "t2i_diffusers.cli.edit:edit", "Change a picture, fill a part of it, or enlarge it.")]


@hookimpl
def t2i_models() -> list[ModelSpec]:
    """Declare LoRA fine-tuning."""
    return [
        ModelSpec(
            name="diffusers-lora",
            target="t2i_diffusers.lora.generator:DiffusersLoRA",
            config="t2i_diffusers.config:LoRAConfig",
            options="t2i_diffusers.config:LoRAOptions",
            objective="t2i_diffusers.lora.training:LoRAObjective",
            objective_config="t2i_diffusers.config:LoRAObjectiveConfig",
            kind="diffusion",
            summary="fine-tunes a pipeline of diffusers with a LoRA: --from hf-hub:org/repo",
            paper="Hu et al.: LoRA: Low-Rank Adaptation of Large Language Models. ICLR 2022",
            recipes={"tiny": "t2i_diffusers:recipes/tiny.yaml"},
        )
    ]


@hookimpl
def t2i_text_encoders() -> list[TextEncoderSpec]:
    """Declare the text encoders of a pipeline as one."""
    return [
        TextEncoderSpec(
            name="diffusers",
            target="t2i_diffusers.lora.text_encoder:PipelineEncoder",
            summary="the text encoders of a pipeline of diffusers: diffusers:hf-hub:org/repo",
            license="unknown",
            takes_reference=True,
        )
    ]
