"""The frozen autoencoder whose latents the flow draws instead of pixels (Rombach et al. 2022)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.drawing.abilities import Compresses
from t2i.errors import IntegrityError, InvalidInputError
from t2i.generator import Generator
from t2i.snapshots.load import load_generator
from t2i.snapshots.resolve import resolve


class Autoencoder:
    """A trained model's autoencoder; copies of a generator share it, and it is not part of their state.

    Attributes:
        sha256: of the model's weights.
        resolution: of its pictures, in pixels.
        shape: channels, height and width of latents.
    """

    def __init__(self, network: Generator, sha256: str, name: str) -> None:
        """
        Raises:
            InvalidInputError: the model has no autoencoder.
        """
        if not isinstance(network, Compresses):
            raise InvalidInputError(
                f"flow: model.autoencoder must be a model that compresses pictures, but {name} is a "
                f"{network.technique}, which cannot. Choose a transformer, such as a run of that technique."
            )
        self.sha256, self.resolution, self.shape = sha256, network.resolution, network.latent_shape
        self._network, self._compresses = network, network
        self._device = torch.device("cpu")

    def __deepcopy__(self, memo: object) -> Autoencoder:
        return self

    @torch.no_grad()
    def encode(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c y x"]:
        """The latents of pictures."""
        self._move(images.device)
        return self._compresses.compress(images).float()

    def decode(self, latents: Float[Tensor, "b c y x"]) -> Float[Tensor, "b 3 h w"]:
        """The pictures of latents."""
        self._move(latents.device)
        return self._compresses.restore(latents).float()

    def _move(self, device: torch.device) -> None:
        if device != self._device:
            self._network.to(device)
            self._device = device


def open_autoencoder(name: str, sha256: str | None) -> Autoencoder:
    """The autoencoder of the named model.

    Args:
        sha256: of its weights, if they are known.

    Raises:
        IntegrityError: its weights are others.
        InvalidInputError, UnknownNameError, OfflineError, SnapshotError: there is no such model, or it cannot be used.
    """
    found = _opened(name)
    if sha256 is not None and found.sha256 != sha256:
        raise IntegrityError(
            f"The flow was trained on latents of weights with the sha256 {sha256}, but those of {name} now have "
            f"{found.sha256}. Use the version that it was trained with."
        )
    return found


@lru_cache(maxsize=1)
def _opened(name: str) -> Autoencoder:
    # in a thread of its own, where no mode of torch is active: the caller may be in one that draws no initial weights
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_load, name).result()


def _load(name: str) -> Autoencoder:
    snapshot = resolve(name)
    return Autoencoder(load_generator(snapshot), snapshot.config.weights_sha256, name)
