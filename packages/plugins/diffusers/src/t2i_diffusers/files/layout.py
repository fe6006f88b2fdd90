"""The files of a pipeline: which components it has, and which of a repository's files they need. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from t2i.arguments import shown
from t2i.errors import SnapshotError
from t2i.hub.layout import CARD, PICKLES
from t2i.hub.layout import DIFFUSERS as INDEX

WEIGHTS = re.compile(
    r"(?P<stem>diffusion_pytorch_model|model)(\.(?P<variant>\w+))?"
    r"(-(?P<number>\d{5})-of-(?P<count>\d{5}))?(\.(?P<old_variant>\w+))?\.safetensors"
)
TEXTS = (".json", ".txt", ".model", ".jinja")  # configs, vocabularies and tokenizers
MOST_COMPONENTS = 20
LIBRARIES = ("diffusers", "transformers", "stable_diffusion")
"""Where the classes of components may come from; the last one is the safety checker of Stable Diffusion 1."""


@dataclass(frozen=True)
class Index:
    """A pipeline's model_index.json.

    Attributes:
        pipeline: the name of its class in diffusers.
        components: for each component with files, the library and the name of its class.
    """

    pipeline: str
    components: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Selection:
    """The files that drawing needs.

    Attributes:
        variant: of the weights, such as "fp16"; "" for those without one.
        weights: the weights files of each component that has any.
        others: configs, tokenizers and the model card.
    """

    variant: str
    weights: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]

    @property
    def weights_files(self) -> tuple[str, ...]:
        return tuple(name for files in self.weights.values() for name in files)

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.weights_files, *self.others)


def parse_index(values: Any, where: str) -> Index:
    """The checked content of a model_index.json.

    Raises:
        SnapshotError: it names code that is neither diffusers' nor transformers', or is no such file.
    """
    name = values.get("_class_name") if isinstance(values, dict) else None
    if isinstance(name, list):
        raise SnapshotError(
            f"{where} draws with its own code ({shown(name)}), but t2i never runs code that comes with a model. "
            f"Choose another model."
        )
    if not isinstance(name, str) or not name.isidentifier():
        raise SnapshotError(f"{where} must name a pipeline class of diffusers in {INDEX}, got {shown(name)}.")
    components = {}
    for key, value in values.items():
        if key.startswith("_") or not isinstance(value, list) or len(value) != 2 or value[0] is None:
            continue
        library, kind = value
        if library not in LIBRARIES or not isinstance(kind, str) or not kind.isidentifier():
            raise SnapshotError(
                f"Components must be classes of diffusers or transformers, but {key} of {where} is {shown(value)}, "
                f"and t2i never runs code that comes with a model. Choose another model."
            )
        if not key.isidentifier():
            raise SnapshotError(f"A component's name must be a word, but {where} names {shown(key)}.")
        components[key] = (library, kind)
    if not 0 < len(components) <= MOST_COMPONENTS:
        raise SnapshotError(f"A pipeline has 1 to {MOST_COMPONENTS} components, but {where} has {len(components)}.")
    return Index(name, components)


def select(index: Index, names: Collection[str], preferred: Sequence[str], where: str) -> Selection:
    """Choose the weights of one variant for every component.

    Args:
        names: all files of the repository or folder.
        preferred: variants, best first; "" stands for weights without a variant. Others are taken if none fits.

    Raises:
        SnapshotError: a component has no files, only pickled weights, or too few shards; or no variant fits all.
    """
    options = {component: _variants(component, names, where) for component in index.components}
    weighted = {component: found for component, found in options.items() if found}
    if not weighted:
        raise SnapshotError(f"{where} has no component with weights, so nothing can draw. Choose another model.")
    known = sorted({variant for found in weighted.values() for variant in found})
    for variant in dict.fromkeys((*preferred, "", *known)):
        if any(variant in found for found in weighted.values()) and all(
            variant in found or "" in found for found in weighted.values()
        ):
            chosen = {component: found.get(variant) or found[""] for component, found in weighted.items()}
            break
    else:
        raise SnapshotError(
            f"{where} has no variant of weights that all its components have: {', '.join(known)} are each incomplete. "
            f"Choose another model."
        )
    folders = {*index.components}
    others = [
        name
        for name in names
        if name in (INDEX, CARD) or (_folder(name) in folders and PurePosixPath(name).suffix in TEXTS)
    ]
    return Selection(variant, chosen, tuple(sorted(others)))


def _variants(component: str, names: Collection[str], where: str) -> dict[str, tuple[str, ...]]:
    """A component's complete sets of safetensors files, by variant; empty if it has no weights.

    A set of one file is preferred to shards of the same variant.
    """
    files = [PurePosixPath(name).name for name in names if _folder(name) == component]
    if not files:
        raise SnapshotError(f"{where} names the component {component!r}, but has no files of it. Download it again.")
    whole: dict[str, tuple[str, ...]] = {}
    shards: dict[tuple[str, int], list[str]] = {}
    for file in sorted(files):
        if match := WEIGHTS.fullmatch(file):
            variant, count = match["variant"] or match["old_variant"] or "", int(match["count"] or 1)
            if count == 1:
                whole[variant] = (f"{component}/{file}",)
            else:
                shards.setdefault((variant, count), []).append(f"{component}/{file}")
    for (variant, count), parts in shards.items():
        if len(parts) == count:
            whole.setdefault(variant, tuple(parts))
    pickled = [file for file in files if PurePosixPath(file).suffix in PICKLES]
    if not whole and pickled:
        raise SnapshotError(
            f"Weights are only read from safetensors, but {component} of {where} has only {pickled[0]!r}: a pickle, "
            f"which can run code when it is opened. Ask its authors for safetensors, or choose another model."
        )
    if not whole and shards:
        (variant, count), parts = next(iter(shards.items()))
        raise SnapshotError(
            f"{component} of {where} needs {count} files of weights, but has {len(parts)}. Download it again."
        )
    return whole


def _folder(name: str) -> str:
    """The folder of a file that lies directly in a folder, else ""."""
    parts = PurePosixPath(name).parts
    return parts[0] if len(parts) == 2 else ""
