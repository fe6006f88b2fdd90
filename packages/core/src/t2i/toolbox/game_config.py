"""The settings that all generator-against-discriminator techniques share. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from t2i.config import Config
from t2i.training.config import OptimizerConfig

Change = Literal["colour", "translation", "cutout"]
"""A kind of change in DiffAugment (Zhao et al. 2020)."""

Changes = Annotated[
    tuple[Change, ...],
    Field(description="random changes of all pictures that D sees (DiffAugment, Zhao 2020), for little data; []: none"),
]
"""The type of a setting `augment`."""


class GameConfig(Config):
    """The losses of generator and discriminators (G and D), independent of their networks.

    The defaults follow current practice. The recipes named `paper` turn every stabiliser off.
    """

    loss: Literal["hinge", "bce"] = Field("hinge", description="bce: Goodfellow 2014, eq. 1; hinge: Lim and Ye 2017")
    spectral_norm: bool = Field(True, description="on D's layers, in place of its batch norms (Miyato 2018)")
    r1_gamma: float = Field(0.0, ge=0, description="Mescheder 2018, eq. 9; 0 leaves it out")
    matching_penalty: float = Field(
        0.0, ge=0, description="weight of MA-GP, on D's gradient to real pictures and their texts (Tao 2022, eq. 2)"
    )
    penalty_every: int = Field(
        1,
        ge=1,
        description="a gradient penalty is computed at every k-th step, with k times its weight (Karras 2020, app. B)",
    )
    adversarial: float = Field(1.0, ge=0, description="weight of G's adversarial terms; 0 ignores D")
    reconstruction: float = Field(
        0.0, ge=0, description="weight of L1 to the caption's own picture (Isola 2017, eq. 3)"
    )
    squared_error: float = Field(0.0, ge=0, description="weight of the mean squared error to the caption's own picture")
    nearest_of: int = Field(
        1,
        ge=1,
        le=64,
        description="how often each caption is drawn; G trains on the drawing nearest to the picture, so that the "
        "noise decides what the caption leaves open (conditional IMLE, Li 2020)",
    )
    feature_matching: float = Field(
        0.0,
        ge=0,
        description="weight of L1 between D's features of drawn and real pictures, relative to the real ones' "
        "(Salimans 2016, sec. 3.1)",
    )
    reconstruct_first: float = Field(
        0.0, ge=0, lt=1, description="share of G's training in which it only reconstructs, before D trains"
    )
    text_noise: float = Field(0.0, ge=0, description="sd of Gaussian noise on G's text, in units of its RMS")
    shift: int = Field(0, ge=0, description="px; D sees every batch rolled at random (DiffAugment, Zhao 2020)")
    augment: Changes = ()
    generator: OptimizerConfig = OptimizerConfig(lr=2e-4, beta1=0.5)
    discriminator: OptimizerConfig = OptimizerConfig(lr=2e-4, beta1=0.5)

    @model_validator(mode="after")
    def _drawings_are_compared(self) -> Self:
        if self.reconstruct_first and not self.reconstruction + self.squared_error:
            raise ValueError("reconstruct_first needs reconstruction or squared_error above 0, got 0 for both")
        if self.nearest_of > 1 and not self.reconstruction + self.squared_error:
            raise ValueError("nearest_of above 1 needs reconstruction or squared_error above 0, got 0 for both")
        return self


class StageGameConfig(GameConfig):
    """The losses of techniques that draw a picture at several sides, with a discriminator for each."""

    discriminator_width: int = Field(24, ge=1, description="channels after the first convolution")
    kl: float = Field(
        2.0, ge=0, description="weight of KL(N(mu, sigma^2) || N(0, 1)), a mean over dimensions; Zhang 2017, eq. 2"
    )
    pyramid: Literal["area", "bilinear"] = Field(
        "area", description="how real pictures are reduced for small scales; 'bilinear' (antialiased) as released"
    )
