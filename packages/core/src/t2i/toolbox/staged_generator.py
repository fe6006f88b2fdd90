"""Generators that draw a picture at several sizes, and with their batch norms folded."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Self

from jaxtyping import Float
from torch import Tensor

from t2i.generator import Generator, OptionsT
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.toolbox.folding import folded
from t2i.toolbox.staged_config import StagedConfig


class StagedGenerator(Generator[OptionsT]):
    """Draws at each of `config.resolutions`; the last and largest is the picture."""

    config: StagedConfig

    @property
    def resolution(self) -> int:
        return self.config.resolutions[-1]

    @property
    def stage_resolutions(self) -> tuple[int, ...]:
        return self.config.resolutions

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    def generate(self, text: TextEmbedding, noise: Noise, options: OptionsT) -> Float[Tensor, "b 3 h w"]:
        """The last of `stages`."""
        *_, last = self.stages(text, noise, options)
        return last

    @abstractmethod
    def stages(self, text: TextEmbedding, noise: Noise, options: OptionsT) -> Iterator[Float[Tensor, "b 3 _ _"]]: ...

    def for_drawing(self) -> Self:
        return folded(self)
