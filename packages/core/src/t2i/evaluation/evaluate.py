"""Evaluate a model: draw the captions of a plan in batches, show them to the evaluators, and collect the scores.

An interrupted evaluation continues where it stopped, and several processes (through accelerate) can share one. Both
give the same numbers as one uninterrupted process: batches are the same, and evaluators see them in the same order.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version

from accelerate import PartialState
from jaxtyping import Float
from torch import Tensor

from t2i.config import Config
from t2i.create import create_evaluator, suited_settings
from t2i.data.dataset import CaptionedDataset
from t2i.data.fit import CROPPED
from t2i.drawing.artist import Artist
from t2i.errors import InvalidInputError
from t2i.evaluation.fewest import check_enough
from t2i.evaluation.pictures import draw_pictures, read_pictures, to_images
from t2i.evaluation.plan import Plan, Planned, make_plan, share
from t2i.evaluation.processes import merge_processes
from t2i.evaluation.saved_state import SAVE_EVERY_SECONDS, Saved
from t2i.evaluator import Evaluator, Score
from t2i.progress import Progress, Say, silent, unsaid
from t2i.registry.discovery import registry
from t2i.registry.specs import EvaluatorSpec


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation; empty in every process but the first.

    Attributes:
        scores: by name, such as "r_precision"; each protocol also names data, seed and versions.
        failures: for each evaluator without a score, the reason.
        seconds_per_image: drawing time in this process, summed over interruptions; None if it drew nothing.
    """

    scores: Mapping[str, Score]
    failures: Mapping[str, str]
    seconds_per_image: float | None


@dataclass(frozen=True)
class Seen:
    """The result of one batch.

    Attributes:
        drawn, seconds: number of pictures drawn, and how long that took.
        unreadable: a sentence for each picture of the dataset that could not be read.
        states: the evaluators' states after this batch alone, by name; empty if this process evaluated it.
    """

    drawn: int
    seconds: float
    unreadable: tuple[str, ...] = ()
    states: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict, hash=False)


Elsewhere = Callable[[Sequence[Sequence[Planned]]], Iterable[Seen]]
"""Draws batches elsewhere and shows them to evaluators there; gives the result of each, in order."""


def evaluate(
    artist: Artist,
    dataset: CaptionedDataset,
    plan: Plan | None = None,
    options: Config | None = None,
    *,
    elsewhere: Elsewhere | None = None,
    progress: Progress = silent,
    warn: Say = unsaid,
) -> Evaluation:
    """Evaluate pictures drawn by `artist` from the captions of `dataset` against the pictures of `dataset`.

    Args:
        plan: the evaluators, the number of pictures and the seed.
        options: made by the artist's `options`.
        elsewhere: draws and evaluates the batches; by default this process does.
        warn: called with each picture of the dataset that cannot be read.

    Raises:
        InvalidInputError, UnknownNameError: as `create_evaluators`, or an evaluator cannot read the pictures.
        KeyboardInterrupt: the message says how many pictures are evaluated.
    """
    plan, options = plan or Plan(), options or artist.options()
    side = plan.resolution or artist.resolution
    plan = suited_to(plan, dataset, warn)
    evaluators = create_evaluators(plan)
    state = PartialState()
    pictures = make_plan(dataset.examples, plan.n, plan.seed)
    batches = share(pictures, plan.batch_size, state.process_index, state.num_processes)
    asked = question(artist, dataset, plan, options)
    saved = Saved(evaluators, asked, plan.batch_size, state.process_index, state.num_processes)
    total = sum(map(len, batches))
    with progress("Evaluating", total) as advance:
        done, drawn, seconds = saved.load()
        finished = sum(map(len, batches[:done]))
        advance(finished)
        todo = batches[done:]
        here = (look(artist, dataset, evaluators, batch, side, options) for batch in todo)
        try:
            for batch, seen in zip(todo, elsewhere(todo) if elsewhere else here, strict=True):
                for name, seen_state in seen.states.items():
                    evaluators[name].merge(seen_state)
                for sentence in seen.unreadable:
                    warn(sentence)
                done, drawn, seconds = done + 1, drawn + seen.drawn, seconds + seen.seconds
                finished += len(batch)
                advance(len(batch))
                saved.keep(done, drawn, seconds)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"Interrupted: {finished:,} of {total:,} pictures are evaluated. The same command continues and "
                f"repeats at most the last {SAVE_EVERY_SECONDS:.0f} s."
            ) from None
    merge_processes(evaluators, state)
    saved.forget()
    if not state.is_main_process:
        return Evaluation({}, {}, None)
    scores, failures = compute(evaluators, _protocol(artist, dataset, plan))
    return Evaluation(scores, failures, seconds / drawn if drawn else None)


def look(
    artist: Artist,
    dataset: CaptionedDataset,
    evaluators: Mapping[str, Evaluator],
    batch: Sequence[Planned],
    side: int,
    options: Config,
) -> Seen:
    """Read or draw a batch, and show it to the evaluators."""
    unreadable: list[str] = []
    start, drawn = time.perf_counter(), 0
    if batch[0].real:
        readable, pictures = read_pictures(dataset, batch, side, unreadable.append)
    else:
        readable, pictures, drawn = list(batch), draw_pictures(artist, batch, options), len(batch)
    seconds = time.perf_counter() - start if drawn else 0.0
    if readable:
        show(evaluators, readable, to_images(pictures, side).to(artist.device))
    return Seen(drawn, seconds, tuple(unreadable))


def suited_to(plan: Plan, dataset: CaptionedDataset, warn: Say = unsaid) -> Plan:
    """The plan with the settings that its evaluators have for this dataset, such as an encoder trained on it; those of
    the plan replace them. `warn` is called with what an evaluator says of a choice that is used."""
    settings = {name: dict(given) for name, given in plan.settings.items()}
    for name in plan.metrics:
        remarks: list[str] = []
        given = settings.get(name, {})
        if found := suited_settings(name, dataset.name, dataset.location, remarks.append):
            settings[name] = {**found, **given}
            for remark in remarks if found.keys() - given.keys() else ():
                warn(f"{name}: {remark}")
    return replace(plan, settings=settings)


def create_evaluators(plan: Plan) -> dict[str, Evaluator]:
    """The plan's evaluators, by name.

    Raises:
        InvalidInputError: one needs more pictures than the plan draws, or a setting is outside its range.
        UnknownNameError: there is no evaluator of that name.
    """
    evaluators = {name: create_evaluator(name, **plan.settings.get(name, {})) for name in plan.metrics}
    check_enough({name: each.least_pictures for name, each in evaluators.items()}, plan.n)
    return evaluators


def question(artist: Artist, dataset: CaptionedDataset, plan: Plan, options: Config | None = None) -> str:
    """A hash of the artist's name and of all that an evaluation's scores and seconds depend on, as 32 hex digits.

    It changes with the weights, the protocol, the versions and the device, and not with the batch size.
    """
    options = options or artist.options()
    parts = [
        *(asdict(artist.identity), _protocol(artist, dataset, plan), plan.n, list(plan.metrics)),
        *({k: dict(v) for k, v in plan.settings.items()}, options.model_dump(mode="json")),
        [versions(name) for name in plan.metrics],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def show(evaluators: Mapping[str, Evaluator], batch: Sequence[Planned], images: Float[Tensor, "b 3 h w"]) -> None:
    """Show every evaluator a batch of pictures that are all real or all drawn."""
    captions, groups = [one.caption for one in batch], [one.group for one in batch]
    for evaluator in evaluators.values():
        evaluator.update(images, captions=captions, groups=groups, real=batch[0].real)


def compute(
    evaluators: Mapping[str, Evaluator], protocol: Mapping[str, str]
) -> tuple[dict[str, Score], dict[str, str]]:
    """All scores, and for each evaluator that fails the reason; the others keep their scores."""
    scores: dict[str, Score] = {}
    failures = {}
    for name, evaluator in evaluators.items():
        try:
            found = evaluator.compute()
        except InvalidInputError as error:
            failures[name] = str(error)
            continue
        for label, score in found.items():
            scores[label] = replace(score, protocol={**protocol, "versions": versions(name), **score.protocol})
    return scores, failures


def versions(evaluator: str) -> str:
    """The versions an evaluator's numbers depend on: "t2i-core 0.1.0, t2i-metrics 0.1.0, torch 2.7.0"."""
    _, plugin = registry().get(EvaluatorSpec, evaluator)
    names = dict.fromkeys(("t2i-core", plugin.distribution, "torch"))
    return ", ".join(f"{name} {version(name)}" for name in names)


def _protocol(artist: Artist, dataset: CaptionedDataset, plan: Plan) -> dict[str, str]:
    """The part of the protocol that all evaluators share."""
    return {
        "data": dataset.name,
        "data_sha256": dataset.fingerprint,
        "resolution": f"{plan.resolution or artist.resolution} px",
        "seed": str(plan.seed),
        **({"fit": str(dataset.fitting)} if dataset.fitting != CROPPED else {}),
    }
