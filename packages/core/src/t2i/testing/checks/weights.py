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

PICKLES = (b"\x80", b"PK\x03\x04")  # the first bytes of a pickle and of torch's zip of pickles
WEIGHTS_CHECKS: Checks[WeightsSpec] = Checks()


@WEIGHTS_CHECKS.add(
    why="a file that is not the published one draws different or worse pictures",
    remedy="publish the file again, or correct sha256 and size_bytes in plugin.py",
)
def is_the_published_file(spec: WeightsSpec) -> None:
    size = (resolve(spec.name).folder / WEIGHTS).stat().st_size
    assert size == spec.size_bytes, f"{WEIGHTS} must have {spec.size_bytes} bytes as declared, got {size}"


@WEIGHTS_CHECKS.add(
    why="a key that is missing or ignored gives a model that silently draws worse",
    remedy="save the snapshot again from the run, with the technique's released code",
)
def loads_key_by_key(spec: WeightsSpec) -> None:
    generator = load_generator(resolve(spec.name))
    drawn, said = generator.resolution, spec.resolution
    assert drawn == said, f"it must draw {said} px as declared, but its config says {drawn}"


@WEIGHTS_CHECKS.add(
    why="the golden pictures are what its author saw",
    remedy="find what changed in the technique's code since the weights were made",
)
def golden_pictures_are_drawn_again(spec: WeightsSpec) -> None:
    snapshot = resolve(spec.name)
    error = golden_error(snapshot, load_generator(snapshot))
    assert error <= GOLDEN_TOLERANCE, (
        f"golden pictures must match within {GOLDEN_TOLERANCE:g}, but differ by {error:.3g}"
    )


@WEIGHTS_CHECKS.add(
    why="a single NaN makes every picture black",
    remedy="publish an earlier checkpoint",
)
def every_weight_is_finite(spec: WeightsSpec) -> None:
    tensors = load_file(resolve(spec.name).folder / WEIGHTS)
    bad = [name for name, tensor in tensors.items() if not torch.isfinite(tensor.float()).all()]
    assert not bad, f"weights must be finite numbers, but some in {', '.join(bad)} are not"


@WEIGHTS_CHECKS.add(
    why="unpickling runs code, and users must be able to open untrusted weights",
    remedy="publish only config.json, the safetensors files and the card",
)
def holds_no_pickle(spec: WeightsSpec) -> None:
    folder = resolve(spec.name).folder
    pickles = [path.name for path in folder.rglob("*") if path.is_file() and path.read_bytes()[:4].startswith(PICKLES)]
    assert not pickles, f"a snapshot must not contain a pickle, but {', '.join(pickles)} looks like one"


@WEIGHTS_CHECKS.add(
    why="users must know its licence and its text encoder",
    remedy="put licence and text encoder into the snapshot's facts (save_pretrained(license=...)), as in plugin.py",
)
def has_a_card_that_says_licence_and_text_encoder(spec: WeightsSpec) -> None:
    snapshot = resolve(spec.name)
    facts, card = snapshot.config.facts, snapshot.folder / CARD
    assert card.is_file(), f"{snapshot.folder} has no card ({CARD})"
    _, head, text = [*card.read_text(encoding="utf-8").split("---\n", 2), "", ""][:3]
    licence = (yaml.safe_load(head) or {}).get("license", "") if head else ""
    assert text.strip(), f"{card} is empty below its header"
    assert licence == spec.license.lower(), (
        f"plugin.py says {spec.license}, but the card's header says {licence or 'nothing'}"
    )
    assert facts.license == spec.license, f"plugin.py says {spec.license}, but config.json says {facts.license}"
    encoder = facts.text_encoder.name if facts.text_encoder else "nothing"
    assert encoder == spec.text_encoder, f"plugin.py says text encoder {spec.text_encoder}, config.json says {encoder}"
