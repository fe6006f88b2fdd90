"""What a technique optimises, declared and never looped: phases of players, each with its loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.training.config import OptimizerConfig


@dataclass(frozen=True)
class Batch:
    """What a loss sees.

    Attributes:
        images: real pictures in [-1, 1].
        text: a caption of each.
        mismatched: for each, a caption of another group (GAN-CLS's wrong text).
        noise: one stream per picture; equal wherever and whenever this step is computed.
        progress: how much of the phase is done, in [0, 1), for weights that warm up or decay.
        pictures: the pictures' positions among those `Phase.start` was given; None outside a run.
    """

    images: Float[Tensor, "b 3 h w"]
    text: TextEmbedding
    mismatched: TextEmbedding
    noise: Noise
    progress: float
    pictures: Int[Tensor, b] | None = None


@dataclass(frozen=True)
class Player:
    """One optimiser and the loss it follows.

    Attributes:
        name: unique in its phase, such as "discriminator".
        modules: what it updates, by names that are unique in the whole objective.
        loss: Batch -> {term: scalar}; the terms, already weighted, are summed. A detached term is logged alone.
        optimizer: its settings.
        every: it moves at each `every`-th step.
        span: the shares of the run between which its learning rate follows its schedule; a technique that trains
            one network after another gives each its own.
    """

    name: str
    modules: Mapping[str, nn.Module]
    loss: Callable[[Batch], Mapping[str, Tensor]]
    optimizer: OptimizerConfig
    every: int = 1
    span: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Phase:
    """Players that move in turn, step by step, for a share of the run.

    Attributes:
        share: of the run's steps; the shares of all phases sum to 1.
        start: called once when the phase begins, or is resumed, with the dataset's prepared pictures, so that what
            the phase keeps of them is computed once. It draws on nothing but them and the modules' state.
    """

    name: str
    players: Sequence[Player]
    share: float = 1.0
    start: Callable[[UInt8[Tensor, "n 3 h w"]], None] | None = None


class Objective(ABC):
    """A technique's training, as data. The Trainer owns every loop."""

    generator: Generator
    """What the run is for: its moving average is sampled, saved and published."""

    @property
    @abstractmethod
    def phases(self) -> Sequence[Phase]:
        """In the order they are trained."""
