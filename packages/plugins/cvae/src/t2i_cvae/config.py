"""The settings of the conditional VAE: its networks, its options and its training."""

from __future__ import annotations

from typing import Any

from pydantic import Field, PositiveInt, model_validator

from t2i.config import Config
from t2i.toolbox.widths import count_for, fitted, given_whole
from t2i.training.config import OptimizerConfig

ENCODER_WIDTHS, WIDTHS = (32, 64, 128, 192), (192, 192, 128, 48)

GROUPS = 8  # of each group norm


class CVAEConfig(Config):
    """The shapes of both networks. With each further width the encoder halves the side, down to 4 px, and the decoder
    doubles it from there: the picture has 4 * 2 ** (len(widths) - 1) * patch pixels per side."""

    resolution: int = Field(64, description="pixels per side", ge=8, le=512)
    text_dim: int = Field(384, ge=1, description="width of the sentence embedding")
    word_queries: int = Field(
        0, ge=0, le=64, description="vectors read from the words by attention and added to the sentence; 0: none"
    )
    latent_dim: int = Field(128, ge=1, description="width of z")
    text_features: int = Field(128, ge=1, description="width of the projected sentence")
    condition_dim: int = Field(192, ge=1, description="width of the condition (text and z) that modulates the decoder")
    hidden_dim: int = Field(384, ge=1, description="hidden width of the decoder's network that computes the condition")
    patch: int = Field(2, ge=1, le=16, description="px per side that both networks treat as one (space to depth)")
    encoder_widths: tuple[PositiveInt, ...] = Field(
        ENCODER_WIDTHS, min_length=2, description="channels, to 4 px; by default as the resolution needs"
    )
    widths: tuple[PositiveInt, ...] = Field(
        WIDTHS, min_length=2, description="decoder: channels at 4, 8, 16, ... px; by default as the resolution needs"
    )

    @model_validator(mode="before")
    @classmethod
    def _widths_follow_the_resolution(cls, values: Any) -> Any:
        resolution = given_whole(values, "resolution")
        count = 0 if resolution is None else count_for(resolution, given_whole(values, "patch") or 2)
        if not count:
            return values
        fitting = {"encoder_widths": fitted(ENCODER_WIDTHS[::-1], count)[::-1], "widths": fitted(WIDTHS, count)}
        return fitting | dict(values)


class CVAEOptions(Config):
    """What users choose for each picture."""

    temperature: float = Field(1.0, ge=0, le=2, description="scales z: below 1 less varied pictures, above 1 more")


class CVAEObjectiveConfig(Config):
    """The evidence lower bound, as a mean over pixel values."""

    absolute_error: float = Field(1.0, ge=0, description="weight of |picture - reconstruction| (a Laplace likelihood)")
    squared_error: float = Field(0.0, ge=0, description="weight of its square (a Gaussian likelihood)")
    perceptual: float = Field(0.0, ge=0, description="weight of a timm backbone's feature distance (Johnson 2016)")
    backbone: str = Field(
        "efficientnet_lite0", description="perceptual: any timm model; this one comes with t2i-metrics"
    )
    backbone_pretrained: bool = Field(True, description="perceptual: use published weights; False: random ones")
    beta: float = Field(1.0, ge=0, description="weight of the KL, in nats per pixel value (Higgins 2017, eq. 4)")
    free_bits: float = Field(0.01, ge=0, description="nats that a latent may hold at no cost (Kingma 2016, eq. 15)")
    kl_warmup: float = Field(
        0.2, ge=0, le=1, description="share of the run in which beta grows from 0 (Bowman 2016, sec. 3.1)"
    )
    text_noise: float = Field(0.0, ge=0, description="sd of Gaussian noise on the sentence, in units of its RMS")
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3, beta1=0.9, beta2=0.99, warmup_steps=100, schedule="cosine")
