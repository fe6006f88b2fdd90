"""The settings of the tokenizer, the prior, their training and sampling."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from t2i.config import Config
from t2i.training.config import OptimizerConfig


class TransformerConfig(Config):
    """The shapes of both networks. The picture is cut into patches, and its resolution is halved with each further
    width: a token has patch * 2 ** (len(widths) - 1) pixels per side."""

    resolution: int = Field(64, description="pixels per side", ge=8, le=512)
    text_dim: int = Field(384, ge=1, description="width of the text embedding")
    patch: int = Field(2, ge=1, le=16, description="px per side that the tokenizer treats as one (space to depth)")
    widths: tuple[PositiveInt, ...] = Field((48, 96, 120), description="tokenizer: channels, finest first")
    codes: int = Field(512, ge=2, le=65536, description="size of the codebook; 8192 in DALL-E, sec. 2.1")
    code_dim: int = Field(32, ge=1, description="width of a code")
    code_depth: int = Field(
        1,
        ge=1,
        le=8,
        description="codes per token, each for the residual of those before it (RQ-VAE, Lee 2022, sec. 3.1)",
    )
    prior: Literal["autoregressive", "masked"] = Field(
        "autoregressive", description="token after token (DALL-E, sec. 2.2), or all in a few rounds (MaskGIT, sec. 3)"
    )
    dim: int = Field(192, ge=1, description="prior: width; 3968 in DALL-E, sec. 2.2")
    depth: int = Field(5, ge=1, description="prior: layers; 64 in DALL-E")
    heads: int = Field(6, ge=1, description="prior: attention heads; 62 in DALL-E")
    dropout: float = Field(0.0, ge=0, lt=1, description="prior: on the residual branches, in training")


class TransformerOptions(Config):
    """What users choose for each picture."""

    sampler: Literal["auto", "autoregressive", "masked"] = Field("auto", description="auto: the prior's own kind")
    guidance: float = Field(3.0, ge=0, le=30, description="classifier-free (Ho 2022); 1: none, 0: ignores the text")
    temperature: float = Field(1.0, gt=0, le=10, description="below 1 less varied pictures, above 1 more")
    top_k: int = Field(0, ge=0, description="draw from the k most likely tokens; 0: from all")
    top_p: float = Field(
        1.0, gt=0, le=1, description="draw from the fewest tokens whose probabilities sum to this (Holtzman 2020)"
    )
    steps: int = Field(12, ge=1, le=256, description="masked: rounds; 8-18 in MaskGIT and Muse")
    choice_temperature: float = Field(4.5, ge=0, description="masked: Gumbel noise on the choice; MaskGIT's code")


class TransformerObjectiveConfig(Config):
    """How both phases are trained."""

    tokenizer_share: float = Field(0.4, gt=0, lt=1, description="the tokenizer's share of the run's steps")
    absolute_error: float = Field(1.0, ge=0, description="weight of |picture - reconstruction|, mean")
    squared_error: float = Field(1.0, ge=0, description="weight of its square, mean")
    commitment: float = Field(0.25, ge=0, description="beta; van den Oord 2017, eq. 3")
    codebook_decay: float = Field(0.99, gt=0, lt=1, description="gamma of the averages; van den Oord 2017, app. A")
    restart_below: float = Field(
        0.1, gt=0, description="tokens per step; a code used less is reset to a latent of the batch (Jukebox 2020, 3.1)"
    )
    perceptual: float = Field(
        0.0, ge=0, description="tokenizer: weight of a timm backbone's feature distance; 1 in VQGAN"
    )
    backbone: str = Field(
        "efficientnet_lite0", description="perceptual: any timm model; this one comes with t2i-metrics"
    )
    backbone_pretrained: bool = Field(True, description="perceptual: use published weights; False: random ones")
    adversarial: float = Field(
        0.0, ge=0, description="tokenizer: weight of fooling a patch discriminator; 0.8 in VQGAN; 0: no discriminator"
    )
    adversarial_start: float = Field(
        0.3, ge=0, lt=1, description="share of the tokenizer's phase after which it fools the discriminator"
    )
    discriminator_width: int = Field(32, ge=1, description="channels of the discriminator's first convolution")
    condition_dropout: float = Field(0.1, ge=0, lt=1, description="share of pictures trained without text (Ho 2022)")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="of the prior's targets; 0.1 in MaskGIT")
    text_noise: float = Field(0.0, ge=0, description="sd of Gaussian noise on the prior's text, in units of its RMS")
    tokenizer: OptimizerConfig = OptimizerConfig(lr=1e-3, beta1=0.9, beta2=0.99, schedule="cosine")
    discriminator: OptimizerConfig = OptimizerConfig(lr=4e-4, beta1=0.5, beta2=0.9)
    optimizer: OptimizerConfig = Field(
        OptimizerConfig(lr=6e-4, beta1=0.9, beta2=0.96, weight_decay=0.045, warmup_steps=200),
        description="the prior's; DALL-E, app. B.2",
    )
