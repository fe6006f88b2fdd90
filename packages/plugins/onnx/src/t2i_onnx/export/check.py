"""Compares an exported folder's pictures with torch's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from t2i.config import Config
from t2i.drawing.pipeline import Pipeline
from t2i.drawing.reading import encode_prompts
from t2i.errors import SnapshotError
from t2i.noise import Noise
from t2i.snapshots.golden import GOLDEN_TOLERANCE
from t2i.text import TextEmbedding
from t2i_onnx.drawing import Drawing, Floats

BATCHES = (1, 3)
PROMPTS = (
    "a red heart",
    "a blue square and a yellow star",
    "two green apples on a table",
    "pizza",
    "a woman with red hair running",
    "the flag of Japan",
    "a small brown dog left of a large tree",
    "a smiling face with sunglasses",
)


@dataclass(frozen=True)
class Cost:
    """What 8-bit weights change, over PROMPTS with two seeds each.

    Attributes:
        sentence_cosine: the lowest cosine between a sentence vector and the exact one.
        mean_difference: of a channel of a pixel, in 0..255.
        psnr_db: peak signal-to-noise ratio against the exact pictures; the median of the pictures.
        worst_psnr_db: that of the picture that differs most.
    """

    sentence_cosine: float
    mean_difference: float
    psnr_db: float
    worst_psnr_db: float

    @property
    def words(self) -> Mapping[str, str]:
        """The measurements as text, by what they measure."""
        return {
            "8-bit weights: lowest cosine of a sentence vector with the exact one": f"{self.sentence_cosine:.4f}",
            "8-bit weights: mean difference of a pixel's values, 0 to 255": f"{self.mean_difference:.2f}",
            "8-bit weights: PSNR of the median picture": f"{self.psnr_db:.1f} dB",
            "8-bit weights: PSNR of the worst picture": f"{self.worst_psnr_db:.1f} dB",
        }


def check(artist: Pipeline, options: Config, folder: Path, golden: Mapping[str, torch.Tensor]) -> float:
    """The largest difference from torch's pictures, in [-1, 1]: of the golden input, and of prompts in BATCHES.

    Raises:
        SnapshotError: it is above GOLDEN_TOLERANCE.
        OnnxError: the graphs cannot be run.
    """
    drawing = Drawing(folder)
    found: dict[str, float] = {}
    if golden:
        text = TextEmbedding(golden["sentence"], golden["words"], golden["mask"])
        seeds = golden["seeds"].tolist()
        drawn = drawing.images(text.sentence.numpy(), text.words.numpy(), text.mask.numpy(), seeds)
        found["the golden input"] = _off(drawn, _torch(artist, options, text, seeds))
    for size in BATCHES:
        prompts, seeds = PROMPTS[:size], list(range(7, 7 + size))
        exact = _torch(artist, options, encode_prompts(artist.encoder, prompts), seeds)
        found[f"a batch of {size}"] = _off(drawing.images(*_padded(drawing, prompts), seeds), exact)
    worst = max(found, key=lambda name: found[name])
    if not found[worst] <= GOLDEN_TOLERANCE:
        raise SnapshotError(
            f"An exported model must draw torch's pictures within {GOLDEN_TOLERANCE:g} of [-1, 1], but {artist.name} "
            f"differs by {found[worst]:.3g} for {worst}. Nothing was written; report it to the author of the technique."
        )
    return found[worst]


def cost(artist: Pipeline, options: Config, folder: Path) -> Cost:
    """What the folder's 8-bit weights change.

    Raises:
        OnnxError: its graphs cannot be run.
    """
    drawing = Drawing(folder)
    text = encode_prompts(artist.encoder, PROMPTS)
    sentences = np.stack([drawing.encode(prompt)[0] for prompt in PROMPTS])
    differences = []
    for seed in (7, 8):
        seeds = [seed] * len(PROMPTS)
        rounded = drawing.images(*_padded(drawing, PROMPTS), seeds)
        differences.append(127.5 * np.abs(rounded - _torch(artist, options, text, seeds)))
    off = np.concatenate(differences)
    psnr = [_psnr(float(np.square(picture).mean())) for picture in off]
    exact = text.sentence.numpy()
    cosines = (sentences * exact).sum(1) / np.linalg.norm(sentences, axis=1) / np.linalg.norm(exact, axis=1)
    return Cost(float(cosines.min()), float(off.mean()), float(np.median(psnr)), min(psnr))


@torch.inference_mode()
def _torch(artist: Pipeline, options: Config, text: TextEmbedding, seeds: Sequence[int]) -> Floats:
    images: Floats = artist.generator.generate(text, Noise(seeds), options).numpy()
    return images


def _padded(drawing: Drawing, prompts: Sequence[str]) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Sentences, words and mask of a batch, as the folder's own text graph encodes it."""
    read = [drawing.encode(prompt) for prompt in prompts]
    longest = max(len(words) for _, words in read)
    words = np.stack([np.pad(each, ((0, longest - len(each)), (0, 0))) for _, each in read])
    mask = np.arange(longest) < np.array([[len(each)] for _, each in read])
    return np.stack([sentence for sentence, _ in read]), words, mask


def _off(drawn: Floats, exact: Floats) -> float:
    return float(np.abs(drawn - exact).max())


def _psnr(squared: float) -> float:
    """In decibels, of a mean squared difference in 0..255; at most 99."""
    return min(99.0, 10 * math.log10(255**2 / squared)) if squared else 99.0
