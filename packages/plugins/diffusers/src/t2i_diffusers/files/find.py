"""Finds and verifies the files of a pipeline in a folder, in the Hugging Face cache or on the Hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from t2i.drawing.opening import Opening
from t2i.errors import SnapshotError
from t2i.files import read_json, regular
from t2i.hub.download import download
from t2i.hub.layout import DIFFUSERS as INDEX
from t2i.hub.layout import MAX_CONFIG_BYTES, PICKLES
from t2i.registry.names import ModelName
from t2i_diffusers.files.hashes import known_sha256
from t2i_diffusers.files.layout import TEXTS, Index, Selection, parse_index, select
from t2i_diffusers.files.licenses import component_licenses, folder_license
from t2i_diffusers.files.lock import Locked
from t2i_diffusers.files.pinned import (
    MODEL,
    check_file,
    check_unchanged,
    fetch,
    find_remote,
    prepare_download,
    used_first,
)

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


def _on_hub(name: ModelName, opening: Opening, preferred: Sequence[str], room: Room) -> PipelineFiles:
    before, where = used_first(name, MODEL), str(name)
    remote = find_remote(name, before)
    locked = remote.locked
    index = read_index(name.repo, locked, where)
    locked = locked.model_copy(update={"files": _relevant(index, locked.files)})
    check_unchanged(name, MODEL, before, locked, opening.accept_new)
    selection = select(index, locked.files, preferred, where)
    if before is not None and before.licenses and before.license == locked.license and before.files == locked.files:
        licenses = before.licenses
    else:
        licenses = component_licenses(name.repo, locked.commit, selection, locked.license)
    locked = locked.model_copy(update={"licenses": licenses})

    def too_small(sizes: Mapping[str, int]) -> str:
        parts = {part: sum(sizes.get(file, 0) for file in files) for part, files in selection.weights.items()}
        return room(parts, selection.variant)

    prepare_download(name, replace(remote, locked=locked), selection.files, opening, too_small)
    folder, sha256 = fetch(name, MODEL, locked, selection.weights_files, selection.others)
    return PipelineFiles(name, folder, locked.commit, locked.license, locked.licenses, index, selection, sha256)


def read_index(repo: str, locked: Locked, where: str) -> Index:
    """The checked model_index.json of a commit, which is downloaded if necessary.

    Raises:
        SnapshotError: there is none, it cannot be read, or names code that is not diffusers' or transformers'; or the
            Hub refuses.
        OfflineError, IntegrityError: it is not on this machine, or damaged.
    """
    if INDEX not in locked.files:
        raise SnapshotError(f"{where} has no {INDEX}, so it is no pipeline of diffusers. Check the name.")
    folder, _ = download(repo, locked.commit, (INDEX,))
    try:
        values = read_json(folder / INDEX, MAX_CONFIG_BYTES)
        check_file(folder, INDEX, locked.files[INDEX], where)
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
