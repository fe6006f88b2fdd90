"""An artist that is not a Pipeline: it has its own tokenizer, weights in three shards, and its own folder layout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor

from t2i.config import Config, parse_config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, ArtistFiles, Request, check_drawing, in_batches
from t2i.drawing.opening import Opening
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import ArtistIdentity
from t2i.errors import InvalidInputError
from t2i.images import to_pil
from t2i.noise import Noise
from t2i.registry.names import ModelName

MARKER = "shards.json"
VOCABULARY = ("red", "green", "blue", "yellow", "purple", "orange", "black", "white", "pink", "grey", "square")
SHARDS = tuple(f"model-{number}-of-3.safetensors" for number in (1, 2, 3))
WIDTH, SIDE = 12, 8


class BrushOptions(Config):
    """The options of the artist."""

    wildness: float = Field(1.0, ge=0, le=4, description="scales the noise")


def write_artist(folder: Path, seed: int = 0) -> Path:
    """Write an artist with random weights; returns the folder."""
    folder.mkdir(parents=True)
    stream = torch.Generator().manual_seed(seed)
    shapes = {"words": (len(VOCABULARY) + 1, WIDTH), "brush": (WIDTH, WIDTH), "pixels": (WIDTH, 3 * SIDE * SIDE)}
    for shard, (name, shape) in zip(SHARDS, shapes.items(), strict=True):
        save_file({name: torch.randn(shape, generator=stream)}, folder / shard)
    (folder / "vocabulary.json").write_text(json.dumps(VOCABULARY))
    (folder / MARKER).write_text(json.dumps(SHARDS))
    (folder / "README.md").write_text("---\nlibrary_name: fakes\n---\n\n# An artist of three shards\n")
    return folder


def open_artist(name: ModelName, opening: Opening) -> Artist:
    """The function that its plugin declares: opens a folder that has a MARKER."""
    return ShardedArtist(name.folder, str(name), opening.device)


class ShardedArtist(Artist):
    """Each word is a row of a table; two matrices turn the mean row plus noise into a picture.

    Args:
        folder: as `write_artist` leaves it.
    """

    def __init__(self, folder: Path, name: str, device: str) -> None:
        self._folder, self._name, self._device = folder, name, device
        shards = json.loads((folder / MARKER).read_text())
        self._hashes = {shard: hashlib.sha256((folder / shard).read_bytes()).hexdigest() for shard in shards}
        tensors = {key: value for shard in shards for key, value in load_file(folder / shard).items()}
        self._tensors = {key: value.to(device) for key, value in tensors.items()}
        self._rows = {word: row for row, word in enumerate(json.loads((folder / "vocabulary.json").read_text()))}

    @property
    def identity(self) -> ArtistIdentity:
        return ArtistIdentity(self._name, "", self._hashes, {}, self._device.partition(":")[0], {"fakes": "1.0"})

    @property
    def resolution(self) -> int:
        return SIDE

    @property
    def device(self) -> str:
        return self._device

    @property
    def files(self) -> ArtistFiles:
        size = sum((self._folder / shard).stat().st_size for shard in self._hashes)
        return ArtistFiles(size, self._folder / "README.md", self._folder)

    @property
    def options_type(self) -> type[Config]:
        return BrushOptions

    def options(self, /, **values: Any) -> BrushOptions:
        return parse_config(BrushOptions, values, f"options of {self.name}")

    def draw(
        self,
        requests: Iterable[Request],
        options: Config | None = None,
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        stages: bool = False,
    ) -> Iterator[Picture]:
        options = check_drawing(self, options, batch_size)
        if stages:
            raise InvalidInputError(f"{self.name} draws its pictures in one stage. Leave out --stages.")
        return self._draw(iter(requests), options, batch_size)

    def _draw(self, todo: Iterator[Request], options: Config, batch_size: int) -> Iterator[Picture]:
        assert isinstance(options, BrushOptions)
        for batch in in_batches(self, todo, options, lambda: batch_size):
            noise = Noise([asked.seed for asked in batch], self._device).normal(WIDTH)
            for z, asked in zip(noise, batch, strict=True):
                image = to_pil(self._picture(asked.prompt, options.wildness * z)[None])[0]
                yield Picture(image, asked, record=self.record)

    def _picture(self, prompt: str, z: Tensor) -> Tensor:
        rows = [self._rows.get(word, len(self._rows)) for word in prompt.lower().split()]
        hidden = torch.tanh((self._tensors["words"][rows].mean(0) + 0.3 * z) @ self._tensors["brush"])
        return torch.tanh(hidden @ self._tensors["pixels"]).reshape(3, SIDE, SIDE)
