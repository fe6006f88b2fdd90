"""The settings of a run and of a player's optimiser, for all techniques. Imports no torch."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from t2i.config import Config
from t2i.data.fit import Fit, Position
from t2i.seeds import MAX_SEED


class OptimizerConfig(Config):
    """Adam (Kingma and Ba 2015), or AdamW with `weight_decay`, and its learning-rate schedule."""

    lr: float = Field(2e-4, gt=0, description="peak learning rate")
    beta1: float = Field(0.5, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the mean of squared gradients")
    eps: float = Field(1e-8, gt=0, description="added to the root of the squared gradients' mean")
    weight_decay: float = Field(0.0, ge=0, description="decoupled (AdamW)")
    warmup_steps: int = Field(0, ge=0, description="linear, from 0 to lr")
    schedule: Literal["constant", "halving", "cosine"] = Field(
        "constant", description="how lr falls after the warm-up; cosine: to 0 at the last step"
    )
    halve_every_kimg: float = Field(100.0, gt=0, description="for 'halving': thousand pictures per halving")


class DataConfig(Config):
    """The data of a run, and how its pictures become squares."""

    source: str = Field(description="a dataset's name or a folder")
    caption_column: str = Field("", description="the column of captions, if it has an unusual name")
    image_column: str = Field("", description="the column of pictures, if it has an unusual name")
    fit: Fit = Field(
        "crop", description="pictures that are not square: cut, padded with the colour of their edges, or squashed"
    )
    position: Position = Field("centre", description="crop: the part that is kept; pad: where the picture is placed")

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_the_source(cls, value: object) -> object:
        return {"source": value} if isinstance(value, str) else value


class TrainConfig(Config):
    """The Trainer's settings. A step updates each player of the phase whose turn it is, on `batch_size` pictures."""

    steps: int = Field(20_000, ge=1, description="steps of the whole run, over all phases")
    batch_size: int = Field(64, ge=2, description="pictures per step, over all micro-batches")
    accumulate: int = Field(1, ge=1, description="micro-batches per step")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="of initial weights, the order of pictures, and noise")
    balance: Literal["image", "group"] = Field(
        "image", description="image: an epoch visits each picture as often as its repeats say; group: each group once"
    )
    crop_margin: int = Field(0, ge=0, description="pictures are prepared this many px larger, then cut at random")
    horizontal_flip: bool = Field(False, description="mirror half of the pictures")
    ema_half_life_kimg: float = Field(10.0, ge=0, description="thousand pictures; 0 keeps no average")
    ema_ramp: float = Field(
        0.05, ge=0, description="the half-life is at most this share of the pictures seen (StyleGAN2-ADA); 0: constant"
    )
    find_lr: bool = Field(
        False, description="do not train: raise the learning rate step by step and draw the losses (Smith 2017)"
    )
    lr_factor: float = Field(
        1.0,
        gt=0,
        description="multiplies every player's learning rate; a run that starts with --from has 0.3, unless given",
    )
    mix: float = Field(
        0.0, ge=0, lt=1, description="with --from: share of each batch from the parent's data, against forgetting"
    )
    mix_data: str = Field(
        "",
        description="with --from: a dataset to mix in, all of it; if empty, up to 4,000 pictures of the parent's data",
    )
    freeze: tuple[str, ...] = Field(
        (), description="modules that are not trained, by the start of their parameters' names, such as [encoder.text]"
    )
    clip_norm: float | None = Field(None, gt=0, description="largest norm of each player's gradient")
    precision: Literal["auto", "no", "bf16", "fp16"] = Field(
        "auto",
        description="no: float32; auto: bf16 if this machine computes it faster, else no; run.yaml stores the choice",
    )
    channels_last: bool = Field(True, description="memory layout of convolutions; faster on most machines")
    compile: bool = Field(False, description="torch.compile each network's forward; fails with gradient penalties")
    deterministic: bool = Field(False, description="only deterministic kernels, also on a GPU; slower")
    checkpoint_every: int = Field(1000, ge=1, description="steps")
    keep_checkpoints: int = Field(2, ge=1, description="older checkpoints are removed")
    sample_first: int = Field(0, ge=0, description="a first, early step at which samples are drawn; 0: none")
    sample_every: int = Field(500, ge=0, description="steps; 0 draws no samples, no curves and no page")
    sample_prompts: tuple[str, ...] = Field((), description="empty: 16 captions of the dataset")
    sample_options: dict[str, Any] = Field(
        default_factory=dict,
        description="the generator's options, such as {temperature: 0.5}; they become the trained model's defaults",
    )
    validation: Annotated[float, Field(ge=0, le=0.5)] | str = Field(
        0.0,
        description="the share of the pictures that is held out, fixed by a hash; or a dataset, such as photos:test",
    )
    validate_every: int = Field(500, ge=1, description="steps between validations")
    validation_metrics: tuple[str, ...] = Field(
        ("kid", "r_precision"), description="evaluators that compare pictures drawn for held-out captions; []: none"
    )
    patience: int = Field(0, ge=0, description="end the run after this many validations without a better one; 0: never")
    log_every: int = Field(20, ge=1, description="steps")
    tracker: str = Field("tensorboard", description="any of Accelerate's trackers, or 'none'")

    @field_validator("precision", mode="before")
    @classmethod
    def _no_is_no_boolean(cls, value: object) -> object:
        return "no" if value is False else value  # YAML reads a bare `no` as False

    @model_validator(mode="after")
    def _parts_are_equal(self) -> Self:
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size must be a multiple of accumulate ({self.accumulate}), got {self.batch_size}")
        return self
