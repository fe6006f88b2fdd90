"""The settings of a run and of a player's optimiser, for all techniques. Imports no torch."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from t2i.config import Config
from t2i.seeds import MAX_SEED


class OptimizerConfig(Config):
    """Adam (Kingma and Ba 2015), or AdamW with `weight_decay`, and its learning-rate schedule."""

    lr: float = Field(2e-4, gt=0, description="peak learning rate")
    beta1: float = Field(0.5, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.0, ge=0, description="decoupled (AdamW)")
    warmup_steps: int = Field(0, ge=0, description="linear, from 0 to lr")
    schedule: Literal["constant", "halving", "cosine"] = "constant"
    halve_every_kimg: float = Field(100.0, gt=0, description="for 'halving': thousand pictures per halving")


class TrainConfig(Config):
    """The Trainer's settings. A step is one move of every player on `batch_size` pictures."""

    steps: int = Field(20_000, ge=1, description="steps of the whole run, over all phases")
    batch_size: int = Field(64, ge=2, description="pictures per step, over all micro-batches")
    accumulate: int = Field(1, ge=1, description="micro-batches per step")
    seed: int = Field(0, ge=0, le=MAX_SEED)
    balance: Literal["image", "group"] = Field(
        "image", description="whether an epoch visits every picture once, or every group once"
    )
    crop_margin: int = Field(0, ge=0, description="pictures are prepared this many px larger, then cut at random")
    horizontal_flip: bool = Field(False, description="mirror half of the pictures")
    ema_half_life_kimg: float = Field(10.0, ge=0, description="thousand pictures; 0 keeps no average")
    ema_ramp: float = Field(
        0.05, ge=0, description="the half-life is at most this share of the pictures seen (StyleGAN2-ADA); 0: constant"
    )
    lr_factor: float = Field(1.0, gt=0, description="multiplies the learning rate of every player; 0.3 with --from")
    freeze: tuple[str, ...] = Field(
        (), description="modules that are not trained, by the start of their parameters' names, such as [encoder.text]"
    )
    clip_norm: float | None = Field(None, gt=0, description="largest norm of each player's gradient")
    precision: Literal["auto", "no", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 if this machine computes it faster, else no; run.yaml stores the choice"
    )
    channels_last: bool = True
    compile: bool = Field(False, description="torch.compile each network's forward; without second derivatives")
    deterministic: bool = Field(False, description="only deterministic kernels, also on a GPU; slower")
    checkpoint_every: int = Field(1000, ge=1, description="steps")
    keep_checkpoints: int = Field(2, ge=1)
    sample_every: int = Field(500, ge=0, description="steps; 0 draws no samples, no curves and no page")
    sample_prompts: tuple[str, ...] = Field((), description="empty: 16 captions of the dataset")
    sample_options: dict[str, Any] = Field(
        default_factory=dict,
        description="the generator's options, such as {temperature: 0.5}; they become the trained model's defaults",
    )
    log_every: int = Field(20, ge=1, description="steps")
    tracker: str = Field("tensorboard", description="any of Accelerate's trackers, or 'none'")

    @field_validator("precision", mode="before")
    @classmethod
    def _no_is_no_boolean(cls, value: object) -> object:
        return "no" if value is False else value  # YAML reads a bare `no` as False

    @model_validator(mode="after")
    def _parts_are_equal(self) -> Self:
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size must be a multiple of accumulate ({self.accumulate})")
        return self
