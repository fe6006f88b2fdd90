"""What text judges keep of every picture: its vector, its caption and its group."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError


@dataclass
class Captioned:
    """Pictures as vectors, in the order they came.

    Attributes:
        vectors: [b, d] a batch.
        captions: one a picture.
        groups: one a picture.
    """

    vectors: list[Float[Tensor, "b d"]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.captions)

    def add(self, vectors: Float[Tensor, "b d"], captions: Sequence[str], groups: Sequence[str]) -> None:
        """Take in b more."""
        self.vectors.append(vectors)
        self.captions += captions
        self.groups += groups

    def all_vectors(self) -> Float[Tensor, "n d"]:
        """All of them; [0, 0] of none."""
        return torch.cat(self.vectors) if self.vectors else torch.empty(0, 0)

    def state(self, prefix: str) -> dict[str, Tensor]:
        """As tensors under `prefix`."""
        return {
            f"{prefix}.vectors": self.all_vectors(),
            f"{prefix}.captions": text_tensor([self.captions, self.groups]),
        }

    def merge(self, prefix: str, state: Mapping[str, Tensor]) -> None:
        """Take in what `state` gave."""
        vectors = state[f"{prefix}.vectors"]
        if len(vectors):
            self.add(vectors.clone(), *text_of(state[f"{prefix}.captions"]))


def check_captioned(images: Tensor, captions: Sequence[str] | None, judge: str) -> Sequence[str]:
    """The captions, once they and the pictures are known to be readable.

    Raises:
        InvalidInputError: captions are missing, of another number or empty; or a picture holds NaN or infinity.
    """
    if captions is None:
        raise InvalidInputError(
            f"{judge} reads what each picture should show, but no captions came. Give a dataset with captions."
        )
    if len(captions) != len(images):
        raise InvalidInputError(
            f"{judge} reads one caption a picture, but {len(captions)} came with {len(images)} pictures."
        )
    if not all(caption.strip() for caption in captions):
        raise InvalidInputError(f"{judge} reads captions, but one of {len(captions)} is empty. Leave that picture out.")
    broken = (~images.flatten(1).isfinite().all(1)).nonzero().flatten()
    if len(broken):
        raise InvalidInputError(
            f"{judge} reads finite pixels in [-1, 1], but picture {int(broken[0])} of a batch of {len(images)} has NaN "
            f"or infinity. The model has diverged; use an earlier checkpoint."
        )
    return captions


def check_settings(state: Mapping[str, Tensor], settings: Mapping[str, str], keys: Iterable[str], judge: str) -> None:
    """Refuse the state of another judge, or of this one under other settings.

    Raises:
        InvalidInputError: says which settings differ.
    """
    missing = sorted({"settings", *keys} - state.keys())
    if missing:
        raise InvalidInputError(f"This is no state of {judge}: it lacks {', '.join(missing)}.")
    theirs = text_of(state["settings"])
    different = sorted(key for key in {*settings, *theirs} if settings.get(key) != theirs.get(key))
    if different:
        parts = "; ".join(
            f"{key}: {settings.get(key, 'not said')} and {theirs.get(key, 'not said')}" for key in different
        )
        raise InvalidInputError(f"States of {judge} merge under one set of settings, but these differ in {parts}.")


def text_tensor(value: object) -> Tensor:
    """JSON as bytes, so that texts travel among tensors."""
    return torch.frombuffer(bytearray(json.dumps(value, ensure_ascii=True).encode()), dtype=torch.uint8)


def text_of(tensor: Tensor) -> Any:
    """Undo `text_tensor`."""
    return json.loads(bytes(tensor.cpu().numpy()))
