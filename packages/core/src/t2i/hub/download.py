"""Snapshots from the Hugging Face Hub or its cache; huggingface_hub does the downloading and caching.

A commit that is in the cache is used without a request. A branch or tag needs one request for its commit and list of
files. So unusable files are refused before they are downloaded, and the commit of a branch is remembered only after
its files have been verified: a bad commit never replaces a good one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from t2i.errors import IntegrityError, InvalidInputError, OfflineError, OutputError, SnapshotError, T2IError
from t2i.files import sha256_of, write_atomic
from t2i.hub.client import asking
from t2i.hub.layout import CARD, CONFIG, FILES, GOLDEN, WEIGHTS, check_config_size, check_listing
from t2i.hub.listing import COMMIT, listing
from t2i.registry.names import ModelName

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

REVISION = re.compile(r"(?!.*(\.\.|//))\w([\w./+-]*\w)?")  # a git ref, except for what could escape from a path

log = logging.getLogger(__name__)


@contextmanager
def fetched(
    repo: str,
    revision: str | None,
    patterns: Sequence[str] = FILES,
    sha256: str | None = None,
    max_bytes: int | None = None,
) -> Iterator[tuple[Path, str]]:
    """The snapshot of `repo` at `revision`, for a block that verifies it: its folder and the full commit hash.

    If the block raises IntegrityError, the weights are removed from the cache, and the cached branch keeps pointing
    to its previous commit.

    Args:
        repo: "org/name".
        revision: a commit, branch or tag; by default "main".
        patterns: the files to download; by default those of a t2i snapshot. A copy in the cache is used if it has
            every file named without a wildcard; shards of model.safetensors count as that file.
        sha256: of model.safetensors, if known; a file with another hash is not downloaded.
        max_bytes: the largest file to download; by default there is no limit.

    Raises:
        InvalidInputError: `repo` is not "org/name", or `revision` is not valid.
        OfflineError: it is not in the cache and the Hub cannot be reached (or HF_HUB_OFFLINE forbids it).
        SnapshotError: the Hub refuses, has no such repository or revision, or its files are too large or no snapshot.
        IntegrityError: the weights on the Hub do not have the hash `sha256`.
    """
    if revision is not None and not REVISION.fullmatch(revision):
        raise InvalidInputError(f"A revision must be a commit, branch or tag such as main or v1.0, got {revision!r}.")
    folder, commit = _find(repo, revision, patterns, sha256, max_bytes)
    try:
        yield folder, commit
    except IntegrityError as error:
        left = " It was removed from the cache." if _forget(folder / WEIGHTS) else ""
        raise IntegrityError(f"{error}{left}{_older(repo, revision, patterns)}") from None
    if revision != commit:
        remember(folder, revision or "main", commit)


def download(
    repo: str, revision: str | None, patterns: Sequence[str] = FILES, max_bytes: int | None = None
) -> tuple[Path, str]:
    """As `fetched`, if there is nothing left to verify."""
    with fetched(repo, revision, patterns, max_bytes=max_bytes) as found:
        return found


def _find(
    repo: str, revision: str | None, patterns: Sequence[str], sha256: str | None, max_bytes: int | None
) -> tuple[Path, str]:
    where = f"{repo}@{revision}" if revision else repo

    def refused(reason: str, unreachable: bool) -> T2IError:
        if unreachable:
            return OfflineError(
                f"{where} is not on this machine, and cannot be downloaded from the Hub: {reason}. Connect and unset "
                f"HF_HUB_OFFLINE, or use a bundled model (t2i models)."
            )
        return SnapshotError(f"{where} cannot be downloaded from the Hub: {reason}.{_older(repo, revision, patterns)}")

    def unasked(reason: str, unreachable: bool) -> T2IError:
        if unreachable and kept:
            return OfflineError(f"The Hub cannot be asked about {where}: {reason}.")
        return refused(reason, unreachable)

    with asking(refused):
        kept = _cached(repo, revision, patterns)
        if kept and kept.name == revision:
            return kept, kept.name
    try:
        with asking(unasked):
            found = listing(repo, revision)
    except OfflineError as error:
        if kept is None:
            raise
        _warn(f"{error} Using the copy in the cache, commit {kept.name}.")
        return kept, kept.name
    commit = str(found.sha)
    _check(found, where, patterns, sha256, max_bytes)
    with asking(refused):
        from huggingface_hub import snapshot_download

        if known := _cached(repo, commit, patterns):
            return known, commit
        log.info(f"downloading {repo}@{commit[:12]} from the Hub: {_size(found, patterns)}")
        return Path(snapshot_download(repo, revision=commit, allow_patterns=list(patterns))), commit


def _cached(repo: str, revision: str | None, patterns: Sequence[str]) -> Path | None:
    """The complete snapshot in the cache, or None; makes no request."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = snapshot_download(repo, revision=revision, allow_patterns=list(patterns), local_files_only=True)
    except LocalEntryNotFoundError:
        return None
    return Path(folder) if _is_whole(Path(folder), patterns) else None


def _is_whole(folder: Path, patterns: Sequence[str]) -> bool:
    """Whether every file named without a wildcard exists; older clients return incomplete snapshots."""
    named = {pattern for pattern in patterns if not set(pattern) & set("*?[")} - {GOLDEN, CARD}
    missing = {name for name in named if not (folder / name).exists()}
    return not missing or (missing == {WEIGHTS} and _has_shards(folder))


def _has_shards(folder: Path) -> bool:
    """Whether all shards model-00001-of-0000N.safetensors exist (transformers splits large weights)."""
    shards = list(folder.glob("model-*-of-*.safetensors"))
    return bool(shards) and max(shards).name == f"model-{len(shards):05}-of-{len(shards):05}.safetensors"


def _older(repo: str, revision: str | None, patterns: Sequence[str]) -> str:
    """A sentence naming the cached copy that `revision` pointed to before, if there is one."""
    kept = None if revision and COMMIT.fullmatch(revision) else _cached(repo, revision, patterns)
    return f" An older copy is in the cache: {ModelName.on_hub(repo, kept.name)}." if kept else ""


def _check(found: ModelInfo, where: str, patterns: Sequence[str], sha256: str | None, max_bytes: int | None) -> None:
    """Refuse unusable files by the Hub's listing, before they are downloaded."""
    files = {file.rfilename: file for file in found.siblings or ()}
    wanted = {name: file.size or 0 for name, file in files.items() if any(fnmatchcase(name, each) for each in patterns)}
    large = [name for name, size in wanted.items() if max_bytes is not None and size > max_bytes]
    if large:
        raise SnapshotError(
            f"{large[0]} of {where} may have at most {max_bytes} bytes, got {wanted[large[0]]}; nothing was "
            f"downloaded. Check that {where} is the repository you meant."
        )
    if tuple(patterns) == FILES:
        check_listing(where, {name: file.size for name, file in files.items()})
    elif CONFIG in wanted:
        check_config_size(f"{where}: {CONFIG}", files[CONFIG].size)
    lfs = files[WEIGHTS].lfs if WEIGHTS in files else None
    if sha256 and lfs and lfs.sha256 != sha256:
        raise IntegrityError(
            f"{WEIGHTS} of {where} must have the sha256 {sha256}, but the Hub's has {lfs.sha256}; nothing was "
            f"downloaded. Update the package that declares these weights (`t2i plugins` lists what each declares)."
        )


def _size(found: ModelInfo, patterns: Sequence[str]) -> str:
    """ "4 files, 90.9 MB" """
    sizes = [
        file.size or 0
        for file in found.siblings or ()
        if any(fnmatchcase(file.rfilename, pattern) for pattern in patterns)
    ]
    return f"{len(sizes)} files, {sum(sizes) / 10**6:.1f} MB"


def remember(snapshot: Path, revision: str, commit: str) -> None:
    """Remember a branch's commit in the cache, as the client does; a read-only cache is left unchanged.

    Args:
        snapshot: the folder of the commit in the cache.
    """
    ref = snapshot.parent.parent / "refs" / revision
    if not (ref.is_file() and ref.read_text() == commit):
        with suppress(OutputError):
            write_atomic(ref, commit.encode())


def _forget(weights: Path) -> bool:
    """Remove the file from the cache, and its content too unless another commit has the same, undamaged content.

    Returns:
        Whether it was removed; a read-only cache keeps it.
    """
    blob = weights.resolve()
    try:
        weights.unlink(missing_ok=True)
        shared = any(other.resolve() == blob for other in weights.parent.parent.glob(f"*/{WEIGHTS}"))
        if blob.exists() and not (shared and sha256_of(blob) == blob.name):
            blob.unlink()
    except OSError:
        return False
    return True


def _warn(message: str) -> None:
    """Log a warning, unless the user chose to be offline."""
    from huggingface_hub import constants

    if not constants.HF_HUB_OFFLINE:
        log.warning(message)
