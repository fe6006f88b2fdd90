"""Draws with a pipeline of diffusers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import torch
from PIL import Image
from torch import Tensor

from t2i.config import Config, parse_config
from t2i.display import brief
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, ArtistFiles, Request, check_drawing, in_batches
from t2i.drawing.opening import Opening
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import ArtistIdentity
from t2i.errors import InvalidInputError, SnapshotError
from t2i.hub.layout import CARD
from t2i.images import to_pil
from t2i.registry.names import ModelName
from t2i_diffusers.adapters import find_adapters, load_adapters, set_scale
from t2i_diffusers.batches import Batches, first_batch, is_out_of_memory
from t2i_diffusers.files.find import PipelineFiles, find
from t2i_diffusers.load import load_pipeline, modules, place, preferred_variants, too_small
from t2i_diffusers.options import call_arguments, options_type
from t2i_diffusers.schedulers import build, compatible
from t2i_diffusers.text_once import encode_once
from t2i_diffusers.unread import hushed, warn_of_unread

DISTRIBUTIONS = ("t2i-core", "t2i-diffusers", "diffusers", "transformers", "torch")
ONE_BY_ONE = frozenset({"QwenImagePipeline", "Lumina2Pipeline", "ZImagePipeline"})
"""Pipelines that pad the prompts of a batch to the longest one, which changes the others: drawn one at a time."""
NOTHING = " "  # a negative prompt that excludes nothing, as Qwen-Image's authors write it
TILED_FROM = 1024 * 1024  # pixels: `--memory low` decodes larger pictures in tiles
BIN_SIDES = (256, 512, 1024, 2048)  # for which PixArt and Sana have tables of sizes


def open_artist(name: ModelName, opening: Opening) -> DiffusersArtist:
    """Find, verify and load the named pipeline.

    Raises:
        SnapshotError, OfflineError, IntegrityError, OutputError, InvalidInputError: it cannot be used; nothing is
            loaded from files that were not verified.
    """
    kind = opening.device.partition(":")[0]

    def room(parts: Mapping[str, int], variant: str) -> str:
        return too_small(parts, variant, opening.device, opening.memory)

    adapters = find_adapters(opening)  # first: they are small, and may be refused
    files = find(name, opening, preferred_variants(kind), room)
    return DiffusersArtist(files, load_pipeline(files, kind), opening, adapters)


@final
class DiffusersArtist(Artist):
    """A pipeline of diffusers; every picture has its own generator, so it is the same alone and in a batch."""

    def __init__(self, files: PipelineFiles, pipe: Any, opening: Opening, adapters: Mapping[str, Path]) -> None:
        """
        Args:
            pipe: the pipeline of `files`, on the CPU; it is moved.
            adapters: as `find_adapters` returns them.
        """
        self.pipe, self.model_files = pipe, files
        self._device, self._opening = opening.device, opening
        self._versions = {name: version(name) for name in DISTRIBUTIONS}
        self._adapters = load_adapters(pipe, adapters)
        place(pipe, opening.device, opening.memory)
        for name, module in modules(pipe).items():
            if name.startswith("text_encoder"):
                encode_once(module)
        self._schedulers = compatible(pipe)
        self._scheduler_config = pipe.scheduler.config
        known = files.name.known
        defaults: dict[str, Any] = {"steps": known.steps, "guidance": known.guidance} if known else {}
        defaults["clean_caption"] = False  # it would need two more libraries, and the picture would depend on them
        if self.resolution not in BIN_SIDES:
            defaults["use_resolution_binning"] = False
        self._options_type = self.options_for(type(pipe), self.resolution, defaults)

    def __repr__(self) -> str:
        size = sum(p.numel() for module in modules(self.pipe).values() for p in module.parameters())
        return (
            f"<DiffusersArtist {self.name}: {type(self.pipe).__name__}, {self.resolution} px, {size / 1e6:.1f} M "
            f"parameters, on {self.device}>"
        )

    @property
    def identity(self) -> ArtistIdentity:
        files = self.model_files
        return ArtistIdentity(
            name=str(files.name),
            revision=files.revision,
            weights=files.sha256,
            text_encoders={},
            device=self._device.partition(":")[0],
            versions=self._versions,
            adapters=self._adapters,
            licenses=files.licenses,
        )

    @property
    def resolution(self) -> int:
        known = self.model_files.name.known
        if known is not None:
            return known.resolution
        return default_side(self.pipe)

    @property
    def device(self) -> str:
        return self._device

    @property
    def files(self) -> ArtistFiles:
        files = self.model_files
        card = files.folder / CARD
        return ArtistFiles(
            size_bytes=files.size_bytes,
            card=card if card.is_file() else None,
            home=files.folder if files.name.kind == "folder" else None,
        )

    @property
    def options_type(self) -> type[Config]:
        return self._options_type

    def options_for(self, kind: Any, side: int | None, defaults: Mapping[str, Any]) -> type[Config]:
        """The type of options for calls of a pipeline class that shares this one's components."""
        return options_type(
            kind, schedulers=tuple(self._schedulers), side=side, defaults=defaults, adapters=bool(self._adapters)
        )

    def options(self, /, **values: Any) -> Config:
        return parse_config(self._options_type, values, f"options of {self.name}")

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
            raise InvalidInputError(f"{self.name} shows no stages of its pictures. Leave out --stages.")
        return self._draw(requests, options, batch_size)

    def _draw(self, requests: Iterable[Request], options: Config, batch_size: int) -> Iterator[Picture]:
        width, height = (getattr(options, side, self.resolution) for side in ("width", "height"))
        batches = Batches(min(batch_size, self.at_once(width, height)))
        warned: set[str] = set()
        for batch in in_batches(self, requests, options, lambda: batches.size):
            warn_of_unread(self.pipe, [asked.prompt for asked in batch], warned)
            images = batches.each(
                [(asked.prompt, asked.seed) for asked in batch],
                lambda part: self.call(self.pipe, part, options),
                "Draw smaller pictures, or use the memory mode low, such as t2i generate --memory low",
            )
            for image, asked in zip(images, batch, strict=True):
                yield Picture(image, asked, record=self.record)

    def at_once(self, width: int, height: int) -> int:
        """The most pictures of this size that are tried at once."""
        return 1 if type(self.pipe).__name__ in ONE_BY_ONE else first_batch(self._device, width, height)

    @torch.inference_mode()
    def call(self, pipe: Any, requests: Sequence[tuple[str, int]], options: Config, **given: Any) -> list[Image.Image]:
        """Call a pipeline that shares this one's components, with one generator per picture.

        Args:
            requests: prompt and seed of each picture.
            given: more arguments, such as the picture to edit.

        Raises:
            InvalidInputError: the pipeline refuses an option.
            SnapshotError: a picture is not made of finite numbers.
        """
        prompts = [prompt for prompt, _ in requests]
        self._prepare(pipe, options)
        arguments = call_arguments(type(pipe), options) | given
        negative = getattr(options, "negative_prompt", "")
        if negative or arguments.get("true_cfg_scale", 1) > 1:  # without one, pipelines leave out this guidance
            arguments["negative_prompt"] = [negative or NOTHING] * len(prompts)
        generators = [generator(seed) for _, seed in requests]
        try:
            with hushed():
                images = pipe(prompt=prompts, generator=generators, output_type="pt", **arguments).images
        except (ValueError, TypeError, RuntimeError, NotImplementedError, IndexError) as error:
            if is_out_of_memory(error):
                raise
            raise InvalidInputError(f"{type(pipe).__name__} refuses these options: {brief(error)}") from error
        return self._finished(images)

    def _prepare(self, pipe: Any, options: Config) -> None:
        """A fresh scheduler, because some keep state; and everything else that options set on the pipeline."""
        chosen = getattr(options, "scheduler", next(iter(self._schedulers)))
        pipe.scheduler = build(self._schedulers[chosen], self._scheduler_config, chosen)
        if self._adapters:
            set_scale(pipe, self._adapters, options.lora_scale)  # type: ignore[attr-defined]
        vae: Any = getattr(pipe, "vae", None)
        if self._opening.memory == "low" and hasattr(vae, "enable_tiling"):
            pixels = getattr(options, "width", 0) * getattr(options, "height", 0)
            vae.enable_tiling() if pixels > TILED_FROM else vae.disable_tiling()

    def _finished(self, images: Any) -> list[Image.Image]:
        if not isinstance(images, Tensor):  # a pipeline that knows no "pt"
            return [image.convert("RGB") for image in images]
        if not images.isfinite().all():
            raise SnapshotError(
                f"Pictures are made of finite numbers, but {self.name} gave others. Its weights may not fit 16-bit "
                f"arithmetic: try --device cpu."
            )
        return to_pil(images.float().cpu() * 2 - 1)


def generator(seed: int) -> torch.Generator:
    """A random stream of its own: for seeds below 2**32 as diffusers is usually seeded on the CPU.

    torch's CPU generator reads only 32 bits of a seed, so larger ones are hashed to 32 bits.
    """
    if seed >= 2**32:
        seed = int.from_bytes(hashlib.sha256(str(seed).encode()).digest()[:4])
    return torch.Generator().manual_seed(seed)


def default_side(pipe: Any) -> int:
    """The side in pixels of the pictures that a pipeline draws by default."""
    network = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    size = getattr(pipe, "default_sample_size", None) or getattr(getattr(network, "config", None), "sample_size", None)
    if isinstance(size, list | tuple):
        size = size[0]
    return int(size) * int(getattr(pipe, "vae_scale_factor", 8)) if isinstance(size, int) else 1024
