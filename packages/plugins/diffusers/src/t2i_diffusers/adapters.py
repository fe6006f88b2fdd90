"""LoRAs that are loaded on top of a pipeline's weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from t2i.display import brief
from t2i.drawing.opening import Opening
from t2i.errors import InvalidInputError, SnapshotError, T2IError
from t2i.hub.client import offline
from t2i.registry.names import ModelName
from t2i.runs.checkpoints import latest_checkpoint
from t2i_diffusers.files.adapter_file import choose, find_adapter
from t2i_diffusers.files.adapter_header import check_header
from t2i_diffusers.files.hashes import known_sha256


def find_adapters(opening: Opening) -> dict[str, Path]:
    """The files of the LoRAs that `opening` names, each by the name that finds it again.

    Raises:
        InvalidInputError: one is given twice.
        SnapshotError: one is not there or not safetensors.
        OfflineError, IntegrityError, OutputError, InvalidInputError: as `find_adapter`, for those on the Hub.
    """
    if len({*opening.adapters}) < len(opening.adapters):
        raise InvalidInputError(f"Each LoRA can be loaded once, got {', '.join(opening.adapters)}.")
    found = {}
    for name in opening.adapters:
        path, pinned = _file_of(name, opening)
        try:
            check_header(path)
        except Exception as error:
            raise SnapshotError(f"{name} is not a LoRA ({brief(error)}).") from error
        found[pinned] = path
    return found


def load_adapters(pipe: Any, adapters: Mapping[str, Path]) -> dict[str, str]:
    """Load LoRAs into the pipeline.

    Args:
        adapters: as `find_adapters` returns them.

    Returns:
        The sha256 of each, by its name.

    Raises:
        InvalidInputError: the pipeline takes no LoRA.
        SnapshotError: a LoRA does not fit the pipeline.
    """
    if adapters and not hasattr(pipe, "load_lora_weights"):
        raise InvalidInputError(f"A {type(pipe).__name__} takes no LoRA. Leave --lora out.")
    found = {}
    for number, (name, path) in enumerate(adapters.items()):
        try:
            found[name] = known_sha256(path)
            with offline():
                pipe.load_lora_weights(
                    path.parent, weight_name=path.name, adapter_name=_key(number), use_safetensors=True
                )
            if not any(_key(number) in loaded for loaded in pipe.get_list_adapters().values()):
                raise ValueError("none of its weights belong to a layer of the pipeline")
        except Exception as error:  # the library raises anything for tensors that do not fit
            raise SnapshotError(f"{name} is not a LoRA that fits a {type(pipe).__name__} ({brief(error)}).") from error
    return found


@torch.no_grad()
def set_scale(pipe: Any, adapters: Mapping[str, str], scale: float) -> None:
    """Weigh all loaded LoRAs by `scale`: 0 draws without them, 1 as they were trained."""
    pipe.set_adapters([_key(number) for number in range(len(adapters))], [scale] * len(adapters))


def _key(number: int) -> str:
    return f"lora{number}"


def _file_of(name: str, opening: Opening) -> tuple[Path, str]:
    """The file of a LoRA, and the name that finds the same file again.

    Raises:
        SnapshotError: there is none.
        OfflineError, IntegrityError, OutputError, InvalidInputError: as `find_adapter`.
    """
    asked = ModelName.parse(name) if ":" in name else None
    if asked is not None and asked.kind == "hub":
        found, pinned = find_adapter(asked, opening)
        return found, str(pinned)
    path = asked.folder if asked is not None else Path(name)
    if path.suffix == ".safetensors" and path.is_file():
        return path, name
    if path.is_dir():
        try:
            return _in_folder(path, name), name
        except SnapshotError:
            return _of_run(path, name), name
    raise SnapshotError(
        f"A LoRA is a .safetensors file, a folder with one, a run folder or hf-hub:org/repo, but there is no {name}."
    )


def _in_folder(folder: Path, name: str) -> Path:
    return folder / choose([file.name for file in folder.glob("*.safetensors")], name, "Name the file.")


def _of_run(run: Path, name: str) -> Path:
    try:
        return _in_folder(latest_checkpoint(run).snapshot, name)
    except T2IError:
        raise SnapshotError(f"{name} holds no LoRA (.safetensors) and is no run. Name the file.") from None
