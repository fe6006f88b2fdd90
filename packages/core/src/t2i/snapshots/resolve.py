"""Finds and verifies a model on disk: config.json, model.safetensors, golden.safetensors and its card.

A registered name resolves, in this order, to: a snapshot bundled in an installed distribution; the Hugging Face cache;
the Hub. In each case its sha256 is verified before a tensor is used.
"""

from __future__ import annotations

from pathlib import Path

from t2i.errors import IntegrityError, SnapshotError
from t2i.files import sha256_of
from t2i.hub.layout import CONFIG, WEIGHTS, check_listing, check_not_pickled
from t2i.registry.describe import weights_spec
from t2i.registry.names import ModelName, check_folder
from t2i.registry.specs import bundled_folder
from t2i.runs.folder import RunFolder
from t2i.snapshots.record import Snapshot, read_config


def resolve(name: str, sha256: str | None = None) -> Snapshot:
    """Find and verify a snapshot.

    Args:
        name: a name as described in `t2i.registry.names`.
        sha256: of its weights, for a Hub model whose name does not imply it; other weights are not downloaded.

    Raises:
        InvalidInputError: it is not a valid model name.
        UnknownNameError: nothing has that name.
        CheckpointError: it is a run folder without a complete checkpoint.
        OfflineError: it is not in the cache, and the Hub cannot be reached.
        IntegrityError: its weights are not those that were published.
        SnapshotError: a file is missing or unreadable.
    """
    asked = ModelName.parse(name)
    if asked.kind == "folder":
        return _open(name, model_folder(asked.folder))
    if asked.kind == "hub":
        return _open_from_hub(name, asked.repo, asked.revision or None, sha256)
    spec = weights_spec(name)
    if spec.bundled:
        return _open(spec.name, bundled_folder(spec), spec.sha256)
    if not spec.repo:
        raise SnapshotError(f"{spec.name} is declared without the location of its files. Update its distribution.")
    return _open_from_hub(spec.name, spec.repo, spec.revision or None, spec.sha256)


def model_folder(path: Path) -> Path:
    """`path` itself if it is a snapshot; the newest complete checkpoint's snapshot if it is a run."""
    check_folder(path)
    if (path / CONFIG).exists():
        return path
    check_not_pickled(str(path), [entry.name for entry in path.iterdir()])
    run = RunFolder(path)
    if not run.settings.exists() and not run.checkpoints_folder.exists():
        raise SnapshotError(
            f"The folder {path} holds no model: a snapshot has a {CONFIG} and a run has a {run.settings.name}, and it "
            f"has neither. Give another folder, or a model's name."
        )
    from t2i.runs.checkpoints import latest_checkpoint

    return latest_checkpoint(path).snapshot


def _open_from_hub(name: str, repo: str, revision: str | None, sha256: str | None = None) -> Snapshot:
    from t2i.hub.download import fetched

    with fetched(repo, revision, sha256=sha256) as (folder, commit):
        return _open(name, folder, sha256, commit)


def _found(weights: Path) -> str:
    """What a weights file is, as part of a sentence: its sha256, or what is wrong with it.

    The header is checked before the file is hashed, because it is read at once and hashing may take minutes.
    """
    from safetensors import SafetensorError

    from t2i.snapshots.weights import check_header

    try:
        check_header(weights)
        return sha256_of(weights)
    except OSError as error:
        raise SnapshotError(
            f"{weights.parent} has no readable {WEIGHTS} ({error.strerror}). Download it again."
        ) from None
    except SafetensorError as error:
        return f"no readable safetensors header ({error})"


def _open(name: str, folder: Path, sha256: str | None = None, revision: str = "") -> Snapshot:
    try:
        sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.exists()}
    except OSError as error:
        raise SnapshotError(f"{name} is in {folder}, which cannot be read ({error.strerror}).") from None
    check_listing(str(folder), sizes)
    config = read_config(folder)
    expected = sha256 or config.weights_sha256
    found = _found(folder / WEIGHTS)
    if found != expected:
        raise IntegrityError(
            f"{folder / WEIGHTS} must have the sha256 {expected}, but has {found}: it is damaged, truncated or "
            f"not the published file. {'Download' if revision else 'Delete it and download or install'} it again."
        )
    return Snapshot(name, folder, config, revision)
