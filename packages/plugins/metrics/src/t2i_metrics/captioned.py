"""What text judges do first: check pictures and captions, and keep every picture's vector, caption and group."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i_metrics.encoders import create_image_text_encoder
from t2i_metrics.image_text import ImageTextEncoder
from t2i_metrics.reader import check_images, require_same


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
        """Append b more."""
        self.vectors.append(vectors)
        self.captions += captions
        self.groups += groups

    def rows(self) -> Float[Tensor, "n d"]:
        """All vectors; [0, 0] of none."""
        return torch.cat(self.vectors) if self.vectors else torch.empty(0, 0)


@final
class CaptionedReader:
    """The eyes and the memory of one judge that reads text."""

    def __init__(self, judge: str, encoder: str | ImageTextEncoder, **settings: str) -> None:
        """
        Args:
            judge: whose; in errors and states.
            encoder: see `create_image_text_encoder`, or one of your own.
            settings: the judge's other ones; they become part of the protocol of its scores.

        Raises:
            UnknownNameError, SnapshotError: as `create_image_text_encoder`.
        """
        self.encoder = create_image_text_encoder(encoder) if isinstance(encoder, str) else encoder
        self._judge = judge
        self._identity = {
            "encoder": self.encoder.name,
            "encoder_sha256": self.encoder.sha256,
            **self.encoder.protocol,
            **settings,
        }
        self.reset()

    def read(self, images: Tensor, captions: Sequence[str] | None, groups: Sequence[str] | None, real: bool) -> None:
        """Take in b pictures; without groups, each caption is one of its own.

        Raises:
            InvalidInputError: captions or groups are missing, of another number, or empty; or the pictures are no
                finite RGB in [-1, 1].
        """
        check_images(images, self._judge)
        if captions is None:
            raise InvalidInputError(
                f"{self._judge} reads what each picture should show, but no captions came. Give it captions, as a "
                f"captioned dataset has."
            )
        for what, texts in (("caption", captions), ("group", groups or captions)):
            if len(texts) != len(images) or not all(text.strip() for text in texts):
                raise InvalidInputError(
                    f"{self._judge} reads one {what} a picture, none empty, but {len(texts)} came with {len(images)} "
                    f"pictures, {sum(not text.strip() for text in texts)} of them empty."
                )
        (self.real if real else self.fake).add(self.encoder.images(images), captions, groups or captions)

    def protocol(self, **counts: int | str) -> dict[str, str]:
        """The protocol of a score: encoder, settings, and how many were seen."""
        return {**self._identity, **{name: str(count) for name, count in counts.items()}}

    def state(self) -> dict[str, Tensor]:
        """The settings, and everything seen."""
        fake, real = self.fake, self.real
        return {
            "settings": _to_tensor([self._judge, self._identity]),
            "fake": fake.rows(),
            "fake_texts": _to_tensor([fake.captions, fake.groups]),
            "real": real.rows(),
            "real_texts": _to_tensor([real.captions, real.groups]),
        }

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append what another saw.

        Raises:
            InvalidInputError: it is another kind of judge, or of other settings; says what differs.
        """
        missing = sorted(self.state().keys() - state.keys())
        if missing:
            raise InvalidInputError(
                f"{self._judge} merges states of its own kind, but one came that lacks {', '.join(missing)}."
            )
        judge, theirs = _from_tensor(state["settings"])
        require_same(self._judge, self._identity, judge, theirs)
        for seen, name in ((self.fake, "fake"), (self.real, "real")):
            if len(state[name]):
                seen.add(state[name], *_from_tensor(state[f"{name}_texts"]))

    def reset(self) -> None:
        """Forget everything seen."""
        self.fake, self.real = Captioned(), Captioned()


def _to_tensor(value: object) -> Tensor:
    """JSON as bytes, so that texts travel among tensors."""
    return torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)


def _from_tensor(tensor: Tensor) -> Any:
    return json.loads(bytes(tensor.cpu().numpy()))
