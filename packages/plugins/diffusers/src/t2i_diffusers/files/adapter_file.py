"""Finds the one file of a LoRA among the files of a folder or repository. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from t2i.arguments import shown
from t2i.drawing.opening import Opening
from t2i.errors import SnapshotError
from t2i.registry.names import ModelName
from t2i_diffusers.files.pinned import LORA, check_unchanged, fetch, find_remote, prepare_download, used_first

SUFFIX = ".safetensors"
NAMES = ("pytorch_lora_weights.safetensors", "model.safetensors")  # of diffusers, and of runs of t2i
MOST_LISTED = 10
WILDCARDS = frozenset("*?[")  # of the Hub's client: with them, the name would choose other files


def choose(names: Collection[str], where: str, remedy: str) -> str:
    """The file of a LoRA among these files: one with a usual name, or the only one in safetensors.

    Args:
        remedy: what the error tells the user to do.

    Raises:
        SnapshotError: there is none, or more than one.
    """
    files = sorted(name for name in names if name.endswith(SUFFIX) and "/" not in name)
    for wanted in NAMES:
        if wanted in files:
            return wanted
    if len(files) != 1:
        more = f" and {len(files) - MOST_LISTED} more" if len(files) > MOST_LISTED else ""
        found = ", ".join(shown(file) for file in files[:MOST_LISTED]) + more or "none"
        raise SnapshotError(f"A LoRA is one {SUFFIX} file, but {where} has {found}. {remedy}")
    return files[0]


def find_adapter(name: ModelName, opening: Opening) -> tuple[Path, ModelName]:
    """The verified file of a LoRA on the Hub, and its name at the commit; treated as the files of a pipeline are.

    Only this file is downloaded.

    Raises:
        SnapshotError: the repository does not have one file in safetensors, or the Hub refuses.
        OfflineError: it is not on this machine, and the Hub cannot be reached.
        IntegrityError: the file is not the one that was used first, or is damaged.
        OutputError: the disk is too small.
        InvalidInputError: the user does not confirm a large download.
    """
    before = used_first(name, LORA)
    remote = find_remote(name, before)
    remedy = f"Download one (`hf download {name.repo} FILE`) and give its path."
    file = choose(remote.locked.files, str(name), remedy)
    if WILDCARDS & {*file}:
        raise SnapshotError(f"The file of a LoRA has none of * ? [ in its name, but {name} has {shown(file)}. {remedy}")
    locked = remote.locked.model_copy(update={"files": {file: remote.locked.files[file]}})
    check_unchanged(name, LORA, before, locked, opening.accept_new)
    prepare_download(name, remote, (file,), opening)
    folder, _ = fetch(name, LORA, locked, (file,))
    return folder / file, name.pinned(locked.commit)
