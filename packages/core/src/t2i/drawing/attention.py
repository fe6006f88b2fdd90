"""Which word affected which part of a picture: a model's attention as maps over the picture, one for each word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from t2i.config import Config
from t2i.drawing.abilities import Attends, cannot
from t2i.drawing.artist import Artist, Request, check_drawing, check_requests
from t2i.drawing.folder_plan import FolderPlan
from t2i.drawing.output import sheet
from t2i.drawing.pipeline import Pipeline
from t2i.drawing.provenance import png_bytes
from t2i.errors import InvalidInputError
from t2i.files import write_atomic
from t2i.images import to_pil
from t2i.noise import Noise
from t2i.progress import Progress, silent

DARK = 0.2  # brightness where a word has no weight; 1 where it has its largest


@dataclass(frozen=True)
class WordMaps:
    """A picture, and the attention of each of its places to the prompt's words.

    Attributes:
        image: the picture.
        prompt: what was drawn.
        words: the prompt's words in order, as typed; a token that is no part of the prompt is "".
        maps: a weight for each word at each of y times x places; the weights at a place sum to 1.
    """

    image: Image.Image
    prompt: str
    words: tuple[str, ...]
    maps: Float[Tensor, "w y x"]

    def lit(self, word: int) -> Image.Image:
        """The picture, bright where the word has weight and dark elsewhere, relative to the word's largest weight."""
        weights = self.maps[word]
        share = (weights / weights.max().clamp_min(1e-12)).numpy()
        light = np.asarray(Image.fromarray(share).resize(self.image.size, Image.Resampling.BILINEAR))[..., None]
        pixels = np.asarray(self.image, dtype=np.float32) * (DARK + (1 - DARK) * light.clip(0, 1))
        return Image.fromarray(pixels.round().astype(np.uint8))

    @property
    def strip(self) -> Image.Image:
        """The picture, then the picture lit by each word, with the words below."""
        shown = [index for index, word in enumerate(self.words) if word]
        pictures = [self.image, *(self.lit(index) for index in shown)]
        return sheet(pictures, len(pictures), [self.prompt, *(self.words[index] for index in shown)])


def attend(artist: Artist, requests: Iterable[Request], options: Config | None = None) -> Iterator[WordMaps]:
    """Draw requests one by one and keep the attention of the model's finest layer.

    Args:
        requests: read as they are drawn.
        options: made by the artist's `options`; by default its defaults.

    Raises:
        InvalidInputError: at once if the artist shows no attention or the options are another artist's; while drawing
            if a request is invalid.
    """
    if not isinstance(artist, Pipeline) or not isinstance(artist.generator, Attends):
        raise InvalidInputError(cannot(artist, "show its attention", "attend"))
    options = check_drawing(artist, options, 1)
    return (_attended(artist, request, options) for request in requests)


def write_attention(artist: Artist, request: Request, options: Config, picture: Path) -> Path:
    """Write the strip of a request next to its picture, as NAME-attention.png; returns its path.

    Raises:
        InvalidInputError: as `attend`.
        OutputError: the file cannot be written.
    """
    (maps,) = attend(artist, [request], options)
    path = attention_path(picture)
    write_atomic(path, png_bytes(maps.strip))
    return path


def write_attentions(
    artist: Artist, plan: FolderPlan, folder: Path, options: Config, *, force: bool = False, progress: Progress = silent
) -> None:
    """Write the strip of every picture of a folder; those already there are kept.

    Args:
        force: write them again.

    Raises:
        InvalidInputError, OutputError: as `write_attention`.
    """
    with progress("Computing attention", len(plan)) as advance:
        for request, name in plan:
            if force or not attention_path(folder / name).exists():
                write_attention(artist, request, options, folder / name)
            advance(1)


def attention_path(picture: Path) -> Path:
    """The path of a picture's attention."""
    return picture.with_name(f"{picture.stem}-attention.png")


@torch.inference_mode()
def _attended(artist: Pipeline, request: Request, options: Config) -> WordMaps:
    prompts, seeds = check_requests([request])
    assert isinstance(artist.generator, Attends)
    text = artist.encoder.encode(prompts).to(artist.device)
    found = artist.generator.attend(text, Noise(seeds, artist.device), options)
    tokens = artist.encoder.tokens(prompts[0])
    words, maps = joined(tokens, prompts[0], found.maps[0].float().cpu())
    return WordMaps(to_pil(found.images)[0], prompts[0], words, maps)


def joined(
    tokens: Sequence[str], prompt: str, maps: Float[Tensor, "l y x"]
) -> tuple[tuple[str, ...], Float[Tensor, "w y x"]]:
    """Tokens that are parts of one word joined to it, their weights summed; tokens outside the prompt stay alone.

    Args:
        tokens: as `TextEncoder.tokens` returns them.
    """
    words: list[str] = []
    sums: list[Tensor] = []
    end = -1  # of the token before, in the prompt
    for token, weights in zip(tokens, maps, strict=False):
        start = prompt.find(token, max(end, 0)) if token else -1
        if start >= 0 and start == end:
            words[-1] += token
            sums[-1] = sums[-1] + weights
        else:
            words.append(token)
            sums.append(weights)
        end = start + len(token) if start >= 0 else end
    return tuple(words), torch.stack(sums)
