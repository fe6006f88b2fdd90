"""Files of a repository on the Hub: those that were used first, confirmed if large, and verified. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from t2i.drawing.opening import Opening
from t2i.errors import IntegrityError, InvalidInputError, OfflineError
from t2i.hub.download import download, remember
from t2i.hub.listing import ask, license_of
from t2i.registry.names import ModelName
from t2i_diffusers.files.hashes import file_id, known_sha256
from t2i_diffusers.files.lock import Locked, changed_files, read_lock, write_lock
from t2i_diffusers.files.machine import check_disk, gigabytes

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

LARGE_BYTES = 500_000_000  # a download of more is confirmed first
MAIN = "main"


@dataclass(frozen=True)
class Use:
    """What a repository is used as. A repository may be both: then each use has its own entries in the lock.

    Attributes:
        option: the command line's, which names the repository.
        prefix: of its entries' names in the lock; no branch or tag has a colon in its name.
    """

    option: str
    prefix: str


MODEL, LORA = Use("--model", ""), Use("--lora", "lora:")


@dataclass(frozen=True)
class Remote:
    """What the Hub, or the lock if the Hub is unreachable, says of a repository's commit."""

    locked: Locked
    sizes: Mapping[str, int]
    gated: bool


def used_first(name: ModelName, use: Use) -> Locked | None:
    """The lock's entry for the revision that `name` asks for.

    Raises:
        SnapshotError: the lock is damaged.
    """
    return read_lock(name.repo).revisions.get(use.prefix + (name.revision or MAIN))


def find_remote(name: ModelName, before: Locked | None) -> Remote:
    """The files of the revision; from the lock if it is a known commit or the Hub is unreachable.

    Args:
        before: what was used first.

    Raises:
        SnapshotError: the Hub refuses, or has no such repository.
        OfflineError: it was never used, and the Hub cannot be reached.
    """
    revision = name.revision or MAIN
    if before is not None and before.commit == revision:
        return Remote(before, {}, gated=False)
    try:
        return remote_files(ask(name.repo, revision))
    except OfflineError as error:
        if before is None:
            raise OfflineError(f"{name} is not on this machine. {error}") from None
        return Remote(before, {}, gated=False)


def remote_files(found: ModelInfo) -> Remote:
    """The files of a repository in the Hub's listing."""
    files = {file.rfilename: file for file in found.siblings or ()}
    ids = {name: (file.lfs.sha256 if file.lfs else file.blob_id) or "" for name, file in files.items()}
    locked = Locked(commit=str(found.sha), license=license_of(found), files={n: i for n, i in ids.items() if i})
    return Remote(locked, {name: file.size or 0 for name, file in files.items()}, gated=bool(found.gated))


def check_unchanged(name: ModelName, use: Use, before: Locked | None, now: Locked, accept_new: bool) -> None:
    """
    Raises:
        IntegrityError: the files are not those that were used first, and new ones are not accepted.
    """
    changed = changed_files(before, now.files) if before is not None else []
    if before is None or not changed or accept_new:
        return
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    raise IntegrityError(
        f"{name} must have the files that were used first (commit {before.commit[:12]}), but commit {now.commit[:12]} "
        f"has other ones: {', '.join(changed[:3])}{more}. To use the first ones, "
        f"name {name.pinned(before.commit)}. To use the new ones from now on, draw once with "
        f"t2i generate {use.option} {name} --accept-new"
    )


def prepare_download(
    name: ModelName,
    remote: Remote,
    files: Sequence[str],
    opening: Opening,
    too_small: Callable[[Mapping[str, int]], str] = lambda sizes: "",
) -> None:
    """Check disk and memory, and ask before a large download; nothing happens if all files are there.

    Args:
        too_small: bytes of every file -> a sentence if this machine has too little memory for them, else "".

    Raises:
        OutputError: the disk is too small.
        InvalidInputError: the user does not confirm the download.
    """
    from huggingface_hub import constants, try_to_load_from_cache

    locked = remote.locked
    missing = [
        file for file in files if not isinstance(try_to_load_from_cache(name.repo, file, revision=locked.commit), str)
    ]
    if missing and not remote.sizes:  # a lock knows a commit's files, but not their sizes
        with suppress(OfflineError):  # then the download says what is missing
            remote = remote_files(ask(name.repo, locked.commit))
    needed = sum(remote.sizes.get(file, 0) for file in missing)
    if not needed:
        return
    check_disk(Path(constants.HF_HUB_CACHE), needed, str(name))
    small = too_small(remote.sizes)
    if needed <= LARGE_BYTES and not small:
        return
    gate = " Its authors ask you to accept terms on its page first." if remote.gated else ""
    question = (
        f"Download {gigabytes(needed)} of {name.repo} ({_licenses(locked)}).{gate}"
        f"{' ' + small if small else ''}\nContinue?"
    )
    if not opening.confirm(question):
        raise InvalidInputError(f"The download of {name} was not confirmed, so nothing was downloaded.")


def _licenses(locked: Locked) -> str:
    """The repository's licence, and those of components that have another one."""
    others = [f"{part}: {named}" for part, named in locked.licenses.items() if named != locked.license]
    return "; ".join([f"licence: {locked.license}", *others])


def fetch(
    name: ModelName, use: Use, locked: Locked, weights: Sequence[str], others: Sequence[str] = ()
) -> tuple[Path, dict[str, str]]:
    """Download what is missing, verify every file, and remember commit and hashes in the lock.

    Args:
        others: files that are not weights; those that the lock does not name, such as the card, may change.

    Returns:
        The folder, and the sha256 of each weights file.

    Raises:
        IntegrityError: a file differs from what the Hub says of it; it is removed from the cache.
        OfflineError, SnapshotError: it cannot be downloaded.
        OutputError: the lock cannot be written.
    """
    folder, _ = download(name.repo, locked.commit, (*weights, *others))
    for file in others:
        if file in locked.files:
            check_file(folder, file, locked.files[file], str(name))
    sha256 = {file: check_file(folder, file, locked.files[file], str(name)) for file in weights}
    revision = name.revision or MAIN
    for key in (revision, locked.commit):
        write_lock(name.repo, use.prefix + key, locked)
    if revision != locked.commit:
        remember(folder, revision, locked.commit)
    return folder, sha256


def check_file(folder: Path, file: str, expected: str, where: str) -> str:
    """The sha256 of a file with this id.

    Raises:
        IntegrityError: it has another id; it is removed from the cache.
    """
    found = file_id(folder / file, expected)
    if found != expected:
        blob = (folder / file).resolve()
        (folder / file).unlink(missing_ok=True)
        blob.unlink(missing_ok=True)
        raise IntegrityError(
            f"{file} of {where} must have the hash {expected}, as the Hub says, but has {found}: it is damaged. It was "
            f"removed from the cache; the same command downloads it again."
        )
    return found if len(found) == 64 else known_sha256(folder / file)
