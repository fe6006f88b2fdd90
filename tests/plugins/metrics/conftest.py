"""Networks with random weights, which are as good as trained ones for comparing two tools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.inception import Inception3

from fakes.hub import cache as cache
from fakes.hub import hub as hub
from fakes.hub import server as server
from fakes.pictures import pictures
from fakes.protocol import tiny_protocol
from t2i.data.dataset import CaptionedDataset
from t2i.data.readers.folder import read_folder
from t2i.images import to_pil


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _random_weights(path: Path, classes: int) -> Path:
    torch.manual_seed(classes)
    network = Inception3(num_classes=classes, aux_logits=False, init_weights=False)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):  # keeps the size of activations, layer by layer
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        elif isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.8, 1.2)
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def tensorflow_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file in the format of torch-fidelity and pytorch-fid, with random numbers."""
    return _random_weights(tmp_path_factory.mktemp("weights") / "inception-1008.pth", 1008)


@pytest.fixture(scope="session")
def torchvision_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file in torchvision's format, with random numbers."""
    return _random_weights(tmp_path_factory.mktemp("weights") / "inception-1000.pth", 1000)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Register the protocol "tiny"."""
    with tiny_protocol(tmp_path_factory.mktemp("tiny")):
        yield


@pytest.fixture(scope="session")
def training_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve captioned pictures of 32 px, those of pictures(12, seed=7)."""
    folder = tmp_path_factory.mktemp("training")
    for number, picture in enumerate(to_pil(pictures(12, seed=7))):
        picture.save(folder / f"{number:02}.png")
        (folder / f"{number:02}.txt").write_text(f"blob {number}\n")
    return folder


@pytest.fixture(scope="session")
def training_folder(training_path: Path) -> CaptionedDataset:
    """The pictures at `training_path`."""
    return read_folder(training_path)
