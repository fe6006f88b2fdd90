"""Pictures that a run draws repeatedly for inspection: its sample prompts, and the results of `Phase.watch`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.data.prepare import PreparedData
from t2i.data.spread import spread
from t2i.drawing.provenance import png_bytes
from t2i.errors import TrainingError
from t2i.files import write_atomic
from t2i.generator import Generator
from t2i.images import grid, to_pil
from t2i.noise import Noise
from t2i.runs.folder import RunFolder
from t2i.text import TextEmbedding
from t2i.training.report.curves import Row, plot_curves
from t2i.training.report.memorisation import memorisation, memorisation_sheet

WATCH_NAME = re.compile("[a-z0-9_-]+")


@dataclass(frozen=True)
class Samples:
    """The prompts that a run draws repeatedly; picture i has seed i.

    Attributes:
        options: the generator's options, see its `options_type`.
    """

    prompts: tuple[str, ...]
    text: TextEmbedding
    options: Mapping[str, Any] = field(default_factory=dict)


def default_samples(data: PreparedData, count: int = 16) -> Samples:
    """`count` captions spread over the pictures that training sees, each the first of its picture."""
    seen = data.trained
    pictures = seen[spread(len(seen), count)].tolist()
    captions = [data.captions_of[picture][0] for picture in pictures]
    return Samples(tuple(data.caption_texts[index] for index in captions), data.captions[torch.tensor(captions)])


@torch.inference_mode()
def write_samples(
    run: RunFolder, step: int, generator: Generator, samples: Samples, device: torch.device
) -> Float[Tensor, "n 3 r r"]:
    """Draw the prompts into the sheet of `step`; returns the pictures."""
    noise = Noise(range(len(samples.prompts)), device)
    images = generator.generate(samples.text.to(device), noise, generator.options(**samples.options))
    write_atomic(run.sample(step), _sheet(images, samples.prompts))
    return images


def write_watched(run: RunFolder, step: int, found: Mapping[str, Tensor], captions: Sequence[str]) -> dict[str, float]:
    """Write the pictures that `Phase.watch` returned, as sheets of `step`.

    Args:
        captions: written under the pictures if there is one for each.

    Returns:
        The scalars.

    Raises:
        TrainingError: a name is not a valid file name, or a tensor is neither a scalar nor pictures.
    """
    scalars = {}
    for name, value in found.items():
        if not WATCH_NAME.fullmatch(name):
            raise TrainingError(f"Names in the result of Phase.watch must consist of a-z, 0-9, _ and -, got {name!r}.")
        if value.ndim == 0:
            scalars[f"watch/{name}"] = float(value)
        elif value.ndim == 4 and value.shape[1] == 3:
            images = value.detach().float()
            write_atomic(run.watched(name, step), _sheet(images, captions if len(images) == len(captions) else ()))
        else:
            raise TrainingError(
                f"Phase.watch must return scalars and pictures [n, 3, h, w], got {name!r} of shape {list(value.shape)}."
            )
    return scalars


def write_page(run: RunFolder, rows: Sequence[Row], page: str) -> None:
    """Write losses.png and the run's page, which `run_page` makes."""
    if rows:
        write_atomic(run.losses, plot_curves(rows))
    write_atomic(run.page, page.encode())


def write_nearest(run: RunFolder, data: PreparedData, drawn: Float[Tensor, "n 3 r r"]) -> str:
    """Write nearest.png: drawn pictures next to the training pictures most like them; returns a sentence about them."""
    found = memorisation(data, drawn)
    write_atomic(run.nearest, memorisation_sheet(data, drawn, found))
    return str(found)


def _sheet(images: Tensor, captions: Sequence[str]) -> bytes:
    scale = max(1, 96 // images.shape[-1])
    return png_bytes(grid(to_pil(images), captions=captions, scale=scale))
