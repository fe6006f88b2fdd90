"""The maintainers' way in: a trained run becomes a bundled snapshot, its weights in half precision.

python -m t2i_starter.bundle runs/openmoji64 cgan.openmoji64
"""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from t2i.errors import T2IError
from t2i.files import write_atomic
from t2i.hub.layout import CARD, WEIGHTS
from t2i.hub.snapshots import load_generator, resolve, save_snapshot
from t2i.registry import WeightsSpec
from t2i_starter.plugin import INDEX, t2i_weights

SNAPSHOTS = INDEX.parent / "snapshots"
NOTES = Path(__file__).parents[2] / "notes"  # beside src: not shipped


def bundle(run: Path, name: str) -> WeightsSpec:
    """Save the newest snapshot of `run` as snapshots/NAME and enter it in the index.

    The card ends with notes/NAME.md, where there is one: what a person saw in its pictures.

    Raises:
        T2IError: the run is no model, or belongs to another technique.
    """
    model, _, tag = name.partition(".")
    source = resolve(str(run))
    facts = source.config.facts
    if source.config.technique != model or not tag:
        raise T2IError(
            f"A run of {source.config.technique!r} is bundled as {source.config.technique}.TAG, not {name!r}."
        )
    generator = load_generator(source)
    folder = SNAPSHOTS / name
    shutil.rmtree(folder, ignore_errors=True)
    save_snapshot(generator, folder, facts, torch.float16)
    notes = NOTES / f"{name}.md"
    if notes.is_file():
        card = folder / CARD
        write_atomic(card, f"{card.read_text(encoding='utf-8')}\n{notes.read_text(encoding='utf-8')}".encode())
    snapshot = resolve(f"local-dir:{folder}")
    old = {spec.name: spec for spec in t2i_weights()}
    spec = WeightsSpec(
        model=model,
        tag=tag,
        sha256=snapshot.config.weights_sha256,
        size_bytes=(folder / WEIGHTS).stat().st_size,
        dataset=facts.dataset,
        resolution=generator.resolution,
        license=facts.license,
        text_encoder=facts.text_encoder.name if facts.text_encoder else "",
        bundled=f"t2i_starter:snapshots/{name}",
        scores=old[name].scores if name in old else {},
    )
    entries = [asdict(entry) for entry in sorted((old | {name: spec}).values(), key=lambda entry: entry.name)]
    write_atomic(INDEX, (json.dumps(entries, indent=2) + "\n").encode())
    return spec


if __name__ == "__main__":
    print(bundle(Path(sys.argv[1]), sys.argv[2]))
