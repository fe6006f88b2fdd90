"""What a snapshot says of itself: config.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeFloat

from t2i.config import Config, parse_config
from t2i.errors import SnapshotError
from t2i.hub.layout import CONFIG, check_config_size
from t2i.text import EncoderIdentity


class SnapshotFacts(Config):
    """What a snapshot says of itself beside its config."""

    text_encoder: EncoderIdentity | None = None
    dataset: str = ""
    license: str = "unknown"
    steps: int = Field(0, ge=0)
    images_seen: int = Field(0, ge=0)
    options: dict[str, Any] = Field(
        default_factory=dict, description="the generator's options at which it draws best: its defaults"
    )
    training_seconds: dict[str, NonNegativeFloat] = Field(
        default_factory=dict, description="spent training, by device, over all resumes"
    )
    command: str = Field("", description="what makes these weights again")
    source: str = Field("", description="the file of other code they were converted from, with its sha256")

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
    weights_sha256: str


@dataclass(frozen=True)
class Snapshot:
    """A resolved, verified snapshot.

    Attributes:
        name: what was asked for; resolves to it again.
        folder: where it lies.
        config: its config.json.
        revision: on the Hub, or "".
    """

    name: str
    folder: Path
    config: SnapshotConfig
    revision: str = ""


def read_config(folder: Path) -> SnapshotConfig:
    """The config.json of a snapshot folder; torch's tensors are not touched.

    Raises:
        SnapshotError: it is missing, too large or no JSON object.
        InvalidConfigError: it has an unknown field, or a value does not fit.
    """
    path = folder / CONFIG
    try:
        check_config_size(str(path), path.stat().st_size)
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SnapshotError(f"{folder} holds no readable {CONFIG} ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"{path} is not JSON ({error}).") from None
    if not isinstance(values, dict):
        raise SnapshotError(f"{path} must hold a JSON object, but holds a {type(values).__name__}.")
    return parse_config(SnapshotConfig, values, str(path))
