"""The settings of the tokenizer, of the prior over its tokens, of their training and of sampling."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from t2i.config import Config
from t2i.training.config import OptimizerConfig


class TransformerConfig(Config):
    """Both networks' shapes. The picture is cut into patches and halved once per further width:
    f = patch * 2 ** (len(widths) - 1) pixels a token."""

    resolution: int = Field(64, description="pixels a side", ge=8, le=512)
    text_dim: int = Field(384, ge=1, description="width of the text embedding")
    patch: int = Field(2, ge=1, le=16, description="px a side that enter the tokenizer as one (space to depth)")
    widths: tuple[PositiveInt, ...] = Field((48, 96, 120), description="tokenizer: channels, finest first")
    codes: int = Field(512, ge=2, le=65536, description="size of the codebook; 8192 in DALL-E, sec. 2.1")
    code_dim: int = Field(32, ge=1, description="width of a code")
    prior: Literal["autoregressive", "masked"] = Field(
        "autoregressive", description="token after token (DALL-E, sec. 2.2), or all in a few rounds (MaskGIT, sec. 3)"
    )
    dim: int = Field(192, ge=1, description="prior: width; 3968 in DALL-E, sec. 2.2")
    depth: int = Field(5, ge=1, description="prior: layers; 64 in DALL-E")
    heads: int = Field(6, ge=1, description="prior: attention heads; 62 in DALL-E")
    dropout: float = Field(0.0, ge=0, lt=1, description="prior: on the residual branches, in training")


class TransformerOptions(Config):
    """What `generate` takes beside text and noise."""

    sampler: Literal["auto", "autoregressive", "masked"] = Field("auto", description="auto: what the prior is made for")
    guidance: float = Field(3.0, ge=0, le=30, description="classifier-free (Ho 2022); 1 leaves it out, 0 ignores text")
    temperature: float = Field(1.0, gt=0, le=10, description="below 1 safer, above 1 wilder pictures")
    top_k: int = Field(0, ge=0, description="draw among the k likeliest tokens; 0: among all")
    top_p: float = Field(1.0, gt=0, le=1, description="and among the fewest that hold this probability (Holtzman 2020)")
    steps: int = Field(12, ge=1, le=256, description="masked: rounds; 8-18 in MaskGIT and Muse")
    choice_temperature: float = Field(4.5, ge=0, description="masked: Gumbel noise on what is kept; MaskGIT's code")


class TransformerObjectiveConfig(Config):
    """What both phases are trained for."""

    tokenizer_share: float = Field(0.4, gt=0, lt=1, description="of the run's steps")
    absolute_error: float = Field(1.0, ge=0, description="weight of |picture - reconstruction|, mean")
    squared_error: float = Field(1.0, ge=0, description="weight of its square, mean")
    commitment: float = Field(0.25, ge=0, description="beta; van den Oord 2017, eq. 3")
    codebook_decay: float = Field(0.99, gt=0, lt=1, description="gamma of its averages; van den Oord 2017, app. A")
    restart_below: float = Field(
        0.1, gt=0, description="tokens a step; a code used less begins anew at a token of the batch (Jukebox 2020, 3.1)"
    )
    condition_dropout: float = Field(0.1, ge=0, lt=1, description="share of pictures trained without text (Ho 2022)")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of the prior's targets; 0.1 in MaskGIT")
    text_noise: float = Field(0.0, ge=0, description="sd of Gaussian noise on the prior's text, in units of its RMS")
    tokenizer: OptimizerConfig = OptimizerConfig(lr=1e-3, beta1=0.9, beta2=0.99, schedule="cosine")
    optimizer: OptimizerConfig = Field(
        OptimizerConfig(lr=6e-4, beta1=0.9, beta2=0.96, weight_decay=0.045, warmup_steps=200),
        description="the prior's; DALL-E, app. B.2",
    )
