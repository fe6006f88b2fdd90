"""Image-text encoders that a person trained on their own data, kept in the cache, one for each dataset.

judges/<name>-<hash>/
    model.safetensors   the heads
    judge.json          the dataset's name, how many pictures, and how often the encoder was right about unseen ones
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from pydantic import Field

from t2i.config import Config, parse_config
from t2i.errors import InvalidConfigError, UnknownNameError
from t2i.files import cache_home, read_json
from t2i_metrics.image_text import BUNDLED

MAX_BYTES = 100_000
WEIGHTS, RECORD = "model.safetensors", "judge.json"
TITLED = ("folder", "hf", "coco", "webdataset")  # readers whose datasets are called reader:title[:split]


class Judge(Config):
    """judge.json."""

    data: str = Field(description="the dataset's name, without its split")
    pictures: int = Field(ge=1)
    groups: int = Field(ge=1)
    right: float | None = Field(
        None, ge=0, le=1, description="share of real pictures of left-out groups whose own caption was ranked first"
    )
    among: int = Field(100, ge=2, description="captions among which it was ranked")


def base(name: str) -> str:
    """A dataset's name without its split: "folder:photos" for "folder:photos:test"."""
    parts = name.split(":")
    return ":".join(parts[: 2 if parts[0] in TITLED else 1])


def folder_of(data: str) -> Path:
    """The folder of the judge of a dataset, whether or not it exists."""
    name = base(data)
    readable = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
    return cache_home() / "judges" / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"


def judge_of(data: str) -> Judge | None:
    """The record of the judge of a dataset; None if there is none, or it is damaged."""
    folder = folder_of(data)
    try:
        return parse_config(Judge, dict(read_json(folder / RECORD, MAX_BYTES)), RECORD)
    except (OSError, ValueError, TypeError, InvalidConfigError):
        return None


def suited(data: str) -> dict[str, Any]:
    """The settings of r_precision that use the judge of this dataset; {} if there is none."""
    return {"encoder": f"{BUNDLED}:{base(data)}"} if judge_of(data) else {}


def weights_of(data: str) -> tuple[Judge, Path]:
    """The judge of a dataset and its heads.

    Raises:
        UnknownNameError: there is none.
    """
    judge = judge_of(data)
    if judge is None:
        raise UnknownNameError(
            f"There is no image-text encoder trained on {data!r} on this machine. Train one: t2i judge train FOLDER"
        )
    return judge, folder_of(data) / WEIGHTS
