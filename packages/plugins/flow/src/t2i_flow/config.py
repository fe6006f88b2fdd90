"""The settings of the network, of its training and of sampling. t is the share of noise in a picture, from 0 to 1."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from t2i.config import Config, Sha256
from t2i.training.config import OptimizerConfig


class FlowConfig(Config):
    """The network's shape. Sections are those of Li and He 2025 (JiT)."""

    resolution: int = Field(64, description="pixels per side", ge=8, le=1024)
    text_dim: int = Field(384, ge=1, description="width of the text embedding")
    autoencoder: str = Field("", description="draw latents of this model, such as runs/transformer, not pixels")
    autoencoder_sha256: Sha256 | None = Field(None, description="of its weights; set when training begins")
    patch: int = Field(8, ge=1, le=128, description="pixels, or latents, per side of a token")
    bottleneck: int = Field(64, ge=1, description="rank of the patch embedding; sec. 4.3")
    dim: int = Field(192, ge=4, multiple_of=4, description="width")
    depth: int = Field(6, ge=1, description="blocks")
    heads: int = Field(6, ge=1, description="attention heads")
    hidden_dim: int = Field(512, ge=1, description="width of the MLP's hidden layer (SwiGLU)")


class FlowOptions(Config):
    """What users choose for each picture."""

    sampler: Literal["heun", "euler"] = Field("heun", description="heun runs the network twice per step, euler once")
    steps: int = Field(12, ge=1, le=250, description="steps of the sampler; JiT takes 50 of heun")
    guidance: float = Field(3.0, ge=0, le=30, description="classifier-free (Ho 2022); 1 leaves it out, 0 ignores text")
    guidance_from: float = Field(1.0, ge=0, le=1, description="share of noise at which guidance begins; 0.9 in JiT")
    guidance_until: float = Field(0.4, ge=0, le=1, description="share of noise at which it ends (Kynkäänniemi 2024)")
    shift: float = Field(1.0, gt=0, le=100, description="above 1: more steps where noise is strong (SD3, eq. 23)")


class FlowObjectiveConfig(Config):
    """How the network is trained."""

    time_mean: float = Field(0.8, description="mean of log(t / (1 - t)); JiT's is -0.8, since its t is 1 - t")
    time_std: float = Field(0.8, gt=0, description="standard deviation of log(t / (1 - t)); sec. 4.2")
    least_noise: float = Field(0.05, gt=0, le=1, description="t counts as at least this where the loss divides by it")
    noises: int = Field(1, ge=1, description="noisy versions of each picture in one step")
    condition_dropout: float = Field(0.1, ge=0, lt=1, description="share of pictures trained without text (Ho 2022)")
    optimizer: OptimizerConfig = OptimizerConfig(lr=1e-3, beta1=0.9, beta2=0.95, warmup_steps=200, schedule="cosine")
