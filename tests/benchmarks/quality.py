"""How often is the OpenMoji picture nearest to a drawn one, pixel by pixel, the picture of its prompt?"""

from __future__ import annotations

import torch
from measure import line
from torchvision.transforms.functional import pil_to_tensor

from t2i.create import load_dataset
from t2i.data.dataset import CaptionedDataset
from t2i.drawing.pipeline import Pipeline, pipeline
from t2i.images import from_uint8

SAMPLE = 1000  # pictures of the train split


def run() -> None:
    pipe = pipeline(device="cpu")
    every = load_dataset("openmoji", "all")
    real = _pictures(every, range(len(every)))
    for split in ("train", "compose"):
        dataset = load_dataset("openmoji", split)
        step = max(1, len(dataset) // SAMPLE)
        wanted = [dataset.examples[index] for index in range(0, len(dataset), step)]
        drawn = _draw(pipe, [example.captions[0] for example in wanted])
        found = [every.examples[index] for index in torch.cdist(drawn, real).argmin(dim=1).tolist()]
        pairs = list(zip(found, wanted, strict=True))
        same = sum(f.id == w.id for f, w in pairs) / len(pairs)
        concept = sum(f.group == w.group for f, w in pairs) / len(pairs)
        line(f"{split}: nearest picture is that of the prompt, of {len(wanted)}", f"{same:.1%}")
        line(f"{split}: nearest picture is of the prompt's concept", f"{concept:.1%}")
    line("chance", f"{1 / len(every):.2%}")


def _pictures(dataset: CaptionedDataset, indices: range) -> torch.Tensor:
    pixels = torch.stack([pil_to_tensor(dataset.picture(index, 64)[0]) for index in indices])
    return from_uint8(pixels).flatten(1)


def _draw(pipe: Pipeline, prompts: list[str]) -> torch.Tensor:
    pixels = torch.stack([pil_to_tensor(image) for image in pipe(prompts, seed=0).images])
    return from_uint8(pixels).flatten(1)
