"""The settings of the conditional VAE: its networks, and what they are trained for."""

from __future__ import annotations

from pydantic import Field, PositiveInt

from t2i.config import Config
from t2i.training.config import OptimizerConfig


class CVAEConfig(Config):
    """Both networks' shapes. The encoder halves the side once per further width, down to 4 px; the decoder doubles
    it from there: 4 * 2 ** (len(widths) - 1) * patch pixels a side."""

    resolution: int = Field(64, description="pixels a side", ge=8, le=512)
    text_dim: int = Field(384, ge=1, description="width of the sentence embedding")
    latent_dim: int = Field(128, ge=1, description="z")
    text_features: int = Field(128, ge=1, description="width of the projected sentence")
    condition_dim: int = Field(192, ge=1, description="width of what modulates the decoder: text and z together")
    hidden_dim: int = Field(384, ge=1, description="width of the decoder's network before the condition")
    patch: int = Field(2, ge=1, le=16, description="px a side that enter, and leave, as one (space to depth)")
    encoder_widths: tuple[PositiveInt, ...] = Field((32, 64, 128, 192), min_length=2, description="channels, to 4 px")
    widths: tuple[PositiveInt, ...] = Field(
        (192, 192, 128, 48), min_length=2, description="decoder: channels at 4, 8, 16, ... px"
    )


class CVAEOptions(Config):
    """What `generate` takes beside text and noise."""

    temperature: float = Field(1.0, ge=0, le=2, description="scales z: below 1 safer, above 1 wilder pictures")


class CVAEObjectiveConfig(Config):
    """The evidence lower bound, as a mean over pixel values."""

    absolute_error: float = Field(1.0, ge=0, description="weight of |picture - reconstruction| (a Laplace likelihood)")
    squared_error: float = Field(0.0, ge=0, description="weight of its square (a Gaussian likelihood)")
    perceptual: float = Field(0.0, ge=0, description="weight of a timm backbone's feature distance (Johnson 2016)")
    backbone: str = Field("efficientnet_lite0", description="perceptual: any timm model that gives features")
    backbone_pretrained: bool = Field(True, description="perceptual: with timm's weights; else random ones")
    beta: float = Field(1.0, ge=0, description="nats of KL count beta per pixel value (Higgins 2017, eq. 4)")
    free_bits: float = Field(0.01, ge=0, description="nats a latent may hold for nothing (Kingma 2016, eq. 15)")
    kl_warmup: float = Field(
        0.2, ge=0, le=1, description="share of the run in which beta grows from 0 (Bowman 2016, sec. 3.1)"
    )
    text_noise: float = Field(0.0, ge=0, description="sd of Gaussian noise on the sentence, in units of its RMS")
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3, beta1=0.9, beta2=0.99, warmup_steps=100, schedule="cosine")
