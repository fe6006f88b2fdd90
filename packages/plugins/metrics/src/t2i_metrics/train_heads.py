"""`nox -s train-heads -- OUT` trains the heads of the bundled encoder; four minutes on one CPU core.

The backbone computes features of OpenMoji's split `train` once for unchanged pictures and VIEWS times for random
changes that resemble generated pictures: shifted, turned, scaled, blurred, slightly tinted, noisy. Two small heads
then learn to map picture and caption to the same place (Radford et al. 2021, sec. 2.3). A first run leaves out a tenth
of the concepts to measure the encoder on unseen concepts; a second run on all of `train` makes the heads that are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn

from t2i.create import create_text_encoder, load_dataset
from t2i.data.dataset import CaptionedDataset, Example
from t2i.evaluation.pictures import to_images
from t2i.evaluator import Score
from t2i.files import atomic_folder, cache_home, sha256_of, write_atomic
from t2i.progress import Progress, silent
from t2i_metrics.bundled_encoder import SEEN_SIDE, TEXT_ENCODER, BundledEncoder, Heads, PictureFeatures
from t2i_metrics.r_precision import RPrecision

VIEWS = 3  # changed copies of each picture
STEPS, BATCH = 600, 256
LEARNING_RATE, WEIGHT_DECAY = 1e-3, 0.05
TEMPERATURE = 0.07  # its initial value; it is learned
SEED = 0
HELD_OUT = 0.1  # share of the concepts that the first run leaves out
LICENSE = """\
The weights in this folder were trained on OpenMoji, the open-source emoji and icon project (openmoji.org), licensed
under the Creative Commons Attribution-ShareAlike 4.0 International licence (CC BY-SA 4.0). They are published under the
same licence: https://creativecommons.org/licenses/by-sa/4.0/
"""
CARD = """\
---
library_name: t2i
license: cc-by-sa-4.0
datasets: [openmoji]
tags: [t2i, image-text]
---

# The image-text encoder of t2i-metrics

Two small heads (model.safetensors, sha256 SHA256) that map pictures and captions into one space, so that R-precision
can be measured without a network connection. EfficientNet-Lite0, trained on ImageNet, reads the picture, and
all-MiniLM-L6-v2 the caption; both are frozen and come from their own packages under Apache-2.0. The heads were trained
on OpenMoji's split `train` only, with random changes that make them tolerate blur and noise. No generator was trained
with them.

| right caption among 100, on real pictures | R-precision |
|---|---|
{rows}
| chance | 0.01 |

A generator's score lies between chance and the second line. The encoder names the colour of 7 hearts in 9, or of 6 when
they are blurred, and confuses orange with red. It has seen emoji only, no photograph. Generators that use MiniLM read
captions as it does, but were not trained by it.

Trained by

    nox -s train-heads -- OUT

in a checkout of t2i.

Licence: CC BY-SA 4.0, as OpenMoji's pictures (openmoji.org).
"""


def train_heads(out: Path, progress: Progress = silent) -> dict[str, Score]:
    """Train the heads and write them with their card.

    Args:
        out: a new folder, which gets model.safetensors, README.md and LICENSE.

    Returns:
        R-precision on real pictures, by the kind of picture.

    Raises:
        T2IError: the data cannot be read, or `out` exists or cannot be written.
    """
    data, unseen = load_dataset("openmoji", "train"), load_dataset("openmoji", "compose")
    features = torch.stack([view(data, number, progress) for number in range(1 + VIEWS)], dim=1)
    texts = Texts.of(data.examples)
    held = held_out_groups(data.examples)
    known = torch.tensor([example.group not in held for example in data.examples])
    with atomic_folder(out) as scratch:
        first, last = scratch / "first.safetensors", scratch / "model.safetensors"
        write_heads(fit(features, texts, known.nonzero().flatten(), progress), first)
        new_things = [index for index, example in enumerate(data.examples) if example.group in held]
        rows = {"concepts never seen": measure(first, data, new_things)}
        first.unlink()
        write_heads(fit(features, texts, torch.arange(len(data)), progress), last)
        everything = range(len(unseen))
        rows |= {"figures and skin tones never seen together": measure(last, unseen, everything)}
        rows |= {
            f"the same, blurred to {side} px": measure(last, unseen, everything, blurred_to=side) for side in (32, 16)
        }
        card = CARD.format(rows="\n".join(f"| {what} | {score} |" for what, score in rows.items()))
        (scratch / "README.md").write_text(card.replace("SHA256", sha256_of(last)), encoding="utf-8")
        (scratch / "LICENSE").write_text(LICENSE, encoding="utf-8")
    return rows


@dataclass(frozen=True)
class Texts:
    """All captions of all pictures.

    Attributes:
        sentences: an embedding for each of c captions, [c, 384].
        of_picture: the positions of each picture's captions.
    """

    sentences: Float[Tensor, "c t"]
    of_picture: Sequence[range]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Texts:
        """Encode the captions of `examples`."""
        captions = [caption for example in examples for caption in example.captions]
        ends = np.cumsum([0, *(len(example.captions) for example in examples)]).tolist()
        encoder = create_text_encoder(TEXT_ENCODER)
        return cls(encoder.encode(captions).sentence, [range(*pair) for pair in pairwise(ends)])


def view(data: CaptionedDataset, number: int, progress: Progress = silent) -> Float[Tensor, "n f"]:
    """The features of all pictures, unchanged (0) or changed at random with the seed `number`; cached."""
    path = cache_home() / "heads" / f"{data.fingerprint[:32]}-{number}.safetensors"
    if not path.is_file():
        network, stream = PictureFeatures(), torch.Generator().manual_seed(SEED + number)
        rows = []
        with progress(f"Pictures, view {number} of {VIEWS}", len(data)) as advance, torch.inference_mode():
            for first in range(0, len(data), 64):
                images = pictures(data, range(first, min(first + 64, len(data))))
                rows.append(network(changed(images, stream) if number else images).half())
                advance(len(images))
        write_atomic(path, save({"features": torch.cat(rows)}))
    return load_file(path)["features"]


def pictures(data: CaptionedDataset, indices: Sequence[int]) -> Float[Tensor, "b 3 h w"]:
    """The pictures at these positions, at the size the encoder sees."""
    drawn = [data.picture(index, SEEN_SIDE)[0] for index in indices]
    return to_images(drawn, SEEN_SIDE)


def changed(images: Float[Tensor, "b 3 h w"], stream: torch.Generator) -> Float[Tensor, "b 3 h w"]:
    """The pictures shifted, turned, scaled, tinted, blurred and made noisy at random; colours hardly change."""
    count, side = len(images), images.shape[-1]

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=stream)

    angle, scale = between(-0.12, 0.12), between(0.88, 1.15)  # radians; 1 / size
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(-1, 2, 2)
    maps = torch.cat([turn * scale[:, None, None], between(-0.12, 0.12, 2, 1)], dim=2)  # b 2 3
    places = F.affine_grid(maps, list(images.shape), align_corners=False)
    moved = 1 - F.grid_sample(1 - images, places, align_corners=False)  # outside the picture is white
    tinted = moved * between(0.85, 1.05, 1, 1, 1) + between(-0.08, 0.08, 1, 1, 1) + between(-0.04, 0.04, 3, 1, 1)
    sides = torch.randint(side // 4, 3 * side // 4, (count,), generator=stream).tolist()
    sharp = (torch.rand(count, generator=stream) < 0.4).tolist()
    blurred = torch.cat(
        [
            image if keep else blur(image, to)
            for image, to, keep in zip(torch.split(tinted, 1), sides, sharp, strict=True)
        ]
    )
    noise = torch.randn(images.shape, generator=stream) * between(0, 0.08, 1, 1, 1)
    return (blurred + noise).clamp(-1, 1)


def blur(images: Float[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 h w"]:
    """The pictures reduced to `side` pixels and enlarged again."""
    small = F.interpolate(images, size=(side, side), mode="area")
    return F.interpolate(small, size=images.shape[-2:], mode="bilinear", align_corners=False)


def held_out_groups(examples: Sequence[Example]) -> set[str]:
    """A random tenth of the concepts, always the same."""
    groups = sorted({example.group for example in examples})
    chosen = np.random.default_rng(SEED).choice(len(groups), int(HELD_OUT * len(groups)), replace=False)
    return {groups[index] for index in chosen}


def fit(features: Float[Tensor, "n v f"], texts: Texts, kept: Int[Tensor, " k"], progress: Progress = silent) -> Heads:
    """Heads trained on the pictures at `kept`, by a contrastive loss between the pictures and captions of a batch."""
    torch.manual_seed(SEED)  # weights and dropout
    rng = np.random.default_rng(SEED)
    heads = Heads()
    clean = features[kept].float()
    heads.mean.copy_(clean.mean((0, 1)))
    heads.deviation.copy_(clean.std((0, 1)) + 1e-3)
    log_scale = nn.Parameter(torch.tensor(1 / TEMPERATURE).log())
    groups: list[dict[str, Any]] = [{"params": list(heads.parameters())}, {"params": [log_scale], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.05)
    with progress(f"Heads, on {len(kept)} pictures", STEPS) as advance:
        for _ in range(STEPS):
            drawn = kept[torch.from_numpy(rng.permutation(len(kept))[:BATCH])]
            views = torch.from_numpy(rng.integers(features.shape[1], size=len(drawn)))
            captions = torch.tensor([rng.choice(texts.of_picture[picture]) for picture in drawn.tolist()])
            found = heads.of_pictures(features[drawn, views].float())
            cosine = found @ heads.of_captions(texts.sentences[captions]).T * log_scale.exp().clamp(max=100)
            own = torch.arange(len(drawn))
            loss = (F.cross_entropy(cosine, own) + F.cross_entropy(cosine.T, own)) / 2
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            advance(1)
    return heads.eval()


def measure(
    heads: Path, data: CaptionedDataset, indices: Sequence[int], blurred_to: int | None = None, **settings: int
) -> Score:
    """The R-precision of real pictures, those at `indices`, by the heads in a file.

    Args:
        settings: of `RPrecision`.
    """
    evaluator = RPrecision(BundledEncoder(heads), **settings)
    show(evaluator, data, indices, blurred_to)
    return evaluator.compute()["r_precision"]


def show(evaluator: RPrecision, data: CaptionedDataset, indices: Sequence[int], blurred_to: int | None = None) -> None:
    """Show the evaluator the real pictures at `indices`, each with its first caption."""
    for first in range(0, len(indices), 64):
        some = indices[first : first + 64]
        images = pictures(data, some)
        examples = [data.examples[index] for index in some]
        evaluator.update(
            images if blurred_to is None else blur(images, blurred_to),
            captions=[example.captions[0] for example in examples],
            groups=[example.group for example in examples],
        )


def write_heads(heads: Heads, path: Path) -> None:
    """Write the heads as safetensors."""
    save_file({name: tensor.contiguous() for name, tensor in heads.state_dict().items()}, path)
