"""The header of a LoRA file: settings that describe its tensors are read; others never reach PEFT."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from t2i_diffusers.files.adapter_header import KEY, check_header


def lora(folder: Path, header: dict[str, str]) -> Path:
    save_file({"unet.to_q.lora_A.weight": np.zeros((2, 4), np.float32)}, folder / "lora.safetensors", header)
    return folder / "lora.safetensors"


def settings(**values: object) -> dict[str, str]:
    return {KEY: json.dumps({f"unet.{name}": value for name, value in values.items()})}


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"format": "pt"},
        settings(r=4, lora_alpha=8.0, target_modules=["to_q", "ff.net.0.proj"], init_lora_weights="gaussian"),
        settings(rank_pattern={"^mid.to_q": 2, "up.to_k": 8}, alpha_pattern={"mid.to_q": 0.5}, use_rslora=True),
    ],
)
def test_headers_of_published_loras_are_let_through(header: dict[str, str], tmp_path: Path) -> None:
    check_header(lora(tmp_path, header))


def test_headers_that_peft_writes_are_let_through(tmp_path: Path) -> None:
    from peft import LoKrConfig, LoraConfig  # takes seconds

    for config in (LoraConfig(base_model_name_or_path="org/base", peft_type="LORA"), LoKrConfig()):
        written = {**config.to_dict(), "peft_type": str(config.peft_type)}
        check_header(lora(tmp_path, settings(**written)))


@pytest.mark.parametrize(
    "values",
    [
        {"target_modules": "(a|a)*$"},  # for ever
        {"target_modules": ["(a|a)*$"]},
        {"rank_pattern": {"(a|a)*$": 4}},
        {"modules_to_save": ["(a|a)*$"]},
        {"layers_pattern": "(a|a)*$", "layers_to_transform": [1]},
        {"megatron_config": {"a": 1}, "megatron_core": "antigravity"},  # imported
        {"megatron_core": "antigravity"},
        {"layer_replication": [[0, 4]] * 10_000},
        {"init_lora_weights": "pissa"},  # changes the pipeline's weights
        {"loftq_config": {"loftq_bits": 4}},
        {"r": 10**9},
        {"r": float("nan")},
        {"bias": "all"},
    ],
)
def test_settings_that_do_more_are_refused(values: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"its header sets '?({'|'.join(values)})'? to "):
        check_header(lora(tmp_path, settings(**values)))


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, '"r"', '{"r": 1' + "0" * 5000 + "}", " " * 5_000_000])
def test_a_header_that_is_no_object_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{KEY} of its header"):
        check_header(lora(tmp_path, {KEY: text}))
