"""What some generators can do beside drawing a caption: give a picture back, and walk between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from t2i.config import Config
from t2i.drawing.pipeline import Pipeline
from t2i.errors import InvalidInputError, PluginError
from t2i.images import from_uint8, to_pil
from t2i.noise import Noise
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.text import TextEmbedding, check_prompts

MAX_FRAMES = 400
OptionsT = TypeVar("OptionsT", bound=Config, contravariant=True)


@runtime_checkable
class Reconstructs(Protocol):
    """A generator that can give a picture back."""

    def reconstruct(self, images: Float[Tensor, "b 3 h w"], text: TextEmbedding) -> Float[Tensor, "b 3 h w"]:
        """The pictures, in [-1, 1] at the generator's resolution, as far as it can tell them; `text` are captions."""
        ...


@runtime_checkable
class Interpolates(Protocol[OptionsT]):
    """A generator that can draw what lies between two captions, two seeds, or both."""

    def interpolate(
        self, text: TextEmbedding, noise: Noise, weights: Float[Tensor, f], options: OptionsT
    ) -> Float[Tensor, "f 3 h w"]:
        """One picture per weight in [0, 1]: at 0 the first caption and stream, at 1 the second."""
        ...


def interpolate(
    pipe: Pipeline, prompts: Sequence[str], seeds: Sequence[int], frames: int, **options: Any
) -> list[Image.Image]:
    """`frames` pictures from one prompt and seed to another, ends included.

    Args:
        prompts, seeds: two each; one prompt twice moves in noise alone, one seed twice in the text alone.
        frames: 2 to MAX_FRAMES.
        options: the generator's own.

    Raises:
        InvalidInputError: the model cannot interpolate, or an argument is outside its range.
    """
    generator = pipe.generator
    if not isinstance(generator, Interpolates):
        raise InvalidInputError(_cannot(pipe, "draw what lies between two pictures", "interpolate"))
    if not 2 <= frames <= MAX_FRAMES:
        raise InvalidInputError(f"A walk has 2 to {MAX_FRAMES} frames, its ends included, but {frames} came.")
    settings = pipe.options(**options)
    with torch.inference_mode():
        text = pipe.encoder.encode(check_prompts(prompts)).to(pipe.device)
        weights = torch.linspace(0, 1, frames, device=pipe.device)
        return to_pil(generator.interpolate(text, Noise(seeds, pipe.device), weights, settings))


def reconstruct(pipe: Pipeline, picture: Image.Image, prompt: str) -> Image.Image:
    """A picture through the model and back.

    Args:
        picture: RGB, a square of the model's resolution.
        prompt: what it shows.

    Raises:
        InvalidInputError: the model cannot reconstruct, or the prompt is empty or too long.
    """
    generator = pipe.generator
    if not isinstance(generator, Reconstructs):
        raise InvalidInputError(_cannot(pipe, "give a picture back", "reconstruct"))
    with torch.inference_mode():
        text = pipe.encoder.encode(check_prompts([prompt])).to(pipe.device)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(pipe.device)
        return to_pil(generator.reconstruct(from_uint8(pixels), text))[0]


def _cannot(pipe: Pipeline, what: str, method: str) -> str:
    able = []
    for spec, _ in registry().all(ModelSpec):
        try:
            able += [spec.name] if hasattr(load_target(spec.target), method) else []
        except PluginError:  # told by `t2i doctor`
            continue
    others = f"Techniques that can: {', '.join(sorted(able))}." if able else "No technique installed here can."
    return f"{pipe.snapshot.name} is a {pipe.generator.technique}, which cannot {what}. {others}"
