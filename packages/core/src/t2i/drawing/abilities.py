"""Abilities that only some generators have: reconstruct or compress a picture, interpolate, show their attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from t2i.arguments import check_whole_number
from t2i.config import Config
from t2i.drawing.artist import Artist
from t2i.drawing.pipeline import Pipeline
from t2i.drawing.reading import encode_prompts
from t2i.errors import InvalidInputError, PluginError
from t2i.images import from_uint8, to_pil
from t2i.noise import Noise
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.seeds import check_seeds
from t2i.text import TextEmbedding, check_prompts

MAX_FRAMES = 400
OptionsT = TypeVar("OptionsT", bound=Config, contravariant=True)


@runtime_checkable
class Reconstructs(Protocol):
    """A generator that can reconstruct a picture."""

    def reconstruct(self, images: Float[Tensor, "b 3 h w"], text: TextEmbedding) -> Float[Tensor, "b 3 h w"]:
        """Encode and decode pictures, in [-1, 1] at the generator's resolution; `text` are their captions."""
        ...


@runtime_checkable
class Compresses(Protocol):
    """A generator with an autoencoder, whose latents another technique can draw."""

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a picture's latents."""
        ...

    def compress(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c y x"]:
        """The latents of pictures in [-1, 1] at the generator's resolution."""
        ...

    def restore(self, latents: Float[Tensor, "b c y x"]) -> Float[Tensor, "b 3 h w"]:
        """The pictures of latents, in [-1, 1]; latents that are slightly off give almost the same pictures."""
        ...


@runtime_checkable
class Interpolates(Protocol[OptionsT]):
    """A generator that can draw pictures between two captions, two seeds, or both."""

    def interpolate(
        self, text: TextEmbedding, noise: Noise, weights: Float[Tensor, f], options: OptionsT
    ) -> Float[Tensor, "f 3 h w"]:
        """One picture per weight in [0, 1]: at 0 the first caption and stream, at 1 the second."""
        ...


@dataclass(frozen=True)
class Attended:
    """Pictures, and the attention of each place to the words.

    Attributes:
        images: the pictures that `generate` draws for the same arguments.
        maps: for each word, its weight at each of y times x places. The weights at a place sum to 1, and words
            that the mask leaves out have 0. `TextEncoder.tokens` says what the words stand for.
    """

    images: Float[Tensor, "b 3 h w"]
    maps: Float[Tensor, "b l y x"]


@runtime_checkable
class Attends(Protocol[OptionsT]):
    """A generator that can show its attention to words."""

    def attend(self, text: TextEmbedding, noise: Noise, options: OptionsT) -> Attended:
        """Draw as `generate` does, and keep the attention, such as that of its finest layer."""
        ...


def interpolate(
    artist: Artist, prompts: Sequence[str], seeds: Sequence[int], frames: int, options: Config | None = None
) -> list[Image.Image]:
    """`frames` pictures from one prompt and seed to another, ends included.

    Args:
        prompts, seeds: two each; equal prompts change only the noise, equal seeds only the text.
        frames: 2 to MAX_FRAMES.
        options: made by the artist's `options`.

    Raises:
        InvalidInputError: the artist cannot interpolate, or an argument is outside its range.
    """
    if not isinstance(artist, Pipeline) or not isinstance(artist.generator, Interpolates):
        raise InvalidInputError(cannot(artist, "draw pictures between two others", "interpolate"))
    frames = check_whole_number(frames, "The number of frames", 2, MAX_FRAMES)
    prompts, seeds = check_prompts(prompts), check_seeds(seeds)
    if len(prompts) != 2 or len(seeds) != 2:
        raise InvalidInputError(f"Interpolation takes 2 prompts and 2 seeds, got {len(prompts)} and {len(seeds)}.")
    with torch.inference_mode():
        text = encode_prompts(artist.encoder, prompts).to(artist.device)
        weights = torch.linspace(0, 1, frames, device=artist.device)
        noise = Noise(seeds, artist.device)
        return to_pil(artist.generator.interpolate(text, noise, weights, options or artist.options()))


def reconstruct(artist: Artist, picture: Image.Image, prompt: str) -> Image.Image:
    """Encode a picture with the artist's model and decode it again.

    Args:
        picture: RGB, a square of the artist's resolution.
        prompt: its caption.

    Raises:
        InvalidInputError: the artist cannot reconstruct, or the prompt is empty or too long.
    """
    if not isinstance(artist, Pipeline) or not isinstance(artist.generator, Reconstructs):
        raise InvalidInputError(cannot(artist, "reconstruct a picture", "reconstruct"))
    with torch.inference_mode():
        text = encode_prompts(artist.encoder, check_prompts([prompt])).to(artist.device)
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(artist.device)
        return to_pil(artist.generator.reconstruct(from_uint8(pixels), text))[0]


def cannot(artist: Artist, what: str, method: str) -> str:
    """The error message for an artist that lacks an ability: what it cannot do, and which techniques can."""
    able = []
    for spec, _ in registry().all(ModelSpec):
        try:
            able += [spec.name] if hasattr(load_target(spec.target), method) else []
        except PluginError:  # reported by `t2i doctor`
            continue
    others = f"Techniques that can: {', '.join(sorted(able))}." if able else "No installed technique can."
    technique = artist.generator.technique if isinstance(artist, Pipeline) else type(artist).__name__
    return f"{artist.name} is a {technique}, which cannot {what}. {others}"
