"""The text encoders of a pipeline as one text encoder, so that captions are encoded once and cached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.registry.names import ModelName
from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder, Unread
from t2i_diffusers.load import modules
from t2i_diffusers.lora.base import open_base
from t2i_diffusers.unread import hushed

AT_ONCE = 16  # captions in one forward pass


@final
class PipelineEncoder(TextEncoder):
    """What a pipeline's network reads: `words` are its words, `sentence` its pooled vector, both padded with zeros to
    the width of the wider one. In most families every caption has the same number of tokens, all of which count."""

    def __init__(self, reference: str) -> None:
        """
        Args:
            reference: "hf-hub:org/repo[@revision]", "local-dir:path" or the short name of a model on the Hub.

        Raises:
            SnapshotError, OfflineError, IntegrityError, InvalidInputError: the pipeline cannot be used.
        """
        ModelName.parse(reference)
        self._base = open_base(reference)
        self._device = torch.device("cpu")

    @property
    def identity(self) -> EncoderIdentity:
        base = self._base
        return EncoderIdentity(f"diffusers:{base.name}", base.revision, base.text_sha256, base.text_dim)

    @property
    def max_words(self) -> int:
        return self._base.null().words.shape[1]

    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        _check(captions)
        parts = [self._base.encode(captions[start : start + AT_ONCE]) for start in range(0, len(captions), AT_ONCE)]
        mask = torch.cat([part.mask for part in parts])
        mask = mask[:, : int(mask.sum(1).max())]
        words = self._wide(torch.cat([part.words for part in parts]))[:, : mask.shape[1]]
        pooled = torch.cat([part.pooled for part in parts])
        words = words * mask[..., None]
        return TextEmbedding(self._wide(pooled) if pooled.shape[1] else words.sum(1) / mask.sum(1, True), words, mask)

    def tokens(self, caption: str) -> tuple[str, ...]:
        _check([caption])
        pieces = [""] * int(self._base.encode([caption]).mask.sum())
        for place, (start, end) in enumerate(self._spans(caption)[: len(pieces)]):
            pieces[place] = caption[start:end]
        return tuple(pieces)

    def unread(self, prompts: Sequence[str]) -> list[Unread]:
        _check(prompts)
        limit = min(int(self._tokenizer.model_max_length), self.max_words)
        found = []
        for prompt in prompts:
            spans = self._spans(prompt)
            end = max((end for _, end in spans[: limit - 1]), default=0)
            found.append(Unread(cut=prompt[end:].strip() if len(spans) > limit else ""))
        return found

    def to(self, device: torch.device | str) -> PipelineEncoder:
        self._device = torch.device(device)
        for name, module in modules(self._base.pipe).items():
            if name.startswith("text_encoder"):
                module.to(self._device)
        return self

    @property
    def _tokenizer(self) -> Any:
        return getattr(self._base.pipe, self._base.family.tokenizer)

    def _spans(self, caption: str) -> list[tuple[int, int]]:
        """The part of the caption that each token covers: from its start to its end."""
        before = self._base.family.instruction(self._base.pipe)
        with hushed():
            spans = list(self._tokenizer(before + caption, return_offsets_mapping=True)["offset_mapping"])
            if before:  # the network reads the first token, and those from the instruction's last one on
                spans = [spans[0], *spans[len(self._tokenizer(before)["input_ids"]) - 1 :]]
        spans = [(max(0, start - len(before)), max(0, end - len(before))) for start, end in spans]
        # a mark for the beginning of a word has the span of the word's first letter, which the next token has, too
        ends = [
            after[0] if after[0] < after[1] else end
            for (_, end), after in zip(spans, [*spans[1:], (0, 0)], strict=True)
        ]
        return [(start, min(end, limit)) for (start, end), limit in zip(spans, ends, strict=True)]

    def _wide(self, values: Tensor) -> Tensor:
        return F.pad(values.float(), (0, self._base.text_dim - values.shape[-1]))


def _check(captions: Sequence[str]) -> None:
    if not captions or not all(caption.strip() for caption in captions):
        raise InvalidInputError(f"Expected at least one caption, none of them empty, got {list(captions)[:4]!r}.")
