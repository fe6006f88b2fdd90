"""Tiny pipelines that can be exported: any technique, with a table of words as text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from t2i.create import create_model
from t2i.drawing.pipeline import Pipeline
from t2i.registry.describe import model_info
from t2i.snapshots.record import SnapshotFacts
from t2i.snapshots.resolve import resolve
from t2i.snapshots.save import save_snapshot
from t2i.testing.checks.roles.models import _tiny
from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder, Unread
from t2i.text_graph import TextGraph
from t2i_onnx.export.model import export_model
from t2i_onnx.tiny import LONGEST, tiny_tokenizer

WIDTH = 16
OPTIONS: dict[str, dict[str, Any]] = {"flow": {"steps": 2}, "transformer": {"steps": 2}}  # so that graphs are small


class Table(nn.Module):
    """A row for each word; the sentence is their mean."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.rows = nn.Embedding.from_pretrained(torch.randn(rows, WIDTH, generator=torch.Generator().manual_seed(0)))

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        words = self.rows(ids)
        return words.mean(1), words


@final
class TextTable(TextEncoder):
    """A text encoder with a graph."""

    def __init__(self) -> None:
        self._tokenizer = tiny_tokenizer()
        self._table = Table(self._tokenizer.get_vocab_size()).eval().requires_grad_(False)

    @property
    def identity(self) -> EncoderIdentity:
        return EncoderIdentity("table", "", "2" * 64, WIDTH)

    @property
    def max_words(self) -> int:
        return LONGEST

    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        read = [self._table(torch.tensor([self._tokenizer.encode(caption).ids])) for caption in captions]
        words = nn.utils.rnn.pad_sequence([words[0] for _, words in read], batch_first=True)
        mask = torch.arange(words.shape[1]) < torch.tensor([[each.shape[1]] for _, each in read])
        return TextEmbedding(torch.cat([sentence for sentence, _ in read]), words, mask)

    def tokens(self, caption: str) -> tuple[str, ...]:
        return tuple(caption[start:end] for start, end in self._tokenizer.encode(caption).offsets)

    def unread(self, prompts: Sequence[str]) -> list[Unread]:
        return [Unread() for _ in prompts]

    def to(self, device: torch.device | str) -> TextTable:
        return self

    def graph(self) -> TextGraph:
        return TextGraph(self._table, self._tokenizer.to_str())


def pipeline_of(technique: str, folder: Path, seed: int = 0, **config: Any) -> Pipeline:
    """A tiny model of the technique with random weights, whose snapshot is written to `folder`.

    Args:
        config: settings of the model, in place of the recipe's.
    """
    spec = model_info(technique).spec
    assert spec is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = create_model(technique, **{"text_dim": WIDTH, **_tiny(spec, "model"), **config})
    with torch.no_grad():
        for parameter in generator.parameters():  # those that begin as zeros would hide a difference
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))
    encoder = TextTable()
    save_snapshot(generator, folder, SnapshotFacts(text_encoder=encoder.identity, license="CC0-1.0"))
    return Pipeline(resolve(str(folder)), generator.eval().requires_grad_(False), encoder)


def export(technique: str, out: Path, **config: Any) -> None:
    """Export a tiny model of the technique into the folder `out`."""
    artist = pipeline_of(technique, Path(f"{out}-snapshot"), **config)
    export_model(artist, out, artist.options(**OPTIONS.get(technique, {})))
