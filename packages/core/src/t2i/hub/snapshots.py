"""A model on disk: config.json, model.safetensors, golden.safetensors and its card. Found, verified, loaded, saved.

A name resolves, in this order, to: a local folder; a snapshot bundled in an installed distribution; the Hugging
Face cache; the Hub. Wherever it came from, its sha256 is verified before a tensor is used.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from pydantic import Field, NonNegativeFloat
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from t2i.config import Config, parse_config
from t2i.errors import IntegrityError, SnapshotError, UnknownNameError
from t2i.files import atomic_folder, sha256_of
from t2i.generator import Generator, Noise
from t2i.hub.card import render_card
from t2i.hub.layout import CARD, CONFIG, GOLDEN, WEIGHTS, check_config_size, check_listing, check_not_pickled
from t2i.hub.weights import load_weights
from t2i.registry.models import weights_spec
from t2i.registry.plugins import registry
from t2i.registry.specs import ModelSpec, bundled_folder, load_target
from t2i.text import EncoderIdentity, TextEmbedding

GOLDEN_TOLERANCE = 1e-3  # of [-1, 1]; devices and libraries round differently


class SnapshotFacts(Config):
    """What a snapshot says of itself beside its config."""

    text_encoder: EncoderIdentity | None = None
    dataset: str = ""
    license: str = "unknown"
    steps: int = Field(0, ge=0)
    images_seen: int = Field(0, ge=0)
    options: dict[str, Any] = Field(
        default_factory=dict, description="the generator's options at which it draws best: its defaults"
    )
    training_seconds: dict[str, NonNegativeFloat] = Field(
        default_factory=dict, description="spent training, by device, over all resumes"
    )
    command: str = Field("", description="what makes these weights again")
    source: str = Field("", description="the file of other code they were converted from, with its sha256")

    def after(self, steps: int, images_seen: int, training_seconds: Mapping[str, float]) -> SnapshotFacts:
        """The same facts later in a run."""
        later = {"steps": steps, "images_seen": images_seen, "training_seconds": dict(training_seconds)}
        return self.model_copy(update=later)


class SnapshotConfig(Config):
    """config.json."""

    format: Literal[1] = 1
    technique: str
    config: dict[str, Any]
    facts: SnapshotFacts
    weights_sha256: str


@dataclass(frozen=True)
class Snapshot:
    """A resolved, verified snapshot.

    Attributes:
        name: what was asked for; resolves to it again.
        folder: where it lies.
        config: its config.json.
        revision: on the Hub, or "".
    """

    name: str
    folder: Path
    config: SnapshotConfig
    revision: str = ""


def resolve(name: str) -> Snapshot:
    """Find and verify a snapshot.

    Args:
        name: "technique[.tag]", "local-dir:path", "hf-hub:org/repo[@revision]", or a path to a snapshot or run.

    Raises:
        UnknownNameError: nothing goes by that name.
        CheckpointError: it is a run folder without a whole checkpoint.
        OfflineError: it is on the Hub, not here, and the Hub cannot be reached.
        IntegrityError: its weights are not those that were published.
        SnapshotError: a file is missing or unreadable.
    """
    if name.startswith("local-dir:"):
        return _open(name, _model_folder(Path(name.removeprefix("local-dir:"))))
    if name.startswith("hf-hub:"):
        repo, _, revision = name.removeprefix("hf-hub:").partition("@")
        return _open_from_hub(name, repo, revision or None)
    if Path(name).is_dir():
        return _open(name, _model_folder(Path(name)))
    if "/" in name:
        raise UnknownNameError(f"There is no folder {name}. Give a run folder, a snapshot or a model's name.")
    spec = weights_spec(name)
    if spec.bundled:
        return _open(spec.name, bundled_folder(spec), spec.sha256)
    if not spec.repo:
        raise SnapshotError(f"{spec.name} is declared without saying where its files are. Update its distribution.")
    return _open_from_hub(spec.name, spec.repo, spec.revision or None, spec.sha256)


def load_generator(snapshot: Snapshot, device: torch.device | str = "cpu") -> Generator:
    """Build the snapshot's generator and load its weights, every key used.

    Raises:
        UnknownNameError, PluginError: its technique is not installed or cannot be used.
        InvalidConfigError: its config has a field the technique does not know.
        SnapshotError: its tensors cannot be read, do not fit the config, or are not finite.
    """
    spec, _ = registry().get(ModelSpec, snapshot.config.technique)
    config = parse_config(load_target(spec.config), snapshot.config.config, f"{snapshot.folder / CONFIG}")
    technique = load_target(spec.target)
    generator = load_weights(lambda: cast(Generator, technique(config)), snapshot.folder / WEIGHTS)
    return generator.eval().requires_grad_(False).to(device)


def save_snapshot(generator: Generator, folder: Path, facts: SnapshotFacts, dtype: torch.dtype = torch.float32) -> Path:
    """Write `generator` as a snapshot; `folder` must not exist, and appears whole or not at all.

    Args:
        dtype: of the weights on disk. torch.float16 halves the file; the golden pictures are then those that the
            rounded weights draw.

    Raises:
        OutputError: the folder is there already, or cannot be written.
    """
    with atomic_folder(folder) as scratch:
        if dtype != torch.float32:
            generator = copy.deepcopy(generator).to(dtype).float()
        tensors = {
            name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).cpu().contiguous()
            for name, tensor in generator.state_dict().items()
        }
        save_file(tensors, scratch / WEIGHTS, metadata={"format": "pt"})
        save_file(_golden(generator), scratch / GOLDEN)
        config = SnapshotConfig(
            technique=generator.technique,
            config=generator.config.model_dump(mode="json"),
            facts=facts,
            weights_sha256=sha256_of(scratch / WEIGHTS),
        )
        (scratch / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (scratch / CARD).write_text(render_card(config), encoding="utf-8")
    return folder


def golden_error(snapshot: Snapshot, generator: Generator) -> float:
    """The largest difference, in [-1, 1] units, between the pictures `generator` draws and the golden ones.

    Raises:
        SnapshotError: the snapshot has no readable golden tensors.
    """
    try:
        golden = {name: tensor.clone() for name, tensor in load_file(snapshot.folder / GOLDEN).items()}  # aligned anew
    except (OSError, SafetensorError) as error:
        raise SnapshotError(f"{snapshot.folder} has no readable {GOLDEN} ({error}).") from None
    missing = {"sentence", "words", "mask", "seeds", "images"} - golden.keys()
    if missing:
        raise SnapshotError(f"{snapshot.folder} has no readable {GOLDEN} (it lacks {', '.join(sorted(missing))}).")
    return float((_draw_golden(generator, golden) - golden["images"]).abs().max())


def _golden(generator: Generator) -> dict[str, Tensor]:
    stream = torch.Generator().manual_seed(0)
    words = torch.randn(2, 3, generator.text_dim, generator=stream) / generator.text_dim**0.5
    golden = {
        "sentence": words.mean(1),
        "words": words,
        "mask": torch.ones(2, 3, dtype=torch.bool),
        "seeds": torch.tensor([0, 1]),
    }
    return golden | {"images": _draw_golden(generator, golden)}


@torch.inference_mode()
def _draw_golden(generator: Generator, golden: Mapping[str, Tensor]) -> Tensor:
    device = next(generator.parameters()).device
    text = TextEmbedding(golden["sentence"], golden["words"], golden["mask"]).to(device)
    modes = [(module, module.training) for module in generator.modules()]
    generator.eval()  # as it is loaded; a batch norm in training would draw otherwise, and change
    try:
        return generator.generate(text, Noise(golden["seeds"].tolist(), device)).cpu().contiguous()
    finally:
        for module, mode in modes:
            module.training = mode


def _model_folder(path: Path) -> Path:
    """`path` itself where it is a snapshot; the newest whole checkpoint's snapshot where it is a run."""
    if not path.is_dir():
        raise UnknownNameError(f"There is no folder {path}. Give a run folder, a snapshot or a model's name.")
    if (path / CONFIG).exists():
        return path
    check_not_pickled(str(path), [entry.name for entry in path.iterdir()])
    from t2i.training.checkpoint import latest_checkpoint

    return latest_checkpoint(path).snapshot


def _open_from_hub(name: str, repo: str, revision: str | None, sha256: str | None = None) -> Snapshot:
    from t2i.hub.download import fetched

    with fetched(repo, revision, sha256=sha256) as (folder, commit):
        return _open(name, folder, sha256, commit)


def _open(name: str, folder: Path, sha256: str | None = None, revision: str = "") -> Snapshot:
    try:
        sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.exists()}
    except OSError as error:
        raise SnapshotError(f"{name} is in {folder}, which cannot be read ({error.strerror}).") from None
    check_listing(str(folder), sizes)
    config = read_config(folder)
    expected = sha256 or config.weights_sha256
    try:
        found = sha256_of(folder / WEIGHTS)
    except OSError as error:
        raise SnapshotError(f"{folder} holds no readable {WEIGHTS} ({error.strerror}). Fetch it again.") from None
    if found != expected:
        raise IntegrityError(
            f"{folder / WEIGHTS} must have the sha256 {expected}, but has {found}: it is damaged, cut short or "
            f"not the published file. {'Fetch' if revision else 'Delete it and fetch or install'} it again."
        )
    return Snapshot(name, folder, config, revision)


def read_config(folder: Path) -> SnapshotConfig:
    """The config.json of a snapshot folder; torch's tensors are not touched.

    Raises:
        SnapshotError: it is missing, too large or no JSON object.
        InvalidConfigError: it has an unknown field, or a value does not fit.
    """
    path = folder / CONFIG
    try:
        check_config_size(str(path), path.stat().st_size)
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SnapshotError(f"{folder} holds no readable {CONFIG} ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"{path} is not JSON ({error}).") from None
    if not isinstance(values, dict):
        raise SnapshotError(f"{path} must hold a JSON object, but holds a {type(values).__name__}.")
    return parse_config(SnapshotConfig, values, str(path))
