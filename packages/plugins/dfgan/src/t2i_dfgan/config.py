"""The settings of DF-GAN: its networks, its options and its training. Sections are those of Tao et al. 2022."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, PositiveInt

from t2i.config import Config
from t2i.toolbox.game_config import GameConfig
from t2i.toolbox.staged_config import WidthsConfig
from t2i.toolbox.widths import given_whole
from t2i.training.config import OptimizerConfig

BASE = 4  # pixels (of `patch` px each) per side at the first block
Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=2, max_length=9)]


class DFGANConfig(WidthsConfig):
    """The generator's shape. Each further width doubles the side."""

    text_dim: int = Field(384, ge=1, le=65536, description="width of the sentence embedding")
    normalize_text: bool = Field(True, description="scale each sentence to RMS 1; False as released")
    normalize_features: bool = Field(
        True,
        description="scale each pixel's features to RMS 1 before a fusion (Karras 2018, sec. 4.2), for higher learning "
        "rates; False in the paper",
    )
    noise_dim: int = Field(100, ge=1, le=8192, description="width of z; sec. 3.1")
    widths: Widths = Field((128, 128, 96, 64), description="channels at 4, 8, 16, ... px")
    patch: int = Field(2, ge=1, le=8, description="px per side that both networks treat as one; 1 in the paper")

    @classmethod
    def growth(cls, values: Mapping[str, Any]) -> int:
        """Each pixel of the last map becomes `patch` px per side."""
        return given_whole(values, "patch") or cls.model_fields["patch"].default

    @property
    def resolution(self) -> int:
        """Pixels per side of a picture."""
        return BASE * 2 ** (len(self.widths) - 1) * self.patch


class DFGANOptions(Config):
    """What users choose for each picture."""

    truncation: float = Field(1.0, ge=0, le=2, description="scales z: below 1 less varied pictures, above 1 more")


class DFGANObjectiveConfig(GameConfig):
    """How it is trained: by default as in the paper, with hinge losses and the matching-aware gradient penalty."""

    discriminator_widths: Widths = Field(
        (32, 64, 96, 128),
        description="channels at the picture's side, half of it, ...; shortened, or the last one repeated, to the "
        "number of the generator's widths",
    )
    joint_width: int = Field(64, ge=1, description="channels after the discriminator concatenates picture and text")
    spectral_norm: bool = Field(False, description="on D's convolutions (Miyato 2018)")
    matching_penalty: float = Field(
        2.0, ge=0, description="weight of MA-GP, on D's gradient to real pictures and their texts; eq. 2"
    )
    generator: OptimizerConfig = OptimizerConfig(lr=1e-4, beta1=0.0, beta2=0.9)
    discriminator: OptimizerConfig = OptimizerConfig(lr=4e-4, beta1=0.0, beta2=0.9)
