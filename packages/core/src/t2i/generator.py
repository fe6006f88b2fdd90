"""What every technique becomes in the end: text and noise in, pictures out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2i.config import Config, parse_config
from t2i.errors import InvalidInputError
from t2i.seeds import check_seed
from t2i.text import TextEmbedding


class Noise:
    """Random numbers with one seed per image.

    Each image draws from its own CPU stream, so picture #3 gets the same numbers alone, in a batch of 64,
    or on another device. Successive draws continue each stream.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        """Start one stream per seed.

        Args:
            seeds: one per image, each in [0, 2**63).
            device: where draws are put.

        Raises:
            InvalidInputError: a seed is outside its range.
        """
        self.seeds = tuple(check_seed(seed) for seed in seeds)
        self.device = torch.device(device)
        self._streams = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def __len__(self) -> int:
        return len(self.seeds)

    def normal(self, *shape: int) -> Float[Tensor, "b ..."]:
        """Standard normal numbers, `[b, *shape]`."""
        return self._draw(torch.randn, shape)

    def uniform(self, *shape: int) -> Float[Tensor, "b ..."]:
        """Numbers in [0, 1), `[b, *shape]`."""
        return self._draw(torch.rand, shape)

    def _draw(self, sampler: Any, shape: tuple[int, ...]) -> Tensor:
        return torch.stack([sampler(shape, generator=stream) for stream in self._streams]).to(self.device)


class NoOptions(Config):
    """For generators whose pictures depend on nothing but text and noise."""


class Generator(nn.Module, ABC):
    """Text and noise in, pictures out. It opens no file and no socket; `config` alone rebuilds it."""

    technique: ClassVar[str]
    """The name it is registered under, such as "cgan"."""
    config_type: ClassVar[type[Config]]
    """What `config` is."""
    options_type: ClassVar[type[Config]] = NoOptions
    """What `generate` takes beside text and noise; its fields are `--option name=value` on the command line."""

    config: Config

    @property
    @abstractmethod
    def resolution(self) -> int:
        """Height and width of a picture, in pixels."""

    @property
    @abstractmethod
    def text_dim(self) -> int:
        """Width d of the text embedding it reads."""

    @abstractmethod
    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption.

        Args:
            text: b captions.
            noise: b streams; picture i depends on caption i, stream i and the options alone.
            options: fields of `options_type`.

        Returns:
            RGB in [-1, 1], float32, [b, 3, resolution, resolution].
        """

    @property
    def stage_resolutions(self) -> tuple[int, ...]:
        """Pixels a side of each picture that `stages` gives, `resolution` last."""
        return (self.resolution,)

    def stages(self, text: TextEmbedding, noise: Noise, **options: Any) -> list[Float[Tensor, "b 3 _ _"]]:
        """The pictures a technique makes on its way, coarse to fine; the last are those of `generate`.

        Techniques that draw in several stages override this and `stage_resolutions`.
        """
        return [self.generate(text, noise, **options)]

    def for_drawing(self) -> Generator:
        """What a pipeline draws with: this, or a twin that draws the same up to rounding, faster (`t2i.inference`).

        A twin is never saved; its tensors may be others.
        """
        return self

    @classmethod
    def from_pretrained(cls, name: str, *, device: torch.device | str = "cpu") -> Self:
        """Load "name.tag", "hf-hub:org/repo@revision", "local-dir:path" or a path to a snapshot or run folder.

        Raises:
            UnknownNameError, SnapshotError: as `t2i.hub.snapshots.resolve` and `load_generator` do; also
                when the snapshot holds another technique than `cls`.
        """
        from t2i.hub.snapshots import load_generator, resolve

        generator = load_generator(resolve(name), device=device)
        if not isinstance(generator, cls):
            raise InvalidInputError(
                f"{name} holds the technique {generator.technique!r}, not {cls.__name__}. "
                f"Load it with t2i.create_model({name!r}, pretrained=True)."
            )
        return generator

    def save_pretrained(self, folder: str | Path, **facts: Any) -> Path:
        """Write a snapshot: config.json, model.safetensors, golden.safetensors and the card README.md.

        Args:
            folder: a folder that does not exist yet; it appears whole or not at all.
            facts: fields of `t2i.hub.snapshots.SnapshotFacts`, such as the text encoder's identity.

        Raises:
            InvalidConfigError: a fact is unknown, or does not fit.
            OutputError: the folder is there already, or cannot be written.
        """
        from t2i.hub.snapshots import SnapshotFacts, save_snapshot

        return save_snapshot(self, Path(folder), parse_config(SnapshotFacts, facts, "save_pretrained"))

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool = False,
        create_pr: bool = False,
        revision: str | None = None,
        **facts: Any,
    ) -> str:
        """Publish a snapshot on the Hugging Face Hub; returns the address of the commit or pull request.

        Args:
            repo_id: "org/name"; made where it is not there.
            private, create_pr, revision: see `t2i.hub.push.Target`.
            facts: fields of `t2i.hub.snapshots.SnapshotFacts`.

        Raises:
            InvalidInputError: the repository or a fact cannot be named so.
            SnapshotError: the Hub refuses; says why.
        """
        from t2i.hub.push import Target, push_generator
        from t2i.hub.snapshots import SnapshotFacts

        target = Target(repo_id, private, create_pr, revision)
        return push_generator(self, target, parse_config(SnapshotFacts, facts, "push_to_hub")).address
