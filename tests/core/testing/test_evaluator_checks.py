"""The checks find each of a set of evaluators that are broken in one way, and pass a correct one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from fakes.checking import caught, expect, failures
from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i.testing.checks.evaluators import EVALUATOR_CHECKS

Words = Sequence[str] | None


class Brightness(Evaluator):
    """Distance between the mean brightness of real and generated pictures; lower is better."""

    def __init__(self) -> None:
        self.reset()

    def update(self, images: Tensor, *, captions: Words = None, groups: Words = None, real: bool = False) -> None:
        if images.ndim != 4 or images.shape[1] != 3 or images.dtype != torch.float32:
            raise InvalidInputError("no RGB pictures")
        if not (images.abs() <= 1).all() or any(w is not None and len(w) != len(images) for w in (captions, groups)):
            raise InvalidInputError("out of range, or too few words")
        self.take(images, real)

    def take(self, images: Tensor, real: bool) -> None:
        self.sums[int(real)] += torch.tensor([len(images), images.double().mean((1, 2, 3)).sum()])

    def compute(self) -> dict[str, Score]:
        if not self.sums[:, 0].all():
            raise InvalidInputError("too few")
        fake, real = (self.sums[:, 1] / self.sums[:, 0]).tolist()
        return {"brightness": Score(abs(fake - real), self.protocol(), higher_is_better=False)}

    def protocol(self) -> Mapping[str, str]:
        return {"n_real": str(int(self.sums[1, 0]))}

    def state(self) -> dict[str, Tensor]:
        return {"sums": self.sums.clone()}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        if state.keys() != {"sums"} or state["sums"].shape != (2, 2):
            raise InvalidInputError("another's state")
        self.sums += state["sums"]

    def reset(self) -> None:
        self.sums = torch.zeros(2, 2, dtype=torch.double)


class NoProtocol(Brightness):
    """Has an empty protocol."""

    def protocol(self) -> Mapping[str, str]:
        return {}


class NotANumber(Brightness):
    """Its score is not a number."""

    def compute(self) -> dict[str, Score]:
        return {name: Score(math.nan, score.protocol) for name, score in super().compute().items()}


class MeanOfBatches(Brightness):
    """Averages batches, whatever their size."""

    def take(self, images: Tensor, real: bool) -> None:
        self.sums[int(real)] += torch.tensor([1, images.square().mean().sqrt()])


class FirstCounts(Brightness):
    """Gives the first picture more weight."""

    def take(self, images: Tensor, real: bool) -> None:
        if not self.sums[int(real), 0]:
            self.sums[int(real), 1] += 5 * float(images[0].mean())
        super().take(images, real)


class KeepsAside(Brightness):
    """Leaves half of its data out of its state."""

    def state(self) -> dict[str, Tensor]:
        return {"sums": self.sums * torch.tensor([1.0, 0.5])}


class ListState(Brightness):
    """Has a state that safetensors cannot store."""

    def state(self) -> dict[str, Tensor]:
        return {"sums": self.sums.tolist()}  # type: ignore[dict-item]

    def merge(self, state: Mapping[str, Tensor]) -> None:
        if state.keys() != {"sums"} or np.shape(state["sums"]) != (2, 2):
            raise InvalidInputError("another's state")
        self.sums += torch.as_tensor(state["sums"])


class LendsState(Brightness):
    """Returns its own sums as state, without copying."""

    def state(self) -> dict[str, Tensor]:
        return {"sums": self.sums}


class RemembersForEver(Brightness):
    """Its reset keeps the brightness of real pictures."""

    def reset(self) -> None:
        old = getattr(self, "sums", torch.zeros(2, 2, dtype=torch.double))
        self.sums = old * torch.tensor([[0.0, 0.0], [0.0, 1.0]])


class ComputesOnce(Brightness):
    """Clears its sums when it computes."""

    def compute(self) -> dict[str, Score]:
        scores = super().compute()
        self.sums[:, 1] /= 2
        return scores


class ScoresNothing(Brightness):
    """Computes a score without pictures."""

    def compute(self) -> dict[str, Score]:
        counts = self.sums[:, 0].clamp(min=1)
        fake, real = (self.sums[:, 1] / counts).tolist()
        return {"brightness": Score(abs(fake - real), {"n": "any"}, higher_is_better=False)}


class TakesAnything(Brightness):
    """Accepts pictures on any scale."""

    def update(self, images: Tensor, *, captions: Words = None, groups: Words = None, real: bool = False) -> None:
        self.take(images.float().reshape(-1, 1, 1, images.shape[-1]), real)


class MergesAnything(Brightness):
    """Ignores what it does not know in a state."""

    def merge(self, state: Mapping[str, Tensor]) -> None:
        if "sums" in state and state["sums"].shape == (2, 2):
            self.sums += state["sums"]


class Jitters(Brightness):
    """Adds a random number."""

    def compute(self) -> dict[str, Score]:
        value = super().compute()["brightness"].value + 1e-6 * float(np.random.rand())
        return {"brightness": Score(value, self.protocol(), higher_is_better=False)}


class Normalises(Brightness):
    """Changes the pictures it is given."""

    def take(self, images: Tensor, real: bool) -> None:
        super().take(images, real)
        images.mul_(0.5)


class WritesLog(Brightness):
    """Logs to a file."""

    def take(self, images: Tensor, real: bool) -> None:
        super().take(images, real)
        Path(os.devnull).write_text("judged")


class Undocumented(Brightness):
    pass


class WithinItsError(FirstCounts):
    """Depends on the order by less than its own standard error."""

    def compute(self) -> dict[str, Score]:
        (score,) = super().compute().values()
        return {"brightness": Score(score.value, score.protocol, 2.0, higher_is_better=False)}


SIZE = "the_size_of_batches_changes_nothing"
ORDER = "the_order_of_batches_changes_nothing"
MERGED = "merged_states_equal_one_that_saw_all"
FILE = "a_state_survives_a_file"
TAKEN = "a_saved_state_does_not_change"
COMPUTING = "computing_changes_nothing"
FEW = "too_few_pictures_are_refused"
BAD = "bad_pictures_are_refused"
RANDOM = "nothing_is_random"
SPECIMENS: list[tuple[Callable[[], Evaluator], dict[str, str]]] = [
    (Brightness, {}),
    (NoProtocol, {"scores_carry_their_protocol": "brightness has an empty protocol"}),
    (NotANumber, {"scores_carry_their_protocol": "brightness is nan", SIZE: "", ORDER: "", MERGED: "", FILE: "",
                  "reset_forgets_everything": "", COMPUTING: ""}),
    (MeanOfBatches, {SIZE: "in batches of 1, brightness is"}),
    (FirstCounts, {ORDER: "in the opposite order, brightness is", MERGED: "merged into a fresh one, brightness is"}),
    (KeepsAside, {MERGED: "merged into a fresh one, brightness is", FILE: "saved and loaded, brightness is"}),
    (ListState, {FILE: "a state must contain only tensors, but has {'sums': 'list'}", TAKEN: "AttributeError",
                 "foreign_states_are_refused": "AttributeError"}),
    (LendsState, {TAKEN: "further updates change the state returned before, in sums"}),
    (RemembersForEver, {"reset_forgets_everything": "after a reset, brightness", COMPUTING: "intermediate computes"}),
    (ComputesOnce, {COMPUTING: "computing twice gives different scores", BAD: "counted anyway",
                    "foreign_states_are_refused": "merged anyway"}),
    (ScoresNothing, {FEW: "computing without a picture is accepted, not refused"}),
    (TakesAnything, {BAD: "pictures that are bytes is accepted, not refused"}),
    (MergesAnything, {"foreign_states_are_refused": "a state of another kind of evaluator is accepted, not refused"}),
    (Jitters, {RANDOM: "evaluating touches the global random generator of NumPy", COMPUTING: "different scores",
               BAD: "counted", "foreign_states_are_refused": "merged"}),
    (Normalises, {"pictures_are_left_as_they_were": "update changes the pictures"}),
    (WritesLog, {"evaluating_reaches_nothing_and_writes_nothing": f"but did: {os.devnull}"}),
    (Undocumented, {"is_documented": "Undocumented has none"}),
    (WithinItsError, {}),
]  # fmt: skip


@pytest.mark.parametrize(("make", "reasons"), SPECIMENS)
def test_each_broken_evaluator_fails_for_its_reason(make: Callable[[], Evaluator], reasons: dict[str, str]) -> None:
    expect(failures(EVALUATOR_CHECKS, lambda: make), reasons)


def test_every_check_catches_a_broken_evaluator() -> None:
    assert caught(SPECIMENS) == {check.name for check in EVALUATOR_CHECKS}
