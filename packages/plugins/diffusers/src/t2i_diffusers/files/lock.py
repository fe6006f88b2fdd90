"""Which files of a repository were used first: a file per repository, next to the Hugging Face cache.

A lock remembers, for each branch or tag, the commit that was used and an id of every file: the sha256 of weights, the
git hash of small files. Later uses must find the same files until the user accepts new ones. A repository that is used
as a LoRA has entries of its own, "lora:" and the branch, tag or commit. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from t2i.config import Config, parse_config
from t2i.errors import SnapshotError
from t2i.files import read_json, write_atomic

FOLDER = "t2i-locks"
FileId = Annotated[str, Field(pattern="^([0-9a-f]{40}|[0-9a-f]{64})$")]


class Locked(Config):
    """What a branch, tag or commit was when it was first used.

    Attributes:
        commit: 40 hex digits.
        license: as the Hub named it then.
        licenses: of each component with weights, by its name; a lock of an older version has none.
        files: the id of every file of the repository that was used, by its name.
    """

    commit: str = Field(pattern="^[0-9a-f]{40}$")
    license: str = "unknown"
    licenses: dict[str, str] = Field(default_factory=dict)
    files: dict[str, FileId]


class LockFile(Config):
    """The content of a lock."""

    repo: str
    revisions: dict[str, Locked] = Field(default_factory=dict)


def lock_path(repo: str) -> Path:
    """The lock of a repository."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE).parent / FOLDER / f"{re.sub(r'[^A-Za-z0-9._-]', '--', repo)}.json"


def read_lock(repo: str) -> LockFile:
    """The lock of a repository; an empty one if it was never used.

    Raises:
        SnapshotError: the lock is damaged.
    """
    path = lock_path(repo)
    try:
        return parse_config(LockFile, read_json(path), str(path))
    except FileNotFoundError:
        return LockFile(repo=repo)
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotError(
            f"The record of the files that were used first, {path}, cannot be read ({error}). If you delete it, the "
            f"files that the Hub has now are recorded as the first ones."
        ) from None


def write_lock(repo: str, revision: str, locked: Locked) -> None:
    """Remember what `revision` is.

    Raises:
        OutputError: the lock cannot be written.
    """
    lock = read_lock(repo)
    if lock.revisions.get(revision) != locked:
        lock = lock.model_copy(update={"revisions": {**lock.revisions, revision: locked}})
        write_atomic(lock_path(repo), (lock.model_dump_json(indent=2) + "\n").encode())


def changed_files(locked: Locked, files: Mapping[str, str]) -> list[str]:
    """The files that differ from the locked ones, among those that both have; and those that only one has."""
    names = {*locked.files, *files}
    return sorted(name for name in names if locked.files.get(name) != files.get(name))
