"""Image-text encoders that a person trained on their own data, kept in the cache, one for each dataset.

judges/<name>-<hash>/
    model.safetensors   the heads
    judge.json          the dataset's name and place, how many pictures, and how often the encoder was right about
                        unseen ones

Two folders of one name have two judges, which a hash of the folder's path tells apart: judge:folder:photos@1a2b3c4d.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field

from t2i.config import Config, parse_config
from t2i.errors import InvalidConfigError, UnknownNameError
from t2i.files import cache_home, read_json
from t2i.progress import Say
from t2i_metrics.image_text import BUNDLED

MAX_BYTES = 100_000
WEIGHTS, RECORD = "model.safetensors", "judge.json"
TITLED = ("folder", "hf", "coco", "webdataset")  # readers whose datasets are called reader:title[:split]


class Judge(Config):
    """judge.json."""

    data: str = Field(description="the dataset's name, without its split")
    location: str = Field(
        "", description='the absolute path of its files; "" if its name is enough, or it is an old judge'
    )
    pictures: int = Field(ge=1)
    groups: int = Field(ge=1)
    right: float | None = Field(
        None, ge=0, le=1, description="share of real pictures of left-out groups whose own caption was ranked first"
    )
    among: int = Field(100, ge=2, description="captions among which it was ranked")

    @property
    def name(self) -> str:
        """The name by which it is chosen, after "judge:"."""
        return f"{self.data}@{hashlib.sha256(self.location.encode()).hexdigest()[:8]}" if self.location else self.data


def base(name: str) -> str:
    """A dataset's name without its split: "folder:photos" for "folder:photos:test"."""
    parts = name.split(":")
    return ":".join(parts[: 2 if parts[0] in TITLED else 1])


def judges_home() -> Path:
    """The folder of all judges, whether or not it exists."""
    return cache_home() / "judges"


def folder_of(judge: Judge) -> Path:
    """The folder of a judge, whether or not it exists."""
    readable = re.sub("[^a-z0-9]+", "-", judge.data.lower()).strip("-")[:40]
    return judges_home() / f"{readable}-{hashlib.sha256(judge.name.encode()).hexdigest()[:12]}"


def judges_of(data: str) -> list[Judge]:
    """The records of all judges of datasets of this name; damaged ones are left out."""
    found = []
    for path in judges_home().glob(f"*/{RECORD}"):
        with suppress(OSError, ValueError, TypeError, InvalidConfigError):
            found.append(parse_config(Judge, dict(read_json(path, MAX_BYTES)), RECORD))
    return sorted((judge for judge in found if judge.data == base(data)), key=lambda judge: judge.location)


def suited(data: str, location: str, warn: Say) -> dict[str, Any]:
    """The settings of r_precision that use the judge of this dataset; {} if there is none.

    A judge of other files of the same name is not used, and a warning says how to choose it.
    """
    judges = judges_of(data)
    own = next((judge for judge in judges if judge.location == location), None)
    if own is not None:
        return {"encoder": f"{BUNDLED}:{own.name}"}
    if not judges:
        return {}
    other = judges[0]
    if not other.location:
        warn(
            f"{BUNDLED}:{other.name} does not record which folder it was trained on, and is used for {location}. Train "
            f"it again if that was another one: t2i judge train {location}"
        )
        return {"encoder": f"{BUNDLED}:{other.name}"}
    warn(
        f"{BUNDLED}:{other.name} was trained on {other.location}, not on {location or 'this pack'}, so it is not used. "
        f"Choose it by --setting r_precision.encoder={BUNDLED}:{other.name}, or train one on this data."
    )
    return {"encoder": BUNDLED}


def weights_of(name: str) -> tuple[Judge, Path]:
    """The judge of this name, which may lack the hash if there is only one, and its heads.

    Raises:
        UnknownNameError: there is none, or more than one.
    """
    data, _, _ = name.rpartition("@")
    judges = [*judges_of(name), *(judge for judge in judges_of(data) if judge.name == name)]
    if not judges:
        raise UnknownNameError(
            f"There is no image-text encoder trained on {name!r} on this machine. Train one: t2i judge train FOLDER"
        )
    if len(judges) > 1:
        known = ", ".join(f"{BUNDLED}:{judge.name} ({judge.location or 'unknown place'})" for judge in judges)
        raise UnknownNameError(f"{name!r} is the name of {len(judges)} image-text encoders: {known}. Choose one.")
    return judges[0], folder_of(judges[0]) / WEIGHTS
