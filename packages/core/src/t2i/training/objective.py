"""What a technique optimises, declared as phases of players with their losses; the Trainer owns the loop."""

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
    """The input of a loss, which must not change it, except through `once`.

    Attributes:
        images: real pictures in [-1, 1].
        text: a caption of each.
        mismatched: for each, a caption of another group (GAN-CLS's wrong text); None unless the objective
            `needs_mismatched`.
        noise: one stream per picture, at its start for every loss; equal on every machine and after every resume.
        progress: how much of the phase is done, in [0, 1), for weights that warm up or decay.
        step: how many steps of the run are done, for losses that are computed at every k-th step.
        pictures: the pictures' positions in the argument of `Phase.start`.
        groups: the pictures' groups by number (see `Example.group`): equal numbers show the same kind of thing.
        captions: `text` as strings.
        shared: results that losses share; see `once`.
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
        """What `compute` gave when the first loss asked for `name`; later losses get the same objects, with gradients.

        `Phase.sharing` says which losses share. Each micro-batch has its own results, which are dropped with the step.
        """
        if name not in self.shared:
            self.shared[name] = compute()
        return cast(T, self.shared[name])


@dataclass(frozen=True)
class Player:
    """One optimiser and the loss it follows.

    Attributes:
        name: unique in its phase, such as "discriminator".
        modules: the modules it updates, by names that are unique in the whole objective.
        loss: Batch -> {term: scalar}; the terms, already weighted, are summed. A detached term is only logged.
        optimizer: its settings.
        every: it is updated at each `every`-th step.
        span: where its learning-rate schedule begins and ends, as shares of the run; a technique that trains one
            network after another gives each its own.
    """

    name: str
    modules: Mapping[str, nn.Module]
    loss: Callable[[Batch], Mapping[str, Tensor]]
    optimizer: OptimizerConfig
    every: int = 1
    span: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Phase:
    """Players that are updated step by step, for a share of the run.

    The modules of its players are in train mode; all others of the objective are in eval mode and frozen.

    Attributes:
        share: share of the run's steps; the shares of all phases sum to 1.
        start: called once when the phase begins, or is resumed, with the dataset's prepared pictures, for what
            needs to be computed once. It may depend only on them and on the modules' state.
        sharing: which losses of a step share what they compute by `Batch.once`.
            "none": losses share nothing. Players are updated in turn, and only the current player's modules need
            gradients.
            "in_turn": players are updated in turn, and share. A GAN can draw its fakes once: the discriminator's loss
            reads them detached, and the generator's loss backpropagates through them. Backpropagation through a module
            that was updated in between is an error that torch raises.
            "together": the losses of all players are computed before any of them is updated, so all of them can
            backpropagate through everything: one forward pass serves the three players of a VAE-GAN.
            A shared result does not change who learns: each loss only updates its own player's modules. With
            "in_turn", the micro-batches of a step (train.accumulate) keep what is shared until the last player was
            updated; with "together", each is forgotten before the next.
        watch: called whenever samples are drawn, on process 0, with a fixed batch of up to 16 pictures, without
            gradients and with every module in eval mode. It returns values to look at, by name: scalars, which are
            logged as "watch/NAME", and pictures [n, 3, h, w] in [-1, 1], which go to watched/NAME/ and onto the run's
            page. It changes nothing.
        validate: returns the terms of a held-out batch by name, scalars of which lower is better; called as `watch` is.
    """

    name: str
    players: Sequence[Player]
    share: float = 1.0
    start: Callable[[UInt8[Tensor, "n 3 h w"]], None] | None = None
    sharing: Literal["none", "in_turn", "together"] = "none"
    watch: Callable[[Batch], Mapping[str, Tensor]] | None = None
    validate: Callable[[Batch], Mapping[str, Tensor]] | None = None


class Objective(ABC):
    """A technique's training as a declaration; the Trainer owns the loop."""

    generator: Generator
    """The trained model: its moving average is sampled, saved and published."""

    needs_mismatched: bool = False
    """Whether losses read `Batch.mismatched`. Only then must the data have two groups."""

    keeps: Mapping[str, nn.Module] = MappingProxyType({})
    """Modules that losses need and no player trains, by name: an average of a network, a queue, a perceptual network.

    They are on the run's device, in eval mode, without gradients, and saved in checkpoints. A loss may change them in
    place (`copy_`). With several processes, their buffers are copied from process 0 after every step.
    """

    @property
    @abstractmethod
    def phases(self) -> Sequence[Phase]:
        """The phases, in the order of training."""
