"""The settings of AttnGAN: its networks, its options and its training. Sections are those of Xu et al. 2018."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from t2i.config import Config
from t2i.toolbox.game_config import StageGameConfig
from t2i.toolbox.staged_config import TreeConfig, Widths
from t2i.training.config import OptimizerConfig


class AttnGANConfig(TreeConfig):
    """The shape of DAMSM and of the tree. A trunk leads to the first scale; each further scale doubles the side."""

    reader: Literal["lstm", "linear", "none"] = Field(
        "lstm", description="what DAMSM trains over the encoder's words; 'none' takes words and sentence as they are"
    )
    word_dim: int = Field(256, ge=2, multiple_of=2, description="D, width of DAMSM's words and regions; sec. 3.2")
    backbone: str = Field(
        "efficientnet_lite0", description="timm network whose features DAMSM compares; '' for a model without DAMSM"
    )
    backbone_channels: tuple[PositiveInt, PositiveInt] = Field(
        (112, 320), description="of its last two feature maps: the regions', and the one averaged over the picture"
    )
    backbone_side: int = Field(
        96, ge=32, le=1024, description="px per side of the backbone's pictures; 299 in the paper"
    )
    backbone_pretrained: bool = Field(True, description="use the backbone's published weights; False: random ones")
    condition_dim: int = Field(100, ge=1, le=8192, description="width of mu, logvar and the condition")
    noise_dim: int = Field(100, ge=1, le=8192, description="width of z")
    normalize_text: bool = Field(True, description="scale each sentence to RMS 1; False in the paper")
    widths: Widths = Field((256, 128, 64), min_length=2, max_length=9, description="trunk: channels at 4, 8, ... px")
    branch_widths: Widths = Field((48, 32), max_length=5, description="channels of each further scale")
    patch: int = Field(1, ge=1, le=8, description="px per side that the tree draws as one (sub-pixel); 1 in the paper")
    skip: bool = Field(
        True, description="a scale adds to the picture before it (output skips, Karras 2020); False in the paper"
    )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Pixels per side of each scale's picture."""
        return tuple(side * self.patch for side in super().resolutions)

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if not self.branch_widths:
            raise ValueError("branch_widths must list at least one scale: attention is between two scales")
        if self.reader == "none" and self.word_dim != self.text_dim:
            raise ValueError(f"word_dim must be text_dim ({self.text_dim}) if reader is 'none', got {self.word_dim}")
        return self


class AttnGANOptions(Config):
    """What users choose for each picture."""

    truncation: float = Field(1.0, ge=0, le=2, description="scales z: below 1 less varied pictures, above 1 more")
    variation: float = Field(1.0, ge=0, le=2, description="scales the condition's noise; 0 uses the mean, mu")
    legacy_mask: bool = Field(
        False, description="mask words as the released code does: a picture then depends on the others in its batch"
    )


class DAMSMConfig(Config):
    """How words and regions are compared (sec. 3.2)."""

    gamma1: float = Field(4.0, gt=0, description="how sharply a word chooses regions, eq. 9; 4 as released")
    gamma2: float = Field(5.0, gt=0, description="how much the best word counts, eq. 10")
    gamma3: float = Field(10.0, gt=0, description="how sharply a caption chooses its picture, eq. 11")
    dropout: float = Field(0.0, ge=0, lt=1, description="on the reader's input in its phase; .5 as released")
    every: int = Field(1, ge=1, description="G's DAMSM loss is computed at every k-th step, k times as heavy")


class AttnGANObjectiveConfig(StageGameConfig):
    """First DAMSM trains; then it is frozen, and all scales train at once."""

    damsm: DAMSMConfig = DAMSMConfig()
    damsm_share: float = Field(0.2, ge=0, lt=1, description="share of the run in which DAMSM trains")
    matching: float = Field(5.0, ge=0, description="lambda, weight of DAMSM's loss of the largest fake; eq. 3")
    kl: float = Field(1.0, ge=0, description="weight of KL(N(mu, sigma^2) || N(0, 1)), a mean over dimensions")
    matcher: OptimizerConfig = OptimizerConfig(lr=2e-3, beta1=0.5, schedule="cosine")

    @model_validator(mode="after")
    def _damsm_is_trained_if_it_is_used(self) -> Self:
        if self.matching and not self.damsm_share:
            raise ValueError("matching needs damsm_share above 0, got 0: an untrained DAMSM knows nothing")
        return self
