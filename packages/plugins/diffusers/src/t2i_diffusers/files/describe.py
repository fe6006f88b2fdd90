"""What `t2i info hf-hub:org/repo` says of a pipeline: nothing but its small configs is downloaded. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from t2i.errors import SnapshotError
from t2i.registry.names import ModelName
from t2i_diffusers.files.find import read_index
from t2i_diffusers.files.layout import select
from t2i_diffusers.files.licenses import component_licenses
from t2i_diffusers.files.pinned import MODEL, remote_files, used_first

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

VARIANTS = {"download_bytes": ("",), "download_bytes_16_bit": ("fp16", "bf16")}


def describe(name: ModelName, listing: ModelInfo) -> Mapping[str, Any]:
    """The pipeline's class, its components with their sizes and licences, and what a download takes.

    A gated repository shows its files' names and sizes, but not their content: then `unread` says why the rest is
    missing.

    Raises:
        SnapshotError: it is no pipeline that can be read safely.
    """
    where = str(name)
    remote = remote_files(listing)
    before = used_first(name, MODEL)
    facts: dict[str, Any] = {"used_first": before.commit} if before is not None else {}
    try:
        index = read_index(name.repo, remote.locked, where)
    except SnapshotError as error:
        if not remote.gated:
            raise
        return facts | {"unread": str(error)}
    sizes = remote.sizes
    facts["pipeline"] = index.pipeline
    for fact, preferred in VARIANTS.items():
        selection = select(index, remote.locked.files, preferred, where)
        if not facts.get("components"):
            licenses = component_licenses(name.repo, remote.locked.commit, selection, remote.locked.license)
            facts["components"] = {
                part: {
                    "class": index.components[part][1],
                    "license": licenses[part],
                    "weights_bytes": sum(sizes[file] for file in files),
                }
                for part, files in selection.weights.items()
            }
        if selection.variant in preferred:
            facts[fact] = sum(sizes[file] for file in selection.files)
    return facts
