"""What every set of pretrained weights promises; the subject is its spec."""

from __future__ import annotations

import torch
import yaml
from safetensors.torch import load_file

from t2i.hub.layout import CARD, WEIGHTS
from t2i.registry.specs import WeightsSpec
from t2i.snapshots.golden import GOLDEN_TOLERANCE, golden_error
from t2i.snapshots.load import load_generator
from t2i.snapshots.resolve import resolve
from t2i.testing.checks.check import Checks

PICKLES = (b"\x80", b"PK\x03\x04")  # how a pickle and torch's zip of pickles begin
WEIGHTS_CHECKS: Checks[WeightsSpec] = Checks()


@WEIGHTS_CHECKS.add(
    why="a file that is not the published one draws something else, or worse",
    remedy="publish the file again, or correct sha256 and size_bytes in plugin.py",
)
def is_the_published_file(spec: WeightsSpec) -> None:
    size = (resolve(spec.name).folder / WEIGHTS).stat().st_size
    assert size == spec.size_bytes, f"{WEIGHTS} has {spec.size_bytes} bytes by its declaration, but {size} came"


@WEIGHTS_CHECKS.add(
    why="a key that is left out or ignored is a model that silently draws worse",
    remedy="save the snapshot again from the run, with the technique's released code",
)
def loads_key_by_key(spec: WeightsSpec) -> None:
    generator = load_generator(resolve(spec.name))
    drawn, said = generator.resolution, spec.resolution
    assert drawn == said, f"it draws {said} px by its declaration, but {drawn} by its config"


@WEIGHTS_CHECKS.add(
    why="the golden pictures are what its author saw",
    remedy="find what changed in the technique's code since the weights were made",
)
def golden_pictures_are_drawn_again(spec: WeightsSpec) -> None:
    snapshot = resolve(spec.name)
    error = golden_error(snapshot, load_generator(snapshot))
    assert error <= GOLDEN_TOLERANCE, f"golden pictures are met within {GOLDEN_TOLERANCE:g}, but missed by {error:.3g}"


@WEIGHTS_CHECKS.add(
    why="one number that is none makes every picture black",
    remedy="publish an earlier checkpoint",
)
def every_weight_is_finite(spec: WeightsSpec) -> None:
    tensors = load_file(resolve(spec.name).folder / WEIGHTS)
    bad = [name for name, tensor in tensors.items() if not torch.isfinite(tensor.float()).all()]
    assert not bad, f"weights are finite numbers, but some in {', '.join(bad)} are not"


@WEIGHTS_CHECKS.add(
    why="unpickling runs code; weights are opened by people who trust nobody",
    remedy="publish config.json, the safetensors and the card alone",
)
def holds_no_pickle(spec: WeightsSpec) -> None:
    folder = resolve(spec.name).folder
    pickles = [path.name for path in folder.rglob("*") if path.is_file() and path.read_bytes()[:4].startswith(PICKLES)]
    assert not pickles, f"a snapshot holds no pickle, but {', '.join(pickles)} begins like one"


@WEIGHTS_CHECKS.add(
    why="people must know what they may do with it, and with which text encoder it works",
    remedy="say licence and text encoder in the snapshot's facts (save_pretrained(license=...)), as plugin.py does",
)
def has_a_card_that_says_licence_and_text_encoder(spec: WeightsSpec) -> None:
    snapshot = resolve(spec.name)
    facts, card = snapshot.config.facts, snapshot.folder / CARD
    assert card.is_file(), f"{snapshot.folder} has no card ({CARD})"
    _, head, text = [*card.read_text(encoding="utf-8").split("---\n", 2), "", ""][:3]
    licence = (yaml.safe_load(head) or {}).get("license", "") if head else ""
    assert text.strip(), f"{card} says nothing below its head"
    assert licence == spec.license.lower(), f"plugin.py says {spec.license}, but the card's head {licence or 'nothing'}"
    assert facts.license == spec.license, f"plugin.py says {spec.license}, but config.json {facts.license}"
    encoder = facts.text_encoder.name if facts.text_encoder else "nothing"
    assert encoder == spec.text_encoder, f"plugin.py says {spec.text_encoder} reads its captions, config.json {encoder}"
