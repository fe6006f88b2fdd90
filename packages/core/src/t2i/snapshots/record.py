"""The record in a snapshot: config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat

from t2i.config import Config, Sha256, parse_config
from t2i.errors import SnapshotError
from t2i.files import read_json
from t2i.hub.layout import CONFIG, MAX_CONFIG_BYTES
from t2i.text import EncoderIdentity


class SnapshotFacts(Config):
    """A snapshot's metadata, apart from its config."""

    text_encoder: EncoderIdentity | None = None
    dataset: str = ""
    license: str = "unknown"
    steps: int = Field(0, ge=0)
    images_seen: int = Field(0, ge=0)
    options: dict[str, Any] = Field(
        default_factory=dict, description="the generator's options with which it draws best; they become its defaults"
    )
    training_seconds: dict[str, NonNegativeFloat] = Field(
        default_factory=dict, description="spent on training, by device, over all resumed runs"
    )
    command: str = Field("", description="the command that reproduces these weights")
    parent: str = Field("", description="the model whose weights the training started from, with their sha256")
    fit: Literal["crop", "pad", "squash"] = Field("crop", description="how the training pictures became squares")
    position: Literal["centre", "start", "end"] = Field("centre", description="the part kept, or the picture's place")
    parent_license: str = Field("", description="the licence that the parent records")
    source: str = Field("", description="the foreign checkpoint they were converted from, with its sha256")

    def after(self, steps: int, images_seen: int, training_seconds: Mapping[str, float]) -> SnapshotFacts:
        """The same facts later in a run."""
        later = {"steps": steps, "images_seen": images_seen, "training_seconds": dict(training_seconds)}
        return self.model_copy(update=later)


class SnapshotConfig(Config):
    """config.json."""

    format: Literal[1] = 1
    technique: str
    config: dict[str, Any]
    facts: SnapshotFacts
    weights_sha256: Sha256


@dataclass(frozen=True)
class Snapshot:
    """A resolved, verified snapshot.

    Attributes:
        name: the name it was resolved from; resolves to it again.
        folder: where it is stored.
        config: its config.json.
        revision: on the Hub, or "".
    """

    name: str
    folder: Path
    config: SnapshotConfig
    revision: str = ""


def read_config(folder: Path) -> SnapshotConfig:
    """The config.json of a snapshot folder; does not read the weights.

    Raises:
        SnapshotError: it is missing, too large or not a JSON object.
        InvalidConfigError: it has an unknown field, or a value does not fit.
    """
    path = folder / CONFIG
    try:
        values = read_json(path, MAX_CONFIG_BYTES)
    except OSError as error:
        raise SnapshotError(f"{folder} has no readable {CONFIG} ({error.strerror}).") from None
    except ValueError as error:
        raise SnapshotError(f"{path} is not JSON ({error}).") from None
    if not isinstance(values, dict):
        raise SnapshotError(f"{path} must hold a JSON object, but holds a {type(values).__name__}.")
    return parse_config(SnapshotConfig, values, str(path))
