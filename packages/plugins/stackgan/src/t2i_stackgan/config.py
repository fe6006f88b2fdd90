"""The settings of both StackGANs: their networks, their options and their training."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from t2i.config import Config
from t2i.toolbox.game_config import StageGameConfig
from t2i.training.config import OptimizerConfig

Widths = tuple[PositiveInt, ...]
Blocks = Annotated[int, Field(ge=0, le=16)]


class _TextConfig(Config):
    """What both networks share. v1 is Zhang et al. 2017, v2 is Zhang et al. 2018."""

    text_dim: int = Field(384, ge=1, le=65536, description="width of the sentence embedding")
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


class StackGANv2Config(_TextConfig):
    """v2: a trunk up to the first scale, then one branch for each further scale, twice as large as the one before."""

    widths: Widths = Field((256, 256, 128), min_length=2, max_length=9, description="trunk: channels at 4, 8, ... px")
    branch_widths: Widths = Field((64, 32), max_length=5, description="channels of each further scale")
    residual_blocks: Blocks | tuple[Blocks, ...] = Field(2, description="in each branch; a list sets them per branch")
    augmentation: Literal["linear", "relu", "glu"] = Field("glu", description="on mu and logvar; GLU is the paper's")

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Pixels per side of each scale's picture."""
        first = 4 * 2 ** (len(self.widths) - 1)
        return tuple(first * 2**scale for scale in range(1 + len(self.branch_widths)))

    @property
    def branch_blocks(self) -> tuple[int, ...]:
        """Residual blocks of each branch."""
        blocks = self.residual_blocks
        return (blocks,) * len(self.branch_widths) if isinstance(blocks, int) else blocks

    @model_validator(mode="after")
    def _each_branch_has_its_blocks(self) -> Self:
        if len(self.branch_blocks) != len(self.branch_widths):
            raise ValueError(
                f"residual_blocks must list one number for each of {len(self.branch_widths)} branches, "
                f"got {len(self.branch_blocks)}"
            )
        return self


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
