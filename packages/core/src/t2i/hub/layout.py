"""The files of a snapshot, and checks by name and size alone. Imports no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from t2i.errors import SnapshotError

CONFIG, WEIGHTS, GOLDEN, CARD = "config.json", "model.safetensors", "golden.safetensors", "README.md"
FILES = (CONFIG, WEIGHTS, GOLDEN, CARD)
DIFFUSERS = "model_index.json"  # in the layout of diffusers, instead of config.json
MAX_CONFIG_BYTES = 1_000_000
PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")


def check_listing(where: str, sizes: Mapping[str, int | None]) -> None:
    """Refuse what cannot be a snapshot, before any of it is read or downloaded.

    Args:
        where: the folder or repository, for the error.
        sizes: bytes by file name; None if unknown.

    Raises:
        SnapshotError: config.json is missing or too large, or the weights are missing or pickled.
    """
    if DIFFUSERS in sizes:
        raise SnapshotError(
            f"{where} is a pipeline of diffusers ({DIFFUSERS}), not a snapshot of t2i. With t2i-diffusers installed, "
            f"t2i generate --model draws with it."
        )
    check_not_pickled(where, sizes)
    missing = [name for name in (CONFIG, WEIGHTS) if name not in sizes]
    if missing:
        raise SnapshotError(
            f"A model needs a {CONFIG} and a {WEIGHTS}, but {where} has no readable {' and no '.join(missing)}. "
            f"Check the name, or download it again."
        )
    check_config_size(f"{where}: {CONFIG}", sizes[CONFIG])


def check_not_pickled(where: str, names: Collection[str]) -> None:
    """Refuse weights that exist only as a pickle.

    Raises:
        SnapshotError: names the file and the converter.
    """
    pickled = sorted(name for name in names if PurePosixPath(name).suffix in PICKLES)
    if pickled and WEIGHTS not in names:
        raise SnapshotError(
            f"Weights are only read from {WEIGHTS}, but {where} holds {pickled[0]!r}: a pickle, which can run code "
            f"when it is opened. Convert it to a snapshot with `t2i convert`."
        )


def check_config_size(path: str, size: int | None) -> None:
    """Refuse a config.json of implausible size.

    Raises:
        SnapshotError: it is larger than MAX_CONFIG_BYTES.
    """
    if size is not None and size > MAX_CONFIG_BYTES:
        raise SnapshotError(f"{path} is larger than {MAX_CONFIG_BYTES} bytes, so it is not a model's config.")
