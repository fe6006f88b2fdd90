"""Computes features of pictures; evaluators of one protocol share an extractor, which runs once per batch."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.files import sha256_of
from t2i.images import to_uint8
from t2i_metrics.protocols import DEFAULT_PROTOCOL, get_protocol
from t2i_metrics.weights import read_weights

AT_ONCE = 16  # pictures in one forward pass; more take memory and are no faster on a CPU


@dataclass(frozen=True)
class Activations:
    """The network's outputs for b pictures, on the CPU in float32."""

    features: Float[Tensor, "b d"]
    logits: Float[Tensor, "b c"]


@final
class Extractor:
    """A protocol with its weights. Its network moves to the device of the pictures."""

    def __init__(self, protocol: str = DEFAULT_PROTOCOL, weights: Path | None = None) -> None:
        """
        Args:
            protocol: a name in PROTOCOLS.
            weights: your own copy, or other weights of the same network; by default, the published ones are found or
                downloaded.

        Raises:
            UnknownNameError: there is no such protocol.
            OfflineError: the published weights are not on this machine and cannot be fetched.
            IntegrityError: the file found is not the published one.
            InvalidInputError: `weights` is not a file of that network's weights.
        """
        self.protocol = get_protocol(protocol)
        path = weights if weights is not None else self.protocol.weights.find()
        self._network = self.protocol.build(read_weights(path))
        self._device = torch.device("cpu")
        self.sha256 = sha256_of(path)
        self._last: tuple[weakref.ref[Tensor], int, Activations] | None = None

    @property
    def identity(self) -> Mapping[str, str]:
        """The part of a score's protocol that says how the features were made."""
        return {
            "protocol": self.protocol.name,
            "extractor": self.protocol.network,
            "extractor_sha256": self.sha256,
            "resize": self.protocol.resized,
        }

    @torch.inference_mode()
    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Activations:
        """Features and logits of b pictures in [-1, 1], which are rounded to uint8 first, as when they are saved."""
        if self._last is not None and self._last[0]() is images and self._last[1] == images._version:
            return self._last[2]
        if images.device != self._device:
            self._device = images.device
            self._network.to(self._device)
        parts = [
            self._network(self.protocol.resize(to_uint8(part), self.protocol.side))
            for part in images.split(AT_ONCE)  # type: ignore[no-untyped-call]
        ]
        features, logits = (torch.cat(each).float().cpu() for each in zip(*parts, strict=True))
        activations = Activations(features, logits)
        if not images.is_inference():  # inference tensors have no version, so a change cannot be detected
            self._last = (weakref.ref(images), images._version, activations)
        return activations


def get_extractor(protocol: str = DEFAULT_PROTOCOL, weights: str | Path | None = None) -> Extractor:
    """The extractor of these settings; equal settings share one.

    Raises:
        UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `Extractor` does.
    """
    path = Path(weights) if weights is not None else None
    changed = path.stat().st_mtime_ns if path is not None and path.is_file() else 0
    return _extractor(protocol, path, changed)


@lru_cache(maxsize=2)
def _extractor(protocol: str, weights: Path | None, changed: int) -> Extractor:
    return Extractor(protocol, weights)
