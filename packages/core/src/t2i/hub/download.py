"""Snapshots from the Hugging Face Hub or its cache; huggingface_hub does the fetching and keeping."""

from __future__ import annotations

import re
from pathlib import Path

from t2i.errors import InvalidInputError, OfflineError, SnapshotError

PATTERNS = ["config.json", "model.safetensors", "golden.safetensors", "README.md"]


def download(repo: str, revision: str | None, patterns: list[str] = PATTERNS) -> tuple[Path, str]:
    """The snapshot of `repo` at `revision`: from the cache where it is pinned and there, else from the Hub.

    Args:
        patterns: the files wanted, others are left there; by default those of a snapshot of ours.

    Returns:
        Its folder and the full commit hash.

    Raises:
        InvalidInputError: `repo` is not "org/name".
        OfflineError: it is not in the cache and the Hub cannot be reached (or HF_HUB_OFFLINE forbids it).
        SnapshotError: the Hub has no such repository or revision.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    where = f"{repo}@{revision}" if revision else repo
    pinned = bool(revision and re.fullmatch(r"[0-9a-f]{40}", revision))
    try:
        try:
            folder = Path(snapshot_download(repo, revision=revision, allow_patterns=patterns, local_files_only=pinned))
        except LocalEntryNotFoundError:
            if not pinned:
                raise
            folder = Path(snapshot_download(repo, revision=revision, allow_patterns=patterns))
    except HFValidationError as error:
        raise InvalidInputError(f"A Hub model is named org/name, but {repo!r} came ({error}).") from None
    except (RepositoryNotFoundError, RevisionNotFoundError):
        raise SnapshotError(f"The Hub has no {where}, or it is private. Check the name, or `hf auth login`.") from None
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise OfflineError(
            f"{where} is not on this machine, and the Hub cannot be reached ({type(error).__name__}). "
            f"Connect and unset HF_HUB_OFFLINE, or use a bundled model (t2i models)."
        ) from None
    return folder, folder.name
