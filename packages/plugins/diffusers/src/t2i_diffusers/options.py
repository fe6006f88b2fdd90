"""A pipeline's options, read from the signature of its own call: typed, bounded, with its defaults."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union

from pydantic import Field, create_model

from t2i.config import Config
from t2i.plain_text import MAX_PROMPT_CHARACTERS

RENAMED = {"num_inference_steps": "steps", "guidance_scale": "guidance"}
"""Names of options that differ from those of the pipeline's arguments."""

RENAMED_TRUE = {"num_inference_steps": "steps", "true_cfg_scale": "guidance"}
"""The same for Qwen-Image, whose `guidance_scale` is an input of distilled networks."""

HIDDEN = {
    *("prompt", "prompt_2", "prompt_3", "prompt_4", "negative_prompt_2", "negative_prompt_3", "negative_prompt_4"),
    *("num_images_per_prompt", "output_type", "return_dict", "callback_steps", "padding_mask_crop"),
    *("denoising_start", "denoising_end"),
}
"""Arguments that are set here, or make no sense for whole pictures."""

LIMITS: Mapping[str, tuple[float, float]] = {
    "steps": (1, 1000),
    "guidance": (0, 100),
    "guidance_scale": (0, 100),
    "true_cfg_scale": (0, 100),
    "guidance_rescale": (0, 1),
    "eta": (0, 1),
    "strength": (0, 1),
    "clip_skip": (0, 30),
    "max_sequence_length": (1, 2048),
    "width": (8, 8192),
    "height": (8, 8192),
    "lora_scale": (-10, 10),
}
WIDEST = (-10_000, 10_000)  # of numbers that no row above names
SIMPLE = (bool, int, float, str)
MOST_PIXELS = 1024 * 1024  # at which a default without a size of its own draws


def options_type(
    kind: Any, *, schedulers: tuple[str, ...], side: int | None, defaults: Mapping[str, Any], adapters: bool
) -> type[Config]:
    """The class of options for calls of the pipeline class `kind`.

    Args:
        schedulers: names of those that can be used, the default first.
        side: the default width and height in pixels; None for pipelines that take them from a picture.
        defaults: that differ from those in the signature, by option.
        adapters: whether it has LoRAs, whose weight is an option then.
    """
    parameters = inspect.signature(kind.__call__).parameters
    hints = typing.get_type_hints(kind.__call__)
    renamed = _renamed(kind)
    fields: dict[str, Any] = {}
    for name, parameter in parameters.items():
        option = renamed.get(name, name)
        if name in HIDDEN or parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD or name == "self":
            continue
        if option in ("width", "height"):
            if side is not None:
                fields[option] = _field(option, (int,), side)
            continue
        if option == "negative_prompt":
            fields[option] = (str, Field("", max_length=MAX_PROMPT_CHARACTERS, description="what not to draw"))
            continue
        kinds = _simple(hints.get(name, Any))
        default = defaults.get(option, parameter.default)
        if kinds and default is not inspect.Parameter.empty:
            fields[option] = _field(option, kinds, default)
    if schedulers:
        fields["scheduler"] = (Literal[schedulers], Field(schedulers[0], description="how noise becomes a picture"))
    if adapters:
        fields["lora_scale"] = _field("lora_scale", (float,), 1.0)
    made: type[Config] = create_model(f"{kind.__name__}Options", __base__=Config, **fields)
    return made


def call_arguments(kind: Any, options: Config) -> dict[str, Any]:
    """The options as arguments of the pipeline's call, except those that are set here."""
    names = {option: name for name, option in _renamed(kind).items()}
    values = {names.get(option, option): value for option, value in options.model_dump().items()}
    known = inspect.signature(kind.__call__).parameters
    return {name: value for name, value in values.items() if name in known and name != "negative_prompt"}


def _renamed(kind: Any) -> Mapping[str, str]:
    """Arguments of the pipeline's call, and the options that they are, where the names differ."""
    true = inspect.signature(kind.__call__).parameters.get("true_cfg_scale")
    return RENAMED_TRUE if true is not None and true.default > 1 else RENAMED


def _simple(hint: Any) -> tuple[type, ...]:
    """The plain types that an annotation allows, with NoneType; () if it allows others."""
    parts = typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)
    plain = tuple(part for part in parts if part in SIMPLE)
    return tuple(parts) if plain and all(part in (*SIMPLE, type(None)) for part in parts) else ()


def _field(option: str, kinds: tuple[type, ...], default: Any) -> Any:
    """A pydantic field of one of these types, within the option's limits."""
    least, most = LIMITS.get(option, WIDEST)
    numeric = {int, float} & {*kinds} and bool not in kinds
    wanted = tuple(float if part is int and float in kinds else part for part in kinds)
    annotation: Any = Union[tuple(dict.fromkeys((*wanted, *((type(None),) if default is None else ()))))]  # noqa: UP007
    if option == "strength":
        return (annotation, Field(default, gt=least, le=most, description="1 ignores the picture, 0 keeps it"))
    if numeric:
        return (annotation, Field(default, ge=least, le=most))
    return (annotation, Field(default, max_length=MAX_PROMPT_CHARACTERS) if str in kinds else default)
