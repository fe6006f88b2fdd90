"""Both StackGANs as Generators, which can return the picture of every stage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidConfigError
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.toolbox.staged_generator import StagedGenerator
from t2i_stackgan.config import StackGANConfig, StackGANOptions, StackGANv2Config
from t2i_stackgan.model import StageOne, StageTwo, Tree


@final
class StackGAN(StagedGenerator[StackGANOptions]):
    """StackGAN (Zhang et al. 2017): stage I draws a sketch, stage II reads it and the text and draws it larger."""

    technique: ClassVar[str] = "stackgan"
    config_type: ClassVar[type[StackGANConfig]] = StackGANConfig
    options_type: ClassVar[type[StackGANOptions]] = StackGANOptions

    def __init__(self, config: StackGANConfig) -> None:
        """
        Raises:
            InvalidConfigError: the encoder halves stage I's picture to nothing, or stage II does not enlarge it.
        """
        super().__init__()
        self.config: StackGANConfig = config
        self.stage_one = StageOne(config)
        if config.stages == 2:
            _check_sides(config)
            self.stage_two = StageTwo(config)

    def stages(self, text: TextEmbedding, noise: Noise, options: StackGANOptions) -> Iterator[Float[Tensor, "b 3 _ _"]]:
        """Stage I's pictures, then stage II's."""
        z, dim = options.truncation * noise.normal(self.config.noise_dim), self.config.condition_dim
        drawn, _ = self.stage_one(text.sentence, z, options.variation * noise.normal(dim))
        yield torch.tanh(drawn)
        if self.config.stages == 2:
            yield torch.tanh(self.stage_two(drawn, text.sentence, options.variation * noise.normal(dim))[0])


@final
class StackGANv2(StagedGenerator[StackGANOptions]):
    """StackGAN++ (Zhang et al. 2018): a tree of generators that draws one picture at several scales."""

    technique: ClassVar[str] = "stackgan-v2"
    config_type: ClassVar[type[StackGANv2Config]] = StackGANv2Config
    options_type: ClassVar[type[StackGANOptions]] = StackGANOptions

    def __init__(self, config: StackGANv2Config) -> None:
        super().__init__()
        self.config: StackGANv2Config = config
        self.tree = Tree(config)

    def stages(self, text: TextEmbedding, noise: Noise, options: StackGANOptions) -> Iterator[Float[Tensor, "b 3 _ _"]]:
        """The pictures at every scale, smallest first."""
        z = options.truncation * noise.normal(self.config.noise_dim)
        condition = self.tree.augmentation(text.sentence, options.variation * noise.normal(self.config.condition_dim))
        yield from self.tree.pictures(condition, z)


def _check_sides(config: StackGANConfig) -> None:
    first, second = 4 * 2 ** (len(config.widths) - 1), config.resolutions[-1]
    if first < 2 ** len(config.encoder_widths):
        raise InvalidConfigError(
            f"stackgan: {len(config.encoder_widths)} encoder_widths are too many: they halve stage I's {first} px "
            f"below 2. Give fewer."
        )
    if second <= first:
        raise InvalidConfigError(
            f"stackgan: stage II must draw larger than stage I, but {len(config.encoder_widths)} encoder_widths and "
            f"{len(config.decoder_widths)} decoder_widths lead from {first} to {second} px. Give more decoder_widths."
        )
