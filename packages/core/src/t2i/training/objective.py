"""What a technique optimises, declared and never looped: phases of players, each with its loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast

from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.training.config import OptimizerConfig

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What a loss sees. It changes nothing of it, except what it shares.

    Attributes:
        images: real pictures in [-1, 1].
        text: a caption of each.
        mismatched: for each, a caption of another group (GAN-CLS's wrong text); None unless the objective
            `needs_mismatched`.
        noise: one stream per picture, at its start for every loss; equal wherever and whenever this step is computed.
        progress: how much of the phase is done, in [0, 1), for weights that warm up or decay.
        step: how many steps of the run are done, for what is computed at every k-th step.
        pictures: the pictures' positions among those `Phase.start` was given.
        groups: the pictures' groups by number (see `Example.group`): equal numbers show the same kind of thing.
        captions: `text` as strings.
        shared: what losses have computed for each other; see `once`.
    """

    images: Float[Tensor, "b 3 h w"]
    text: TextEmbedding
    mismatched: TextEmbedding | None
    noise: Noise
    progress: float
    step: int
    pictures: Int[Tensor, b]
    groups: Int[Tensor, b]
    captions: tuple[str, ...]
    shared: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """What `compute` returned to the first loss that asked for `name`: the same objects, with their gradients.

        Who shares is said by `Phase.sharing`. Each micro-batch has values of its own, which end with the step.
        """
        if name not in self.shared:
            self.shared[name] = compute()
        return cast(T, self.shared[name])


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
    """Players that move step by step, for a share of the run.

    The modules of its players are in train mode; all others of the objective are in eval mode and frozen.

    Attributes:
        share: of the run's steps; the shares of all phases sum to 1.
        start: called once when the phase begins, or is resumed, with the dataset's prepared pictures, so that what
            the phase keeps of them is computed once. It draws on nothing but them and the modules' state.
        sharing: which losses of a step share what they compute by `Batch.once`.
            "none": each loss is alone. Players move in turn, and only the mover's modules need gradients.
            "in_turn": players move in turn, and share. A GAN can draw its fakes once: the discriminator's loss reads
            them detached, and the generator's follows them back. What leads through a module that has moved since
            cannot be followed back any more; torch then raises an error.
            "together": the losses of all players are computed before any of them moves, so all of them can follow
            everything back: one forward pass serves the three players of a VAE-GAN.
            Where losses share, each still reaches its own player's modules alone, whatever it computes with. With
            "in_turn", the micro-batches of a step (train.accumulate) keep what is shared until the last player has
            moved; with "together", each is forgotten before the next.
        watch: called whenever samples are drawn, on process 0, with a fixed batch of up to 16 pictures, without
            gradients and with every module in eval mode. It returns by name what is worth seeing: scalars, which are
            logged as "watch/NAME", and pictures [n, 3, h, w] in [-1, 1], which go to watched/NAME/ and onto the run's
            page. It changes nothing.
    """

    name: str
    players: Sequence[Player]
    share: float = 1.0
    start: Callable[[UInt8[Tensor, "n 3 h w"]], None] | None = None
    sharing: Literal["none", "in_turn", "together"] = "none"
    watch: Callable[[Batch], Mapping[str, Tensor]] | None = None


class Objective(ABC):
    """A technique's training, as data. The Trainer owns every loop."""

    generator: Generator
    """What the run is for: its moving average is sampled, saved and published."""

    needs_mismatched: bool = False
    """Whether losses read `Batch.mismatched`. Only then must the data have two groups."""

    keeps: Mapping[str, nn.Module] = MappingProxyType({})
    """What the losses need and no player trains, by name: an average of a network, a queue, a perceptual network.

    It is on the run's device, in eval mode and without gradients, and checkpoints hold it. A loss may change it in
    place (copy_). In a run of several processes, its buffers are those of process 0 after every step.
    """

    @property
    @abstractmethod
    def phases(self) -> Sequence[Phase]:
        """In the order they are trained."""
