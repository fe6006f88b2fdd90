"""For maintainers: turns a trained run into a bundled snapshot, with weights in half precision.

    nox -s bundle -- runs/world64 cgan.world64

Then evaluate the snapshot (`t2i evaluate local-dir:...`) and bundle it again, to copy its scores into the index.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import png_bytes
from t2i.errors import T2IError
from t2i.evaluation.card import read_card_scores, write_card_scores
from t2i.evaluation.scores import Scored
from t2i.files import write_atomic
from t2i.hub.layout import CARD, WEIGHTS
from t2i.images import grid
from t2i.registry import PublishedScore, WeightsSpec
from t2i.registry.names import ModelName
from t2i.snapshots.card import CardExtras, render_card
from t2i.snapshots.load import load_generator
from t2i.snapshots.record import Snapshot
from t2i.snapshots.resolve import resolve
from t2i.snapshots.save import save_snapshot
from t2i.training.settings import read_run
from t2i_starter.plugin import INDEX, t2i_weights

SNAPSHOTS = INDEX.parent / "snapshots"
NOTES = Path(__file__).parents[2] / "notes"  # next to src, so it is not shipped
SHEET = "samples.png"
COLUMNS = 8


def bundle(run: Path, name: str) -> WeightsSpec:
    """Save the newest snapshot of `run` as snapshots/NAME and add it to the index.

    Its card shows the run's sample prompts drawn by the bundled weights, ends with notes/NAME.md if that exists
    (what a person saw in the pictures), and keeps earlier scores of the same weights. The index lists those
    that were measured with the snapshot's own options.

    Raises:
        T2IError: the run is not a model, or belongs to another technique.
    """
    wanted = ModelName.parse(name)
    model, tag = wanted.technique, wanted.tag
    source = resolve(str(run))
    facts = source.config.facts
    if source.config.technique != model or not tag:
        raise T2IError(f"Expected the name {source.config.technique!r}, a dot and a tag, got {name!r}.")
    generator = load_generator(source)
    folder = SNAPSHOTS / name
    scores = read_card_scores(folder / CARD)
    shutil.rmtree(folder, ignore_errors=True)
    save_snapshot(generator, folder, facts, torch.float16)
    snapshot = resolve(f"local-dir:{folder}")
    scores = [replace(row, model=name) for row in scores if row.weights_sha256 == snapshot.config.weights_sha256]
    as_drawn = generator.options(**facts.options).model_dump(mode="json")
    _write_card(snapshot, run, name, scores)
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
        scores={
            row.metric: PublishedScore(row.score.value, row.score.standard_error, row.score.protocol["data"])
            for row in scores
            if row.options == as_drawn
        },
    )
    entries = {old.name: old for old in t2i_weights()} | {name: spec}
    index = [asdict(entry) for _, entry in sorted(entries.items())]
    write_atomic(INDEX, (json.dumps(index, indent=2) + "\n").encode())
    return spec


def _write_card(snapshot: Snapshot, run: Path, name: str, scores: Sequence[Scored]) -> None:
    prompts = read_run(run).train.sample_prompts
    images = pipeline(snapshot.name)(prompts, seed=0).images
    sheet = grid(images, COLUMNS, prompts, scale=max(1, 96 // images[0].width))
    write_atomic(snapshot.folder / SHEET, png_bytes(sheet))
    card, notes = snapshot.folder / CARD, NOTES / f"{name}.md"
    text = render_card(snapshot.config, CardExtras(name=name, packages="t2i-starter", title=name, picture=SHEET))
    if notes.is_file():
        text += f"\n{notes.read_text(encoding='utf-8')}"
    write_atomic(card, text.encode())
    if scores:
        write_card_scores(card, scores)
