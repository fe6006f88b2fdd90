"""The card of an exported folder: what it is, where its weights come from and under which licence, what was checked."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import yaml

from t2i.snapshots.card import card_head
from t2i.snapshots.markdown import fence, plain, table
from t2i.snapshots.record import Snapshot
from t2i_onnx.export.graphs import OPSET


def render(
    snapshot: Snapshot, options: Mapping[str, object], checked: Mapping[str, str], files: Mapping[str, int]
) -> str:
    """The card as Markdown with a YAML header.

    Args:
        snapshot: what was exported.
        options: that are part of the graph.
        checked: what was measured at export, in words.
        files: the bytes of each file.
    """
    config = snapshot.config
    facts = config.facts
    head = card_head(config)
    head = {**head, "tags": [*head["tags"], "onnx"]}
    encoder = facts.text_encoder
    rows = {
        "exported from": f"{snapshot.name}{f' at {snapshot.revision}' if snapshot.revision else ''}",
        "its model.safetensors": f"sha256 {config.weights_sha256}",
        "technique": config.technique,
        "dataset": facts.dataset or "not stated",
        "licence of the weights": facts.license,
        "text encoder": f"{encoder.name}, sha256 {encoder.sha256 or 'unknown'}" if encoder else "not stated",
        "options": ", ".join(f"{name}={value}" for name, value in options.items()) or "none",
        "ONNX opset": str(OPSET),
        **({"trained from": facts.parent} if facts.parent else {}),
        **({"converted from": facts.source} if facts.source else {}),
    }
    command = f"pip install t2i-onnx\nt2i-onnx THIS_FOLDER {shlex.quote('a red heart')} --seed 7 -o picture.png"
    sizes = [(name, f"{size:,} bytes") for name, size in files.items()]
    return (
        "\n\n".join(
            [
                f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
                f"# {plain(config.technique)} by t2i, as ONNX",
                "Draws pictures from a caption without torch, with onnxruntime.",
                f"## Use it\n\n{fence(command, 'sh')}",
                f"## What it is made of\n\n{table(['', ''], list(rows.items()))}",
                f"## Checked at export\n\n{table(['', ''], list(checked.items()))}",
                f"## Files\n\n{table(['', ''], sizes)}\n\nonnx.json has the sha256 of each.",
            ]
        )
        + "\n"
    )
