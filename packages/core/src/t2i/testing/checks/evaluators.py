"""What every Evaluator promises."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import TypeCheckError
from safetensors.torch import load, save
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i.testing.checks.check import Checks
from t2i.testing.checks.probes import no_global_randomness, undocumented, watched

MakeEvaluator = Callable[[], Evaluator]
EVALUATOR_CHECKS: Checks[MakeEvaluator] = Checks()
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")
COUNT, SIDE = 24, 32  # pictures of each sort, and their pixels a side
ROUNDING = 1e-4  # of a score: sums in another order may change this much


@EVALUATOR_CHECKS.add(
    why="a number without its protocol cannot be compared",
    remedy="return {name: Score(value, protocol)}; the protocol names everything the value depends on, as strings",
)
def scores_carry_their_protocol(make: MakeEvaluator) -> None:
    scores = _seen(make, _everything()).compute()
    assert isinstance(scores, Mapping) and scores, f"compute must return at least one named score, got {scores!r}"
    for name, score in scores.items():
        assert isinstance(name, str) and isinstance(score, Score), f"{name!r} is {score!r}, not a Score"
        assert math.isfinite(score.value), f"{name} is {score.value}"
        error = score.standard_error
        assert error is None or (math.isfinite(error) and error >= 0), f"the standard error of {name} is {error}"
        assert score.protocol, f"{name} has an empty protocol"
        odd = {key: value for key, value in score.protocol.items() if not (isinstance(value, str) and value)}
        assert not odd, f"a protocol must map strings to non-empty strings, but that of {name} has {odd}"
        assert not score.better_than(score), f"{name} is better than itself"


@EVALUATOR_CHECKS.add(
    why="the batch size is chosen by memory and must not affect scores",
    remedy="keep sums (or features) over pictures, never means of batches",
)
def the_size_of_batches_changes_nothing(make: MakeEvaluator) -> None:
    whole = _seen(make, _everything()).compute()
    for size in (1, 7):
        _expect(_seen(make, _everything(size)).compute(), whole, f"in batches of {size}")


@EVALUATOR_CHECKS.add(
    why="loaders and processes give pictures in any order",
    remedy="keep sums, or sort what is kept; derive random parts (folds, distractors) from contents or a seed",
)
def the_order_of_batches_changes_nothing(make: MakeEvaluator) -> None:
    batches = _everything(6)
    forwards, backwards = (_seen(make, order).compute() for order in (batches, batches[::-1]))
    _expect(backwards, forwards, "in the opposite order", within_error=True)


@EVALUATOR_CHECKS.add(
    why="several processes each evaluate a part of one set of pictures",
    remedy="let `state` return everything `compute` uses, and `merge` add it",
)
def merged_states_equal_one_that_saw_all(make: MakeEvaluator) -> None:
    batches = _everything(6)
    whole = _seen(make, batches).compute()
    first, second = _seen(make, batches[:3]), _seen(make, batches[3:])
    fresh = make()
    fresh.merge(first.state())
    fresh.merge(second.state())
    _expect(fresh.compute(), whole, "merged into a fresh one", within_error=True)
    first.merge(second.state())
    _expect(first.compute(), whole, "merged into the first", within_error=True)


@EVALUATOR_CHECKS.add(
    why="states are saved and sent as tensors; t2i never loads pickles",
    remedy="return a dict of named CPU tensors: numbers as 0-d tensors, texts as their bytes",
)
def a_state_survives_a_file(make: MakeEvaluator) -> None:
    evaluator = _seen(make, _everything())
    state = evaluator.state()
    odd = {name: type(value).__name__ for name, value in state.items() if not isinstance(value, Tensor)}
    assert not odd, f"a state must contain only tensors, but has {odd}"
    again = make()
    again.merge(load(save({name: value.contiguous().clone() for name, value in state.items()})))
    _expect(again.compute(), evaluator.compute(), "saved and loaded")


@EVALUATOR_CHECKS.add(
    why="a returned state belongs to the caller; further updates must not change it",
    remedy="return clones from `state`",
)
def a_saved_state_does_not_change(make: MakeEvaluator) -> None:
    batches = _everything(6)
    evaluator = _seen(make, batches[:4])
    taken = evaluator.state()
    before = {name: value.clone() for name, value in taken.items()}
    _watch(evaluator, batches[4:])
    changed = [name for name, value in before.items() if not torch.equal(value, taken[name])]
    assert not changed, f"further updates change the state returned before, in {', '.join(changed)}"


@EVALUATOR_CHECKS.add(
    why="one evaluator is used for many models in turn",
    remedy="clear everything in `reset`",
)
def reset_forgets_everything(make: MakeEvaluator) -> None:
    evaluator = _seen(make, _everything(seed=1))
    evaluator.reset()
    _watch(evaluator, _everything())
    _expect(evaluator.compute(), _seen(make, _everything()).compute(), "after a reset")


@EVALUATOR_CHECKS.add(
    why="a score may be computed before the last update",
    remedy="let `compute` only read the state",
)
def computing_changes_nothing(make: MakeEvaluator) -> None:
    batches = _everything(12)
    evaluator = _seen(make, batches)
    first = evaluator.compute()
    assert _values(first) == _values(evaluator.compute()), "computing twice gives different scores"
    evaluator.reset()
    for batch in batches:
        _watch(evaluator, [batch])
        try:
            evaluator.compute()
        except InvalidInputError:  # too few pictures so far
            continue
    _expect(evaluator.compute(), first, "with intermediate computes")


@EVALUATOR_CHECKS.add(
    why="a score of no pictures is meaningless",
    remedy="raise t2i.errors.InvalidInputError, saying how many pictures the score needs",
)
def too_few_pictures_are_refused(make: MakeEvaluator) -> None:
    evaluator = make()
    _refused(evaluator.compute, "computing without a picture")
    evaluator = _seen(make, _everything())
    evaluator.reset()
    _refused(evaluator.compute, "computing after a reset")


@EVALUATOR_CHECKS.add(
    why="pictures on the wrong scale get bad scores, and nobody notices",
    remedy="raise t2i.errors.InvalidInputError before anything is added",
)
def bad_pictures_are_refused(make: MakeEvaluator) -> None:
    (first, *_) = _everything()
    images = first["images"]
    bad = {
        "bytes": (images * 127).to(torch.uint8),
        "grey": images[:, :1],
        "without a batch": images[0],
        "on the scale 0..255": images.add(1).mul(127.5),
        "not finite": images.clone().fill_(math.nan),
    }
    evaluator = _seen(make, _everything())
    before = _values(evaluator.compute())
    for what, pictures in bad.items():
        _refused(partial(evaluator.update, **first | {"images": pictures}), f"pictures that are {what}")
    for part in ("captions", "groups"):
        words = first[part][1:]
        _refused(partial(evaluator.update, **first | {part: words}), f"too few {part}")
    assert _values(evaluator.compute()) == before, "refused pictures were counted anyway"


@EVALUATOR_CHECKS.add(
    why="two halves evaluated with different settings have no common score",
    remedy="compare keys, shapes and settings in `merge`, and raise t2i.errors.InvalidInputError",
)
def foreign_states_are_refused(make: MakeEvaluator) -> None:
    evaluator = _seen(make, _everything())
    before, state = _values(evaluator.compute()), evaluator.state()
    first = next(iter(state))
    foreign = {
        "another kind of evaluator": {"no_such_sum": torch.zeros(3)},
        "nobody": {},
        "another shape": {**state, first: torch.zeros((*state[first].shape, 3))},
    }
    for what, values in foreign.items():
        _refused(partial(evaluator.merge, values), f"a state of {what}")
    assert _values(evaluator.compute()) == before, "a refused state was merged anyway"


@EVALUATOR_CHECKS.add(
    why="the same pictures must always have the same score",
    remedy="draw folds and distractors from your own generator, seeded with the protocol's seed",
)
def nothing_is_random(make: MakeEvaluator) -> None:
    first = _seen(make, _everything()).compute()
    evaluator = make()
    with no_global_randomness("evaluating"):
        _watch(evaluator, _everything())
        second = evaluator.compute()
    assert _values(first) == _values(second), f"the same pictures score {_values(first)}, then {_values(second)}"


@EVALUATOR_CHECKS.add(
    why="the same batch is given to several evaluators",
    remedy="normalise a copy",
)
def pictures_are_left_as_they_were(make: MakeEvaluator) -> None:
    evaluator = make()
    for batch in _everything():
        before = batch["images"].clone()
        evaluator.update(**batch)
        assert torch.equal(before, batch["images"]), "update changes the pictures it is given"


@EVALUATOR_CHECKS.add(
    why="evaluation runs during training, perhaps without a network",
    remedy="fetch and read the extractor's weights when the evaluator is made",
)
def evaluating_reaches_nothing_and_writes_nothing(make: MakeEvaluator) -> None:
    _seen(make, _everything()).compute()  # triggers imports on first use
    evaluator = make()
    with watched(unplugged=True) as touched:
        _watch(evaluator, _everything())
        evaluator.compute()
    found = ", ".join([*touched.reached, *touched.written])
    assert not found, f"evaluating must use no network and write no file, but did: {found}"


@EVALUATOR_CHECKS.add(
    why="a score is only useful if it is known how it was measured",
    remedy="give the class a docstring: what is measured, whether higher is better, and the paper",
)
def is_documented(make: MakeEvaluator) -> None:
    missing = undocumented(type(make()))
    assert not missing, f"public classes must have docstrings, but {', '.join(missing)} has none"


def _everything(size: int = COUNT, seed: int = 0) -> list[dict[str, Any]]:
    """The arguments of `update` for each batch: real pictures of each colour in turn, and blurred generated ones."""
    stream = torch.Generator().manual_seed(seed)
    colours = torch.rand(len(COLOURS), 3, 1, 1, generator=stream) * 2 - 1
    plain = colours.repeat(COUNT // len(COLOURS), 1, 1, 1)  # b 3 1 1
    grain = torch.rand(2, COUNT, 3, SIDE, SIDE, generator=stream) - 0.5
    real, fake = (plain + grain[0]).clamp(-1, 1), (0.5 * plain + grain[1]).clamp(-1, 1)
    groups = [COLOURS[index % len(COLOURS)] for index in range(COUNT)]
    captions = [f"{group} square number {index}" for index, group in enumerate(groups)]
    batches = []
    for start in range(0, COUNT, size):
        part = slice(start, start + size)
        for images, is_real in ((real, True), (fake, False)):
            batches.append(
                {
                    "images": images[part].clone(),
                    "captions": captions[part],
                    "groups": groups[part],
                    "real": is_real,
                }
            )
    return batches


def _watch(evaluator: Evaluator, batches: Sequence[dict[str, Any]]) -> None:
    for batch in batches:
        evaluator.update(**batch | {"images": batch["images"].clone()})  # other evaluators get the same batch


def _seen(make: MakeEvaluator, batches: Sequence[dict[str, Any]]) -> Evaluator:
    evaluator = make()
    _watch(evaluator, batches)
    return evaluator


def _values(scores: Mapping[str, Score]) -> dict[str, float]:
    return {name: score.value for name, score in scores.items()}


def _expect(found: Mapping[str, Score], wanted: Mapping[str, Score], how: str, *, within_error: bool = False) -> None:
    """Check that two computations agree; with `within_error`, up to the score's own standard error."""
    assert found.keys() == wanted.keys(), f"{how}, the scores are {sorted(found)}, not {sorted(wanted)}"
    for name, score in wanted.items():
        allowed = ROUNDING * max(1.0, abs(score.value))
        if within_error:
            allowed = max(allowed, score.standard_error or 0.0)
        other = found[name]
        assert abs(other.value - score.value) <= allowed, f"{how}, {name} is {other.value:.6g}, not {score.value:.6g}"
        assert other.protocol == score.protocol, f"{how}, the protocol of {name} changes to {other.protocol}"


def _refused(call: Callable[[], object], what: str) -> None:
    try:
        call()
    except (InvalidInputError, TypeCheckError):  # TypeCheckError if signatures are checked at run time
        return
    except Exception as error:
        raise AssertionError(f"{what} is refused with {type(error).__name__}, not InvalidInputError") from error
    raise AssertionError(f"{what} is accepted, not refused")
