"""The model card: what a snapshot's README.md says, in the Hub's own format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from t2i.hub.snapshots import SnapshotConfig


def render_card(config: SnapshotConfig) -> str:
    """The card of a snapshot as Markdown under a YAML head."""
    facts = config.facts
    head = {
        "library_name": "t2i",
        "pipeline_tag": "text-to-image",
        "license": facts.license.lower(),
        "tags": ["t2i", config.technique],
    }
    encoder = facts.text_encoder
    rows = {
        "technique": config.technique,
        "dataset": facts.dataset or "not said",
        "licence": facts.license,
        "text encoder": f"{encoder.name}, {encoder.dim}-d, sha256 {encoder.sha256 or 'unknown'}"
        if encoder
        else "not said",
        **({"converted from": facts.source} if facts.source else {}),
        "trained for": f"{facts.steps:,} steps, {facts.images_seen:,} pictures" if facts.steps else "not said",
        "model.safetensors": f"sha256 {config.weights_sha256}",
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    again = f"\nMade again by:\n\n    {facts.command}\n" if facts.command else ""
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n\n# {config.technique} by t2i\n\n"
        f"| | |\n|---|---|\n{table}\n{again}\n"
        f'Use it:\n\n    t2i generate "..." --model local-dir:PATH_TO_THIS_FOLDER\n'
    )
