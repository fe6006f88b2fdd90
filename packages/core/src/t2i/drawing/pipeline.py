"""Read me first: caption in, pictures out.

All of it in three lines::

    text = encoder.encode(prompts)
    images = generator.generate(text, Noise(seeds), generator.options())
    pictures = to_pil(images)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import islice
from typing import Any

import torch
from PIL import Image

from t2i.config import Config
from t2i.create import create_text_encoder
from t2i.devices import check_device
from t2i.drawing.picture import Picture, PipelineOutput
from t2i.drawing.provenance import Provenance
from t2i.errors import EncoderMismatchError, InvalidInputError, UnknownNameError
from t2i.generator import Generator
from t2i.images import to_pil
from t2i.noise import Noise
from t2i.registry.describe import DEFAULT_MODEL
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.seeds import choose_seeds
from t2i.snapshots.load import load_generator
from t2i.snapshots.record import Snapshot
from t2i.snapshots.resolve import resolve
from t2i.text import TextEncoder, check_prompts

DEFAULT_BATCH_SIZE = 64
ROW_TILE = 4  # CPU matrix kernels give a row the same bits in every batch whose size is a multiple of this


class Pipeline:
    """A text encoder and a generator that belong together.

    A picture depends on the model, its prompt, its seed and the options alone: not on what else is in the batch,
    nor on the batch's size or order. On one machine's CPU that holds to the bit.
    """

    def __init__(self, snapshot: Snapshot, generator: Generator, encoder: TextEncoder) -> None:
        """
        Raises:
            EncoderMismatchError: the generator was trained with another text encoder.
        """
        trained_with = snapshot.config.facts.text_encoder
        if trained_with is not None:
            trained_with.require(encoder.identity, snapshot.name)
        if encoder.identity.dim != generator.text_dim:
            raise EncoderMismatchError(
                f"{snapshot.name} reads text {generator.text_dim} numbers wide, but the text encoder "
                f"{encoder.identity.name!r} gives {encoder.identity.dim}. Use the encoder it was trained with."
            )
        self.snapshot, self.generator, self.encoder = snapshot, generator, encoder
        self._artist = generator.for_drawing()
        self.device = next(generator.parameters()).device
        _, plugin = registry().get(ModelSpec, generator.technique)
        self._versions = {name: version(name) for name in ("t2i-core", "torch", plugin.distribution)}

    def __call__(
        self,
        prompts: str | Sequence[str],
        *,
        num_images_per_prompt: int = 1,
        seed: int | None = None,
        batch_size: int = DEFAULT_BATCH_SIZE,
        **options: Any,
    ) -> PipelineOutput:
        """Draw pictures.

        Args:
            prompts: what to draw, each 1 to 2000 characters.
            num_images_per_prompt: at least 1.
            seed: of each prompt's first picture; its next pictures take seed + 1, seed + 2, ... By default one
                is chosen at random (and told in the output's `seeds`).
            batch_size: pictures drawn at once; changes memory and speed, never the pictures.
            options: the generator's own, see its `options_type`; by default those its snapshot says it draws best at.

        Raises:
            InvalidInputError: an argument is outside its range.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        seeds = choose_seeds(seed, num_images_per_prompt)
        requests = [(prompt, seed) for prompt in check_prompts(prompts) for seed in seeds]
        return PipelineOutput(tuple(self.stream(requests, batch_size=batch_size, **options)))

    def stream(
        self,
        requests: Sequence[tuple[str, int]],
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        stages: bool = False,
        **options: Any,
    ) -> Iterator[Picture]:
        """Draw one picture per (prompt, seed), batch after batch, so that a long list needs little memory.

        Args:
            stages: give each picture's stages too.
        """
        if batch_size < 1:
            raise InvalidInputError(f"A batch holds at least one picture, but batch_size={batch_size} came.")
        if stages:
            self.check_stages()
        settings = self.options(**options)
        todo = iter(requests)
        while chunk := list(islice(todo, batch_size)):
            prompts, seeds = zip(*chunk, strict=True)
            check_prompts(prompts)
            drawn = self._draw(prompts, seeds, settings, stages)
            for images, prompt, seed in zip(drawn, prompts, seeds, strict=True):
                yield Picture(images[-1], self._provenance(prompt, seed, settings), images if stages else ())

    def check_stages(self) -> None:
        """
        Raises:
            InvalidInputError: the generator draws in one stage.
        """
        if len(self.generator.stage_resolutions) < 2:
            raise InvalidInputError(
                f"{self.snapshot.name} draws its pictures in one stage, so there are no others to show. "
                f"Leave out --stages, or ask a model that has several, such as stackgan."
            )

    def options(self, /, **values: Any) -> Config:
        """The generator's options: those given, else the snapshot's own, else the technique's defaults.

        Raises:
            InvalidConfigError: a name is unknown, or its value does not fit.
        """
        return self.generator.options(**{**self.snapshot.config.facts.options, **values})

    def _draw(
        self, prompts: Sequence[str], seeds: Sequence[int], settings: Config, stages: bool
    ) -> list[tuple[Image.Image, ...]]:
        """Each request's stages, or its picture alone."""
        distinct = list(dict.fromkeys(prompts))
        rows = [distinct.index(prompt) for prompt in prompts]
        padding = -len(rows) % ROW_TILE
        rows += rows[-1:] * padding
        padded_seeds = [*seeds, *[seeds[-1]] * padding]
        with torch.inference_mode():
            text = self.encoder.encode(distinct)[rows].to(self.device)
            noise = Noise(padded_seeds, self.device)
            drawn = (
                self._artist.stages(text, noise, settings) if stages else [self._artist.generate(text, noise, settings)]
            )
        return list(zip(*(to_pil(images[: len(prompts)]) for images in drawn), strict=True))

    def _provenance(self, prompt: str, seed: int, options: Config) -> Provenance:
        identity = self.encoder.identity
        return Provenance(
            prompt=prompt,
            seed=seed,
            model=self.snapshot.name,
            revision=self.snapshot.revision,
            weights_sha256=self.snapshot.config.weights_sha256,
            text_encoder=identity.name,
            text_encoder_sha256=identity.sha256,
            device=self.device.type,
            options=options.model_dump(),
            versions=self._versions,
        )


def pipeline(model: str = DEFAULT_MODEL, *, device: str | None = None) -> Pipeline:
    """Load a model with its text encoder.

    Args:
        model: "technique", "technique.tag", a run folder, "local-dir:path" or "hf-hub:org/repo[@revision]".
        device: "cpu", "cuda", "mps"; by default the machine's accelerator, or the CPU.

    Raises:
        UnknownNameError, PluginError, SnapshotError: nothing usable goes by that name.
    """
    where = check_device(device)
    snapshot = resolve(model)
    generator = load_generator(snapshot, where)
    trained_with = snapshot.config.facts.text_encoder
    try:
        encoder = create_text_encoder(trained_with.name) if trained_with else create_text_encoder()
    except UnknownNameError as error:
        if trained_with is None:
            raise
        raise EncoderMismatchError(
            f"{model} reads the text encoder {trained_with.name!r}, which is not installed. {error} "
            f"Without it, it draws from embeddings alone, in Python: model = t2i.from_pretrained({model!r}); "
            f"model.generate(TextEmbedding.of_sentences(...), Noise([7]), model.options())"
        ) from None
    return Pipeline(snapshot, generator, encoder.to(where))
