"""The transformer's tokenizer with and without VQGAN's terms (Esser et al. 2021), on OpenMoji at 32 px."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import line
from torch import Tensor

from fakes.models import FakeTextEncoder
from t2i.create import create_evaluator, load_dataset
from t2i.data.prepare import EncodedCaptions, PreparedData
from t2i.images import from_uint8
from t2i.training.config import TrainConfig
from t2i.training.trainer import Trainer
from t2i_transformer.config import TransformerConfig, TransformerObjectiveConfig
from t2i_transformer.generator import TokenTransformer
from t2i_transformer.training import TransformerObjective

SIDE, STEPS, BATCH = 32, 300, 16
TRAINED, JUDGED = 1200, 300  # pictures; of different things
SHAPE: dict[str, Any] = {"resolution": SIDE, "text_dim": 8, "widths": (24, 48), "codes": 256, "code_dim": 16, "dim": 24}
WAYS: dict[str, dict[str, float]] = {
    "without either": {},
    "adversarial=0.8": {"adversarial": 0.8},
    "perceptual=1": {"perceptual": 1.0},
    "perceptual=1 adversarial=0.8": {"perceptual": 1.0, "adversarial": 0.8},
}


def run() -> None:
    trained, judged = _pictures("train", TRAINED), from_uint8(_pictures("compose", JUDGED))
    for name, changes in WAYS.items():
        again = _reconstructed(trained, judged, changes)
        kid = create_evaluator("kid")
        kid.update(judged, real=True)
        kid.update(again)
        error, sharpness = (again - judged).abs().mean(), _edges(again) / _edges(judged)
        score = kid.compute()["kid"]
        line(f"{name}: absolute error", f"{error:.3f}")
        line("  edges, of those of the real pictures", f"{sharpness:.0%}")
        line("  KID of reconstructed and real pictures", f"{score.value:.3f} ± {score.standard_error:.3f}")


def _reconstructed(trained: Tensor, judged: Tensor, changes: dict[str, float]) -> Tensor:
    """Train the tokenizer of the same first weights for the same steps, and let it encode and decode pictures."""
    torch.manual_seed(0)
    generator = TokenTransformer(TransformerConfig(**SHAPE))
    objective = TransformerObjective(generator, TransformerObjectiveConfig(tokenizer_share=0.99, **changes))
    config = TrainConfig(
        steps=STEPS, batch_size=BATCH, checkpoint_every=STEPS, sample_every=0, tracker="none", precision="no"
    )
    with tempfile.TemporaryDirectory() as scratch:
        Trainer(objective, _prepared(trained), config, Path(scratch) / "run", device="cpu").fit()
    text = FakeTextEncoder(dim=8).encode(["a"])
    with torch.inference_mode():
        parts = [generator.eval().reconstruct(part, text) for part in judged.split(100)]
    return torch.cat(parts)


def _edges(images: Tensor) -> float:
    """The mean difference of neighbouring pixels."""
    return float(images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean())


def _pictures(split: str, count: int) -> Tensor:
    dataset = load_dataset("openmoji", split)
    step = max(1, len(dataset) // count)
    chosen = range(0, step * min(count, len(dataset)), step)
    pixels = [np.asarray(dataset.picture(index, SIDE)[0]) for index in chosen]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()


def _prepared(images: Tensor) -> PreparedData:
    """The pictures with one caption, which the tokenizer does not read."""
    text = FakeTextEncoder(dim=8).encode(["a"])
    return PreparedData(
        name="openmoji",
        license="CC-BY-SA-4.0",
        images=images,
        captions=EncodedCaptions(text.sentence, text.words[text.mask].half(), torch.tensor([0, int(text.mask.sum())])),
        caption_texts=["a"],
        captions_of=[[0]] * len(images),
        groups=np.arange(len(images)),
        problems=(),
    )


if __name__ == "__main__":
    run()
