"""Load, save and publish a model, with the function names that Hub users know."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2i.config import parse_config
from t2i.publishing.push import Target, push_generator
from t2i.snapshots.load import load_generator
from t2i.snapshots.record import SnapshotFacts
from t2i.snapshots.resolve import resolve
from t2i.snapshots.save import save_snapshot

if TYPE_CHECKING:
    import torch

    from t2i.generator import Generator


def from_pretrained(name: str, *, device: torch.device | str = "cpu") -> Generator:
    """Load a model with its weights.

    Args:
        name: "technique", "technique.tag", "hf-hub:org/repo[@revision]", "local-dir:path", or a path to a snapshot
            or run folder.
        device: the device of its tensors.

    Raises:
        UnknownNameError, SnapshotError: as in `t2i.snapshots.resolve.resolve` and `t2i.snapshots.load.load_generator`.
    """
    return load_generator(resolve(name), device)


def save_pretrained(model: Generator, folder: str | Path, **facts: Any) -> Path:
    """Write a snapshot: config.json, model.safetensors, golden.safetensors and the card README.md.

    Args:
        model: its tensors may be on any device.
        folder: a folder that does not exist yet; it appears complete or not at all.
        facts: fields of `t2i.snapshots.record.SnapshotFacts`, such as the text encoder's identity.

    Returns:
        The folder.

    Raises:
        InvalidConfigError: a fact is unknown, or its value does not fit.
        OutputError: the folder already exists, or cannot be written.
    """
    return save_snapshot(model, Path(folder), parse_config(SnapshotFacts, facts, "save_pretrained"))


def push_to_hub(
    model: Generator,
    repo: str,
    *,
    private: bool = False,
    create_pr: bool = False,
    revision: str | None = None,
    **facts: Any,
) -> str:
    """Publish a model on the Hugging Face Hub.

    Args:
        model: as in `save_pretrained`.
        repo: "org/name"; created if it does not exist.
        private, create_pr, revision: see `t2i.publishing.push.Target`.
        facts: fields of `t2i.snapshots.record.SnapshotFacts`.

    Returns:
        The address of the commit or pull request.

    Raises:
        InvalidInputError: the repository's name or a fact is not valid.
        SnapshotError: the Hub refuses; the message says why.
    """
    target = Target(repo, private, create_pr, revision)
    return push_generator(model, target, parse_config(SnapshotFacts, facts, "push_to_hub")).address
