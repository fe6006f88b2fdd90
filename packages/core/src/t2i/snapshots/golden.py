"""Golden pictures: an input stored with the weights, and the pictures it must produce."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from t2i.errors import SnapshotError
from t2i.files import regular
from t2i.generator import Generator
from t2i.hub.layout import GOLDEN
from t2i.noise import Noise
from t2i.snapshots.record import Snapshot
from t2i.text import TextEmbedding

GOLDEN_TOLERANCE = 1e-3  # of [-1, 1]; devices and libraries round differently


def golden_error(snapshot: Snapshot, generator: Generator) -> float:
    """The largest difference, in [-1, 1] units, between the pictures `generator` draws and the golden ones.

    Raises:
        SnapshotError: the snapshot has no readable golden tensors.
    """
    try:
        stored = load_file(regular(snapshot.folder / GOLDEN))
        golden = {name: tensor.clone() for name, tensor in stored.items()}  # aligned
    except (OSError, SafetensorError) as error:
        raise SnapshotError(f"{snapshot.folder} has no readable {GOLDEN} ({error}).") from None
    missing = {"sentence", "words", "mask", "seeds", "images"} - golden.keys()
    if missing:
        raise SnapshotError(f"{snapshot.folder} has no readable {GOLDEN} (it lacks {', '.join(sorted(missing))}).")
    return float((_draw_golden(generator, golden) - golden["images"]).abs().max())


def _golden(generator: Generator) -> dict[str, Tensor]:
    stream = torch.Generator().manual_seed(0)
    words = torch.randn(2, 3, generator.text_dim, generator=stream) / generator.text_dim**0.5
    golden = {
        "sentence": words.mean(1),
        "words": words,
        "mask": torch.ones(2, 3, dtype=torch.bool),
        "seeds": torch.tensor([0, 1]),
    }
    return golden | {"images": _draw_golden(generator, golden)}


@torch.inference_mode()
def _draw_golden(generator: Generator, golden: Mapping[str, Tensor]) -> Tensor:
    device = next(generator.parameters()).device
    text = TextEmbedding(golden["sentence"], golden["words"], golden["mask"]).to(device)
    modes = [(module, module.training) for module in generator.modules()]
    generator.eval()  # as after loading; in training mode, batch norms would draw differently and change
    try:
        noise = Noise(golden["seeds"].tolist(), device)
        return generator.generate(text, noise, generator.options()).cpu().contiguous()
    finally:
        for module, mode in modes:
            module.training = mode
