"""The settings of the layered VAE: its networks, its options and its training."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from t2i.config import Config
from t2i.training.config import OptimizerConfig
from t2i_cvae.config import GROUPS


class LayersConfig(Config):
    """The shapes of the networks. A sprite, the drawing of one thing, has base * 2 ** (len(widths) - 1) * patch px per
    side; the encoder's last map has resolution / (2 ** (len(encoder_widths) - 1) * patch) per side."""

    resolution: int = Field(64, description="pixels per side", ge=8, le=512)
    text_dim: int = Field(384, ge=1, description="width of the words")
    copies: tuple[PositiveInt, ...] = Field(
        (5, 1), min_length=1, max_length=3, description="for each thing that a picture can show, the most copies of it"
    )
    latent_dim: int = Field(32, ge=1, description="width of z, which says where things are")
    modes: int = Field(
        8, ge=1, description="normal distributions in the prior of z, one for each way to arrange things"
    )
    dim: int = Field(256, ge=8, multiple_of=8, description="width of the network that reads the words")
    depth: int = Field(2, ge=1, le=12, description="blocks of the network that reads the words")
    heads: int = Field(4, ge=1, description="heads of its attention")
    patch: int = Field(2, ge=1, le=16, description="px per side that the networks treat as one (space to depth)")
    base: int = Field(3, ge=1, le=16, description="side of a sprite's first map")
    widths: tuple[PositiveInt, ...] = Field((192, 160, 96, 48), min_length=2, description="channels of a sprite's maps")
    encoder_widths: tuple[PositiveInt, ...] = Field(
        (24, 48, 96, 128), min_length=2, description="channels of the encoder's maps, largest map first"
    )

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        uneven = [width for width in (*self.widths, *self.encoder_widths) if width % GROUPS]
        if uneven:
            raise ValueError(f"widths and encoder_widths must be multiples of {GROUPS}, got {uneven}")
        if self.dim % self.heads:
            raise ValueError(f"dim must be a multiple of heads, got dim={self.dim} and heads={self.heads}")
        step = self.patch * 2 ** (len(self.encoder_widths) - 1)
        if self.resolution % step:
            raise ValueError(
                f"resolution must be a multiple of {step} (patch={self.patch}, {len(self.encoder_widths)} "
                f"encoder_widths), got {self.resolution}"
            )
        return self


class LayersOptions(Config):
    """What users choose for each picture."""

    temperature: float = Field(
        1.0, ge=0, le=2, description="below 1 less varied pictures, above 1 more; 0: the likeliest"
    )
    sharpness: float = Field(
        0.7, ge=0, le=1, description="of the edges of things; 0: as the network draws them, 1: colours suffer a little"
    )


class LayersObjectiveConfig(Config):
    """The evidence lower bound, as a mean over pixel values."""

    squared_error: float = Field(1.0, ge=0, description="weight of (picture - reconstruction) ** 2")
    absolute_error: float = Field(0.0, ge=0, description="weight of |picture - reconstruction|")
    beta: float = Field(5.0, ge=0, description="weight of the KL, in nats per pixel value (Higgins 2017, eq. 4)")
    order: float = Field(
        0.02,
        ge=0,
        description="weight of the cross entropy, in nats, of which thing takes which place; larger than in the ELBO",
    )
    search: float = Field(
        1.0,
        ge=0,
        description="weight of the squared distance of a thing's place to a better one that was found at random",
    )
    overlap: float = Field(
        0.3,
        ge=0,
        description="weight of the area where copies overlap: a copy hidden in one picture could show as one too many "
        "in another",
    )
    draw: Literal["one", "each", "all"] = Field(
        "all",
        description="what training draws. one: a single thing, by each query in turn (in the last third of the run, "
        "captions are joined into lists); each: the first copy of each thing (in the first half of the run, sprites "
        "are not trained); all: every copy",
    )
    optimizer: OptimizerConfig = OptimizerConfig(lr=7e-4, beta1=0.9, beta2=0.99, warmup_steps=100, schedule="cosine")
