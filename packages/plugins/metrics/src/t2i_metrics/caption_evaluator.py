"""The base of evaluators that compare pictures with captions: one image-text encoder, and accumulators of vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from t2i_metrics.accumulating_evaluator import AccumulatingEvaluator, Batch, pack, unpack
from t2i_metrics.accumulators import Accumulator, Rows
from t2i_metrics.encoders import create_image_text_encoder
from t2i_metrics.image_text import ImageTextEncoder


class CaptionEvaluator(AccumulatingEvaluator):
    """An evaluator of pictures and their captions; a subclass writes `compute`.

    Attributes:
        encoder: reads pictures and captions.
        fake, real: the generated and the real pictures seen.
        reads_groups: whether groups matter; if not, or if none are given, each caption is a group of its own.
    """

    needs_captions: ClassVar[bool] = True
    reads_groups: ClassVar[bool] = True

    def __init__(self, name: str, encoder: str | ImageTextEncoder, **settings: str) -> None:
        """
        Args:
            name: the evaluator's registered name.
            encoder: a name that `create_image_text_encoder` knows, or an encoder of your own.
            settings: the evaluator's other settings; they become part of the protocol of its scores.

        Raises:
            UnknownNameError, SnapshotError: as `create_image_text_encoder`.
        """
        self.encoder = create_image_text_encoder(encoder) if isinstance(encoder, str) else encoder
        identity = {"encoder": self.encoder.name, "encoder_sha256": self.encoder.sha256}
        super().__init__(name, {**identity, **self.encoder.protocol, **settings})
        self.fake = self.keep("fake", CaptionedVectors())
        self.real = self.keep("real", CaptionedVectors())

    @final
    def add(self, batch: Batch) -> None:
        assert batch.captions is not None  # groups are required
        groups = batch.groups if batch.groups is not None and self.reads_groups else batch.captions
        (self.real if batch.real else self.fake).add(self.encoder.images(batch.images), batch.captions, groups)


@final
class CaptionedVectors(Accumulator):
    """A vector, a caption and a group for each picture, in the order of the updates."""

    def __init__(self) -> None:
        self._vectors = Rows()
        self.clear()

    def __len__(self) -> int:
        return len(self.captions)

    def add(self, vectors: Float[Tensor, "b d"], captions: Sequence[str], groups: Sequence[str]) -> None:
        """Append b pictures."""
        self._vectors.add(vectors)
        self.captions += captions
        self.groups += groups

    def vectors(self) -> Float[Tensor, "n d"]:
        """Of all pictures; [0, 0] if there are none."""
        return self._vectors.all()

    def state(self, name: str) -> dict[str, Tensor]:
        return {**self._vectors.state(name), f"{name}_texts": pack([self.captions, self.groups])}

    def merge(self, name: str, state: Mapping[str, Tensor]) -> None:
        self.add(state[name], *unpack(state[f"{name}_texts"]))

    def clear(self) -> None:
        self._vectors.clear()
        self.captions: list[str] = []
        self.groups: list[str] = []
