"""The settings in the header of a LoRA file, which anybody may have written. Imports no torch.

diffusers hands all of them to PEFT. Some are regular expressions, which can take for ever, and some make PEFT import a
module, copy layers or change the pipeline's own weights. Only those that describe the file's tensors are let through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from t2i.arguments import shown
from t2i.display import brief

KEY = "lora_adapter_metadata"  # where diffusers keeps them: JSON such as {"unet.r": 4, "unet.target_modules": ["to_q"]}
MOST_CHARACTERS = 4_000_000
LARGEST = 100_000  # of a rank, or of what weighs the matrices
NAME = re.compile(r"[\w.]{1,200}", re.ASCII)
UNUSED = ("auto_mapping", "base_model_name_or_path", "peft_type", "peft_version", "revision", "task_type")


def check_header(path: Path) -> None:
    """
    Args:
        path: a safetensors file.

    Raises:
        ValueError: its settings are damaged, or PEFT would do more with them than hold the file's tensors.
        SafetensorError: it is no safetensors file.
    """
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        text = (file.metadata() or {}).get(KEY, "")
    if not text:
        return
    try:
        settings = json.loads(text) if len(text) <= MOST_CHARACTERS else None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{KEY} of its header is not JSON: {brief(error)}") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{KEY} of its header must be a JSON object of at most {MOST_CHARACTERS:,} characters")
    for key, value in settings.items():
        name = key.rpartition(".")[2]
        if name not in UNUSED and not _is_number(value) and not ALLOWED.get(name, _is_empty)(value):
            raise ValueError(
                f"its header sets {shown(name)} to {shown(value)}, which does not describe the tensors of a LoRA"
            )


def _is_empty(value: object) -> bool:
    return value is None or value in ({}, [])


def _is_number(value: object) -> bool:
    """A number or a boolean, which switches on nothing worse than another way to add the matrices."""
    return isinstance(value, int | float) and abs(value) <= LARGEST


def _are_names(value: object) -> bool:
    return _is_empty(value) or (isinstance(value, list) and all(_is_name(each) for each in value))


def _is_pattern(value: object) -> bool:
    """Numbers by the names of layers, which may begin with ^, as PEFT takes them for regular expressions."""
    return _is_empty(value) or (
        isinstance(value, dict)
        and all(_is_name(name.removeprefix("^")) and _is_number(each) for name, each in value.items())
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and NAME.fullmatch(value) is not None


ALLOWED: Mapping[str, Callable[[object], bool]] = {
    "target_modules": _are_names,
    "exclude_modules": _are_names,
    "rank_pattern": _is_pattern,
    "alpha_pattern": _is_pattern,
    "bias": lambda value: value == "none",
    "init_lora_weights": lambda value: value == "gaussian",  # of matrices that the file then replaces
    "megatron_core": lambda value: value == "megatron.core",  # the default, which is read only with megatron_config
}
"""What the settings that may be texts, lists or objects must be; others are numbers or empty."""
