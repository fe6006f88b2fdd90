"""The settings of both StackGANs: their networks, their options and their training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from t2i.config import Config
from t2i.toolbox.game_config import StageGameConfig
from t2i.toolbox.staged_config import Blocks, StagedConfig, TreeConfig, Widths
from t2i.training.config import OptimizerConfig


class _TextConfig(StagedConfig):
    """What both networks share. v1 is Zhang et al. 2017, v2 is Zhang et al. 2018."""

    normalize_text: bool = Field(True, description="scale each sentence to RMS 1; False in the papers")
    condition_dim: int = Field(128, ge=1, le=8192, description="width of mu, logvar and the condition; v1 sec. 5")
    noise_dim: int = Field(100, ge=1, le=8192, description="width of z; v1 sec. 5")
    skip: bool = Field(
        True,
        description="a stage adds to the picture before it (output skips, Karras 2020, fig. 7b); False, as in the "
        "papers: it draws a new one",
    )


class StackGANConfig(_TextConfig):
    """v1: stage I draws at 4, 8, 16, ... px; stage II downsamples its picture, adds the text and draws it larger."""

    stages: Literal[1, 2] = Field(2, description="1: only stage I")
    residual_blocks: Blocks = Field(2, description="in stage II")
    widths: Widths = Field(
        (256, 256, 128, 48), min_length=2, max_length=9, description="stage I: channels at 4, 8, ... px"
    )
    encoder_widths: Widths = Field(
        (32, 64, 128), min_length=1, max_length=9, description="stage II, down: at stage I's side, half that side, ..."
    )
    decoder_widths: Widths = Field(
        (128, 64, 32), min_length=1, max_length=9, description="stage II, up: at twice the last encoder's side, ..."
    )
    augmentation: Literal["linear", "relu", "glu"] = Field(
        "linear", description="on mu and logvar; 'relu', as in the official code but not the paper, keeps sigma above 1"
    )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Pixels per side of each stage's picture."""
        first = 4 * 2 ** (len(self.widths) - 1)
        second = first // 2 ** (len(self.encoder_widths) - 1) * 2 ** len(self.decoder_widths)
        return (first, second)[: self.stages]

    @classmethod
    def growth(cls, values: Mapping[str, Any]) -> int:
        """Stage II enlarges the picture 2 ** (decoder widths - encoder widths + 1) times, at least once."""
        if values.get("stages") == 1:
            return 1
        down, up = (
            len(values.get(name, cls.model_fields[name].default)) for name in ("encoder_widths", "decoder_widths")
        )
        return max(1, 2 ** (up - down + 1))


class StackGANv2Config(_TextConfig, TreeConfig):
    """v2: a tree."""

    augmentation: Literal["linear", "relu", "glu"] = Field("glu", description="on mu and logvar; GLU is the paper's")


class StackGANOptions(Config):
    """What users choose for each picture."""

    truncation: float = Field(1.0, ge=0, le=2, description="scales z: below 1 less varied pictures, above 1 more")
    variation: float = Field(
        1.0, ge=0, le=2, description="scales the condition's noise; 0 uses the mean, mu (v1 sec. 3.2)"
    )


class StackGANObjectiveConfig(StageGameConfig):
    """v1: stage I, then stage II over a frozen stage I. `generator` and `discriminator` train stage I."""

    stage_one: float = Field(0.5, gt=0, lt=1, description="share of the run in which stage I trains")
    generator_two: OptimizerConfig = OptimizerConfig(lr=2e-4, beta1=0.5)
    discriminator_two: OptimizerConfig = OptimizerConfig(lr=2e-4, beta1=0.5)


class StackGANv2ObjectiveConfig(StageGameConfig):
    """v2: all scales at once."""

    unconditional: float = Field(1.0, ge=0, description="weight of the terms without text; v2 eq. 4 and 5")
