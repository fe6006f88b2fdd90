"""The settings of GAN-INT-CLS: its networks, its options and its training."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from t2i.config import Config
from t2i.toolbox.game_config import GameConfig
from t2i.toolbox.widths import count_for, fitted, given_whole

WIDTHS = (256, 256, 128, 48)


class CGANConfig(Config):
    """The generator's shape. `architecture="paper"` is Reed et al. 2016; "modulated" is ours, and the default."""

    architecture: Literal["modulated", "paper"] = Field(
        "modulated", description="modulated: residual blocks whose norms the text modulates; paper: DCGAN, as in 2016"
    )
    resolution: int = Field(64, description="pixels per side; 'paper' is always 64", ge=16, le=256)
    text_dim: int = Field(384, ge=1, description="width of the sentence embedding")
    noise_dim: int = Field(100, ge=1, description="width of z; sec. 5")
    condition_dim: int = Field(256, ge=1, description="width of the projected condition; 128 in the paper, sec. 4.1")
    hidden_dim: int = Field(512, ge=1, description="modulated: hidden width of the network that computes the condition")
    widths: tuple[PositiveInt, ...] = Field(
        WIDTHS,
        min_length=2,
        description="modulated: channels at 4, 8, 16, ... pixels; by default as the resolution needs",
    )
    pixel_shuffle: int = Field(2, ge=1, le=8, description="modulated: the last upsampling, sub-pixel (Shi et al. 2016)")
    ngf: int = Field(128, ge=8, multiple_of=4, description="paper: base width of the generator")

    @model_validator(mode="before")
    @classmethod
    def _widths_follow_the_resolution(cls, values: Any) -> Any:
        resolution = given_whole(values, "resolution")
        if resolution is None or "widths" in values:
            return values
        count = count_for(resolution, given_whole(values, "pixel_shuffle") or 2)
        return {**values, "widths": fitted(WIDTHS, count)} if count else values


class CGANOptions(Config):
    """What users choose for each picture."""

    truncation: float = Field(1.0, ge=0, le=2, description="scales z: below 1 less varied pictures, above 1 more")


class CGANObjectiveConfig(GameConfig):
    """How the two players are trained. The defaults are ours; recipes/paper.yaml restores the paper's."""

    discriminator_widths: tuple[PositiveInt, ...] = Field(
        (24, 48, 96, 192), min_length=2, description="modulated: the discriminator's channels, largest map first"
    )
    ndf: int = Field(64, ge=8, multiple_of=4, description="paper: base width of the discriminator")
    wrong_text: float = Field(0.5, ge=0, description="CLS: weight of (real picture, wrong text); alg. 1")
    fake: float = Field(0.5, ge=0, description="CLS: weight of (fake picture, right text); alg. 1")
    interpolation: float = Field(0.0, ge=0, description="INT: weight of texts half-way between two; eq. 5")
