"""Read this file first: from captions to pictures.

The whole of it in three lines::

    text = encoder.encode(prompts)
    images = generator.generate(text, Noise(seeds), generator.options())
    pictures = to_pil(images)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import chain
from typing import Any, Self, final

import torch
from PIL import Image

from t2i.config import Config
from t2i.create import create_text_encoder
from t2i.devices import check_device
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, ArtistFiles, Request, check_drawing, in_batches
from t2i.drawing.opening import Memory, Opening, agreed
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import ArtistIdentity
from t2i.drawing.providers import provider_of
from t2i.drawing.reading import by_length, encode_prompts
from t2i.errors import EncoderMismatchError, InvalidInputError, UnknownNameError
from t2i.generator import Generator
from t2i.hub.layout import CARD, WEIGHTS
from t2i.images import to_pil
from t2i.noise import Noise
from t2i.registry.describe import DEFAULT_MODEL, DEFAULT_TEXT_ENCODER
from t2i.registry.discovery import registry
from t2i.registry.names import ModelName
from t2i.registry.specs import ModelSpec
from t2i.snapshots.load import load_generator
from t2i.snapshots.record import Snapshot
from t2i.snapshots.resolve import resolve
from t2i.text import TextEmbedding, TextEncoder

ROW_TILE = 4  # a CPU always draws so many pictures at once: the order of its sums depends on their number


@dataclass(frozen=True)
class Stage:
    """A stage of a batch of pictures.

    Attributes:
        images: one for each picture.
        number: 0 for the coarsest.
        of: how many stages there are; the last one is the pictures themselves.
    """

    images: tuple[Image.Image, ...]
    number: int
    of: int


@final
class Pipeline(Artist):
    """A text encoder and a generator that belong together.

    Its pictures depend only on the model, prompt, seed and options; on one machine's CPU this is exact to the bit.
    """

    def __init__(self, snapshot: Snapshot, generator: Generator, encoder: TextEncoder) -> None:
        """
        Args:
            snapshot: what the generator was loaded from.

        Raises:
            EncoderMismatchError: the generator was trained with another text encoder.
        """
        trained_with = snapshot.config.facts.text_encoder
        if trained_with is not None:
            trained_with.require(encoder.identity, snapshot.name)
        if encoder.identity.dim != generator.text_dim:
            raise EncoderMismatchError(
                f"{snapshot.name} reads text embeddings of width {generator.text_dim}, but the text encoder "
                f"{encoder.identity.name!r} returns {encoder.identity.dim}. Use the encoder it was trained with."
            )
        self.snapshot, self.generator, self.encoder = snapshot, generator, encoder
        self._network = generator.for_drawing()
        _, plugin = registry().get(ModelSpec, generator.technique)
        self._versions = {name: version(name) for name in ("t2i-core", "torch", "emoji", plugin.distribution)}

    def __repr__(self) -> str:
        size = sum(parameter.numel() for parameter in self.generator.parameters())
        return (
            f"<Pipeline {self.name}: {self.generator.technique}, {self.resolution} px, {size / 1e6:.1f} M parameters, "
            f"text encoder {self.encoder.identity.name}, on {self.device}>"
        )

    @property
    def identity(self) -> ArtistIdentity:
        encoder = self.encoder.identity
        return ArtistIdentity(
            name=self.snapshot.name,
            revision=self.snapshot.revision,
            weights={WEIGHTS: self.snapshot.config.weights_sha256},
            text_encoders={encoder.name: encoder.sha256},
            device=self._device.type,
            versions=self._versions,
            parent=self.snapshot.config.facts.parent,
        )

    @property
    def resolution(self) -> int:
        return self.generator.resolution

    @property
    def device(self) -> str:
        return str(self._device)

    @property
    def files(self) -> ArtistFiles:
        folder, name = self.snapshot.folder, ModelName.parse(self.snapshot.name)
        return ArtistFiles(
            size_bytes=(folder / WEIGHTS).stat().st_size,
            card=folder / CARD if (folder / CARD).is_file() else None,
            home=name.folder if name.kind == "folder" and name.folder.is_dir() else None,
        )

    @property
    def options_type(self) -> type[Config]:
        return self.generator.options_type

    def options(self, /, **values: Any) -> Config:
        """The generator's options: those given, else the snapshot's own, else the technique's defaults.

        Raises:
            InvalidConfigError: a name is unknown, or its value does not fit.
        """
        return self.generator.options(**{**self.snapshot.config.facts.options, **values})

    def to(self, device: torch.device | str) -> Self:
        """Move text encoder and generator to `device`; returns the pipeline itself.

        Raises:
            InvalidInputError: this machine has no such device.
        """
        where = check_device(str(device))
        self.generator.to(where)
        self.encoder.to(where)
        self._network = self.generator.for_drawing()
        return self

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
            self._check_stages()
        drawn = self._draw(requests, options, batch_size, stages)
        return (picture for picture in drawn if isinstance(picture, Picture))

    def draw_live(self, requests: Sequence[Request], options: Config | None = None) -> Iterator[Stage | Picture]:
        """Draw one batch, and give each stage of all its pictures as soon as it is drawn; then the pictures.

        Raises:
            InvalidInputError: `options` or a request is invalid, or the generator draws in one stage.
        """
        options = check_drawing(self, options, len(requests))
        self._check_stages()
        return self._draw(requests, options, len(requests), stages=True, live=True)

    def _check_stages(self) -> None:
        if len(self.generator.stage_resolutions) < 2:
            raise InvalidInputError(
                f"{self.name} draws its pictures in one stage, so there are no others to show. "
                f"Leave out --stages, or use a model with several stages, such as stackgan."
            )

    def _draw(
        self, requests: Iterable[Request], options: Config, batch_size: int, stages: bool, live: bool = False
    ) -> Iterator[Stage | Picture]:
        """The pictures, with their stages or, if `live`, after each stage of their batch."""
        warned: dict[str, str] = {}
        for batch in in_batches(self, requests, options, lambda: batch_size):
            text = self._read([asked.prompt for asked in batch], warned)
            drawn: list[list[Image.Image]] = []
            for images in self._images(text, [asked.seed for asked in batch], options, stages):
                drawn.append(images)
                if live:
                    yield Stage(tuple(images), len(drawn) - 1, self.generator.stage_count(options))
            for of_one, sentence, asked in zip(zip(*drawn, strict=True), text.sentence.cpu(), batch, strict=True):
                given = of_one if stages and not live else ()
                yield Picture(of_one[-1], asked, given, self.record, sentence, warned.get(asked.prompt, ""))

    @torch.inference_mode()
    def _read(self, prompts: Sequence[str], warned: MutableMapping[str, str]) -> TextEmbedding:
        distinct = list(dict.fromkeys(prompts))
        rows = [distinct.index(prompt) for prompt in prompts]
        return encode_prompts(self.encoder, distinct, warned)[rows].to(self._device)

    def _images(
        self, text: TextEmbedding, seeds: Sequence[int], options: Config, stages: bool
    ) -> Iterator[list[Image.Image]]:
        """The pictures of each stage, or the last ones alone. A CPU draws them in tiles of prompts of one length."""
        tiles = [
            (rows[at : at + size], part[at : at + size])
            for rows, part in by_length(text)
            for size in [ROW_TILE if self._device.type == "cpu" else len(rows)]
            for at in range(0, len(rows), size)
        ]
        drawn = [self._tile(part, [seeds[row] for row in rows], options, stages) for rows, part in tiles]
        for of_tiles in zip(*drawn, strict=True):
            images = dict(zip(chain(*(rows for rows, _ in tiles)), chain(*of_tiles), strict=True))
            yield [images[row] for row in range(len(seeds))]

    @torch.inference_mode()
    def _tile(
        self, text: TextEmbedding, seeds: Sequence[int], options: Config, stages: bool
    ) -> Iterator[list[Image.Image]]:
        """As `_images`, for prompts of one length; the batch is filled up to a multiple of ROW_TILE."""
        rows = [*range(len(text)), *[len(text) - 1] * (-len(text) % ROW_TILE)]
        noise, filled, network = Noise([seeds[row] for row in rows], self._device), text[rows], self._network
        drawn = network.stages(filled, noise, options) if stages else [network.generate(filled, noise, options)]
        for images in drawn:
            yield to_pil(images[: len(text)])

    @property
    def _device(self) -> torch.device:
        return next(self.generator.parameters()).device


def pipeline(
    model: str = DEFAULT_MODEL,
    *,
    device: str | None = None,
    record: bool = False,
    memory: Memory = "auto",
    adapters: Sequence[str] = (),
    accept_new: bool = False,
    confirm: Callable[[str], bool] = agreed,
    encoders: MutableMapping[str, TextEncoder] | None = None,
) -> Artist:
    """Load a model, ready to draw: a snapshot as a Pipeline, another layout as the artist of the plugin that knows it.

    Args:
        model: "technique", "technique.tag", a run folder, "local-dir:path", "hf-hub:org/repo[@revision]" or the short
            name of a well-known model on the Hub.
        device: "cpu", "cuda", "mps"; by default the machine's accelerator, or the CPU.
        record: record its pictures in the index when they are saved (needs t2i-index), as the command line does.
        memory, adapters, accept_new, confirm: for models in another layout, see `t2i.drawing.opening.Opening`.
        encoders: text encoders that several pipelines on one device share, by name; gets the one that is loaded.

    Raises:
        UnknownNameError, PluginError, SnapshotError: there is no usable model of that name.
        InvalidInputError: `memory` or `adapters` is given for a model that has no such choice.
    """
    where = check_device(device)
    name, opening = ModelName.parse(model), Opening(str(where), memory, tuple(adapters), accept_new, confirm)
    provider = provider_of(name)
    if provider is None and not opening.is_plain:
        raise InvalidInputError(
            f"Memory modes and adapters are for large models such as those of diffusers, but {model} is not one. "
            f"Leave --memory and --lora out."
        )
    artist = provider(name, opening) if provider is not None else open_snapshot(resolve(model), where, encoders)
    artist.record = record
    return artist


def open_snapshot(
    snapshot: Snapshot, device: torch.device | str = "cpu", encoders: MutableMapping[str, TextEncoder] | None = None
) -> Pipeline:
    """Load a snapshot's generator and the text encoder it was trained with, or take it from `encoders`.

    Raises:
        UnknownNameError, PluginError, SnapshotError: one of them cannot be loaded.
    """
    generator = load_generator(snapshot, device)
    trained_with = snapshot.config.facts.text_encoder
    name, loaded = trained_with.name if trained_with else DEFAULT_TEXT_ENCODER, encoders if encoders is not None else {}
    try:
        encoder = loaded[name] if name in loaded else create_text_encoder(name).to(device)
    except UnknownNameError as error:
        if trained_with is None:
            raise
        raise EncoderMismatchError(
            f"{snapshot.name} needs the text encoder {trained_with.name!r}, which is not installed. {error} "
            f"Without it, the model can only draw from embeddings, in Python: "
            f"model = t2i.from_pretrained({snapshot.name!r}); "
            f"model.generate(TextEmbedding.of_sentences(...), Noise([7]), model.options())"
        ) from None
    except InvalidInputError:
        if ":" in name:
            raise
        raise EncoderMismatchError(  # the encoder needs a reference after a colon
            f"{snapshot.name} needs the text encoder {name!r}, but does not say from which file. Convert the "
            f"checkpoint again, with --text-encoder {name}:FILE."
        ) from None
    loaded[name] = encoder
    return Pipeline(snapshot, generator, encoder)
