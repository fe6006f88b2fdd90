"""Finds the files of a pipeline in a folder, in the Hugging Face cache or on the Hub; verifies and pins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from t2i.drawing.opening import Opening
from t2i.errors import IntegrityError, InvalidInputError, OfflineError, SnapshotError
from t2i.files import read_json, regular
from t2i.hub.download import download, remember
from t2i.hub.layout import DIFFUSERS as INDEX
from t2i.hub.layout import MAX_CONFIG_BYTES, PICKLES
from t2i.hub.listing import ask, license_of
from t2i.registry.names import ModelName
from t2i_diffusers.files.hashes import file_id, known_sha256
from t2i_diffusers.files.layout import TEXTS, Index, Selection, parse_index, select
from t2i_diffusers.files.licenses import component_licenses, folder_license
from t2i_diffusers.files.lock import Locked, changed_files, read_lock, write_lock
from t2i_diffusers.files.machine import check_disk, gigabytes

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

LARGE_BYTES = 500_000_000  # a download of more is confirmed first
MAIN = "main"

Room = Callable[[Mapping[str, int], str], str]
"""(bytes of each component's weights, variant) -> a sentence if this machine is too small for them, else ""."""


@dataclass(frozen=True)
class PipelineFiles:
    """A pipeline's verified files on this machine.

    Attributes:
        name: the name it was found by.
        revision: the commit on the Hub, or "" for a folder.
        license: as its repository names it.
        licenses: of each component with weights, by its name.
        sha256: of each weights file, by its name.
    """

    name: ModelName
    folder: Path
    revision: str
    license: str
    licenses: Mapping[str, str]
    index: Index
    selection: Selection
    sha256: Mapping[str, str]

    @property
    def size_bytes(self) -> int:
        """Of its weights."""
        return sum((self.folder / name).stat().st_size for name in self.selection.weights_files)


def find(name: ModelName, opening: Opening, preferred: Sequence[str], room: Room) -> PipelineFiles:
    """The files of the named pipeline.

    Args:
        preferred: variants of weights, best first.
        room: asked before a download.

    Raises:
        SnapshotError: it is not a pipeline that can be read safely, or the Hub refuses.
        OfflineError: it is not on this machine, and the Hub cannot be reached.
        IntegrityError: its files are not those that were used first, or are damaged.
        OutputError: the disk is too small.
        InvalidInputError: the user does not confirm the download.
    """
    if name.kind == "folder":
        return _in_folder(name, preferred)
    return _on_hub(name, opening, preferred, room)


def _in_folder(name: ModelName, preferred: Sequence[str]) -> PipelineFiles:
    folder, where = name.folder, str(name)
    try:
        names = [path.relative_to(folder).as_posix() for pattern in ("*", "*/*") for path in folder.glob(pattern)]
        index = parse_index(read_json(folder / INDEX, MAX_CONFIG_BYTES), where)
        selection = select(index, names, preferred, where)
        sha256 = {file: known_sha256(folder / file) for file in selection.weights_files}
        for file in selection.others:
            regular(folder / file)
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{where} cannot be read ({error}).") from None
    whole = folder_license(folder)
    return PipelineFiles(name, folder, "", whole, dict.fromkeys(selection.weights, whole), index, selection, sha256)


@dataclass(frozen=True)
class Remote:
    """What the Hub, or the lock if the Hub is unreachable, says of a repository's commit."""

    locked: Locked
    sizes: Mapping[str, int]
    gated: bool


def _on_hub(name: ModelName, opening: Opening, preferred: Sequence[str], room: Room) -> PipelineFiles:
    revision, where = name.revision or MAIN, str(name)
    before = read_lock(name.repo).revisions.get(revision)
    remote = _remote(name.repo, revision, before, where)
    locked = remote.locked
    index = read_index(name.repo, locked, where)
    locked = locked.model_copy(update={"files": _relevant(index, locked.files)})
    _check_unchanged(name, before, locked, opening.accept_new)
    selection = select(index, locked.files, preferred, where)
    if before is not None and before.licenses and before.license == locked.license and before.files == locked.files:
        licenses = before.licenses
    else:
        licenses = component_licenses(name.repo, locked.commit, selection, locked.license)
    locked = locked.model_copy(update={"licenses": licenses})
    _prepare_download(name, locked, remote, selection, opening, room)
    folder, _ = download(name.repo, locked.commit, selection.files)
    sha256 = _verified(folder, selection, locked.files, where)
    for key in (revision, locked.commit):
        write_lock(name.repo, key, locked)
    if revision != locked.commit:
        remember(folder, revision, locked.commit)
    return PipelineFiles(name, folder, locked.commit, locked.license, locked.licenses, index, selection, sha256)


def _remote(repo: str, revision: str, before: Locked | None, where: str) -> Remote:
    """The files of the revision; from the lock if it is a known commit or the Hub is unreachable."""
    if before is not None and before.commit == revision:
        return Remote(before, {}, gated=False)
    try:
        return remote_files(ask(repo, revision), where)
    except OfflineError as error:
        if before is None:
            raise OfflineError(f"{where} is not on this machine. {error}") from None
        return Remote(before, {}, gated=False)


def remote_files(found: ModelInfo, where: str) -> Remote:
    """The files of a pipeline in the Hub's listing.

    Raises:
        SnapshotError: it is no pipeline.
    """
    files = {file.rfilename: file for file in found.siblings or ()}
    ids = {name: (file.lfs.sha256 if file.lfs else file.blob_id) or "" for name, file in files.items()}
    if INDEX not in ids:
        raise SnapshotError(f"{where} has no {INDEX}, so it is no pipeline of diffusers. Check the name.")
    locked = Locked(commit=str(found.sha), license=license_of(found), files={n: i for n, i in ids.items() if i})
    return Remote(locked, {name: file.size or 0 for name, file in files.items()}, gated=bool(found.gated))


def read_index(repo: str, locked: Locked, where: str) -> Index:
    """The checked model_index.json of a commit, which is downloaded if necessary.

    Raises:
        SnapshotError: it cannot be read, or names code that is not diffusers' or transformers'; or the Hub refuses.
        OfflineError, IntegrityError: it is not on this machine, or damaged.
    """
    folder, _ = download(repo, locked.commit, (INDEX,))
    try:
        values = read_json(folder / INDEX, MAX_CONFIG_BYTES)
        _check_file(folder, INDEX, locked.files[INDEX], where)
    except (OSError, ValueError) as error:
        raise SnapshotError(f"{INDEX} of {where} cannot be read ({error}).") from None
    return parse_index(values, where)


def _relevant(index: Index, ids: Mapping[str, str]) -> dict[str, str]:
    """The ids of all files that any selection of this pipeline's components could use."""
    suffixes = (*TEXTS, ".safetensors", *PICKLES)  # pickles are never read, but explain why there are no weights
    paths = {name: PurePosixPath(name) for name in ids}
    return {
        name: ids[name]
        for name, path in paths.items()
        if name == INDEX or (path.parts[0] in index.components and path.suffix in suffixes)
    }


def _check_unchanged(name: ModelName, before: Locked | None, now: Locked, accept_new: bool) -> None:
    changed = changed_files(before, now.files) if before is not None else []
    if before is None or not changed or accept_new:
        return
    more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
    raise IntegrityError(
        f"{name} must have the files that were used first (commit {before.commit[:12]}), but commit {now.commit[:12]} "
        f"has other ones: {', '.join(changed[:3])}{more}. Draw with the first ones: "
        f"--model {name.pinned(before.commit)}; or use the new ones from now on: --accept-new"
    )


def _prepare_download(
    name: ModelName, locked: Locked, remote: Remote, selection: Selection, opening: Opening, room: Room
) -> None:
    """Check disk and memory, and ask before a large download; nothing happens if all files are there."""
    from huggingface_hub import constants, try_to_load_from_cache

    commit = locked.commit
    missing = [
        file
        for file in selection.files
        if not isinstance(try_to_load_from_cache(name.repo, file, revision=commit), str)
    ]
    if missing and not remote.sizes:  # a lock knows a commit's files, but not their sizes
        with suppress(OfflineError):  # then the download says what is missing
            remote = remote_files(ask(name.repo, commit), str(name))
    needed = sum(remote.sizes.get(file, 0) for file in missing)
    if not needed:
        return
    check_disk(Path(constants.HF_HUB_CACHE), needed, str(name))
    parts = {part: sum(remote.sizes.get(file, 0) for file in files) for part, files in selection.weights.items()}
    small = room(parts, selection.variant)
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


def _verified(folder: Path, selection: Selection, ids: Mapping[str, str], where: str) -> dict[str, str]:
    """The sha256 of each weights file, after every file was compared with what the Hub says of it.

    Raises:
        IntegrityError: a file differs; it is removed from the cache.
    """
    for file in selection.others:
        if file in ids:
            _check_file(folder, file, ids[file], where)
    return {file: _check_file(folder, file, ids[file], where) for file in selection.weights_files}


def _check_file(folder: Path, file: str, expected: str, where: str) -> str:
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
