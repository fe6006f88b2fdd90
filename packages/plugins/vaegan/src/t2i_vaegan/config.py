"""The settings of the training of VAE-GAN and CVAE-GAN. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from t2i.config import Config
from t2i.toolbox.game_config import Changes
from t2i.training.config import OptimizerConfig


class VAEGANObjectiveConfig(Config):
    """The losses of the encoder, the decoder, the discriminator D and, if there is one, the reader of captions."""

    loss: Literal["hinge", "bce"] = Field("bce", description="bce: Goodfellow 2014, eq. 1; hinge: Lim and Ye 2017")
    width: int = Field(32, ge=1, description="channels of D's first convolution; doubled with each halving, up to 8x")
    text_features: int = Field(64, ge=1, description="width of the sentence that D and the reader compare with")
    spectral_norm: bool = Field(True, description="on D's layers, in place of its batch norms (Miyato 2018)")
    feature_layer: int = Field(1, ge=0, description="the convolution of D, counted from 0, whose features are compared")
    similarity: float = Field(1.0, ge=0, description="weight of the feature distance of picture and reconstruction")
    gamma: float = Field(
        10.0, ge=0, description="decoder: weight of that distance relative to the adversarial terms; alg. 1"
    )
    absolute_error: float = Field(1.0, ge=0, description="weight of |picture - reconstruction|; none in Larsen 2016")
    squared_error: float = Field(0.0, ge=0, description="weight of its square; none in Larsen 2016")
    adversarial: float = Field(1.0, ge=0, description="decoder: weight of fooling D")
    wrong_text: float = Field(0.5, ge=0, description="weight of (real picture, wrong text) in D's loss; Reed 2016")
    mean_matching: float = Field(
        0.0, ge=0, description="decoder: squared distance of batch means of D's last features; Bao 2017, sec. 3.2"
    )
    reader: float = Field(
        0.0,
        ge=0,
        description="decoder: squared distance of the features of a reader, a fourth network; Bao 2017, sec. 3.3",
    )
    reader_similarity: float = Field(
        0.0, ge=0, description="weight of the reader's feature distance of picture and reconstruction; Bao 2017, eq. 6"
    )
    beta: float = Field(1.0, ge=0, description="weight of the KL, in nats per pixel value")
    free_bits: float = Field(0.01, ge=0, description="nats that a latent may hold at no cost (Kingma 2016, eq. 15)")
    text_noise: float = Field(0.0, ge=0, description="sd of Gaussian noise on the sentence, in units of its RMS")
    augment: Changes = ()
    encoder: OptimizerConfig = OptimizerConfig(lr=1e-3, beta1=0.5, beta2=0.99, warmup_steps=100)
    decoder: OptimizerConfig = OptimizerConfig(lr=1e-3, beta1=0.5, beta2=0.99, warmup_steps=100)
    discriminator: OptimizerConfig = OptimizerConfig(lr=4e-4, beta1=0.5, beta2=0.99)
