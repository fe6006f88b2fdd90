"""A protocol of 24 features with a very fast network, for tests of evaluators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from t2i.files import sha256_of
from t2i_metrics.networks import Extracting
from t2i_metrics.protocols import PROTOCOLS, Protocol
from t2i_metrics.weights import PublishedWeights

TINY, DIM, CLASSES = "tiny", 24, 10


@dataclass(frozen=True)
class LocalWeights(PublishedWeights):
    """Weights in a local file."""

    path: Path = Path()

    def find(self) -> Path:
        return self.path


def network(weights: Mapping[str, Tensor]) -> Extracting:
    """A network of 24 filters of 4 x 4 pixels, averaged, and 10 classes."""
    body = nn.Sequential(nn.Conv2d(3, DIM, 4, stride=4), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    classifier = nn.Linear(DIM, CLASSES)
    nn.ModuleDict({"body": body, "classifier": classifier}).load_state_dict(weights)
    return Extracting(body, classifier)


def write_weights(path: Path, seed: int) -> Path:
    """Write random weights of that network."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "body.0.weight": (DIM, 3, 4, 4), "body.0.bias": (DIM,), "classifier.weight": (CLASSES, DIM),
        "classifier.bias": (CLASSES,),
    }  # fmt: skip
    save_file({name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}, path)
    return path


@contextmanager
def tiny_protocol(folder: Path) -> Iterator[None]:
    """Register the protocol "tiny", with weights in `folder`."""
    path = write_weights(folder / "tiny.safetensors", seed=0)
    protocol = Protocol(
        name=TINY,
        network="24 filters",
        resized="none",
        side=32,
        dim=DIM,
        weights=LocalWeights(names=(path.name,), sha256=sha256_of(path), path=path),
        build=network,
        resize=lambda pixels, side: pixels.float() / 127.5 - 1,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROTOCOLS, TINY, protocol)
        yield
