"""A model's scores: a plan of captions and seeds, its pictures in batches, the evaluators that see them, their scores.

An interrupted evaluation goes on where it stopped, and several processes (through accelerate) share one. Both give the
number that one uninterrupted process gives: batches are the same, and evaluators meet them in the same order.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version

from accelerate import PartialState
from jaxtyping import Float
from torch import Tensor

from t2i.config import Config
from t2i.create import create_evaluator
from t2i.data.dataset import CaptionedDataset
from t2i.drawing.artist import Artist
from t2i.errors import InvalidInputError
from t2i.evaluation.pictures import draw_pictures, read_pictures, to_images
from t2i.evaluation.plan import Plan, Planned, make_plan, share
from t2i.evaluation.processes import merge_processes
from t2i.evaluation.saved_state import Saved
from t2i.evaluator import Evaluator, Score
from t2i.progress import Progress, Say, silent, unsaid
from t2i.registry.discovery import registry
from t2i.registry.specs import EvaluatorSpec


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found; empty in every process but the first.

    Attributes:
        scores: by name, such as "r_precision"; each protocol names data, seed and versions too.
        failures: evaluators that have no score, and why.
        seconds_per_image: of drawing, over all interruptions, as far as this process drew; None where it drew none.
    """

    scores: Mapping[str, Score]
    failures: Mapping[str, str]
    seconds_per_image: float | None


def evaluate(
    artist: Artist,
    dataset: CaptionedDataset,
    plan: Plan | None = None,
    options: Config | None = None,
    *,
    progress: Progress = silent,
    warn: Say = unsaid,
) -> Evaluation:
    """Show the evaluators every picture of `dataset`, and pictures drawn by `artist` from its captions.

    Args:
        plan: which evaluators, how many pictures, from which seed.
        options: the artist's own, as its `options` makes them.
        warn: told which of the dataset's pictures cannot be read.

    Raises:
        InvalidInputError, UnknownNameError: an argument is outside its range, or an evaluator cannot read the pictures.
        DataError: none of the dataset's pictures can be read.
    """
    plan, options = plan or Plan(), options or artist.options()
    side = plan.resolution or artist.resolution
    evaluators = {name: create_evaluator(name, **plan.settings.get(name, {})) for name in plan.metrics}
    state = PartialState()
    pictures = make_plan(dataset.examples, plan.n, plan.seed)
    batches = share(pictures, plan.batch_size, state.process_index, state.num_processes)
    asked = question(artist, dataset, plan, options)
    saved = Saved(evaluators, asked, plan.batch_size, state.process_index, state.num_processes)
    with progress("Evaluating", sum(map(len, batches))) as advance:
        done, drawn, seconds = saved.load()
        advance(sum(map(len, batches[:done])))
        for position, batch in enumerate(batches[done:], start=done + 1):
            if batch[0].real:
                seen, shown = read_pictures(dataset, batch, side, warn)
            else:
                start = time.perf_counter()
                seen, shown = list(batch), draw_pictures(artist, batch, options)
                drawn, seconds = drawn + len(batch), seconds + time.perf_counter() - start
            if seen:
                show(evaluators, seen, to_images(shown, side).to(artist.device))
            advance(len(batch))
            saved.keep(position, drawn, seconds)
    merge_processes(evaluators, state)
    saved.forget()
    if not state.is_main_process:
        return Evaluation({}, {}, None)
    scores, failures = compute(evaluators, _protocol(artist, dataset, plan))
    return Evaluation(scores, failures, seconds / drawn if drawn else None)


def question(artist: Artist, dataset: CaptionedDataset, plan: Plan, options: Config | None = None) -> str:
    """Everything that an evaluation's scores and seconds depend on, and the artist's name, as 32 hex digits.

    Other weights, another protocol, version or device are another question; another batch size is not.
    """
    options = options or artist.options()
    parts = [
        *(asdict(artist.identity), _protocol(artist, dataset, plan), plan.n, list(plan.metrics)),
        *({k: dict(v) for k, v in plan.settings.items()}, options.model_dump(mode="json")),
        [versions(name) for name in plan.metrics],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def show(evaluators: Mapping[str, Evaluator], batch: Sequence[Planned], images: Float[Tensor, "b 3 h w"]) -> None:
    """Let every evaluator see a batch, all real or all drawn."""
    captions, groups = [one.caption for one in batch], [one.group for one in batch]
    for evaluator in evaluators.values():
        evaluator.update(images, captions=captions, groups=groups, real=batch[0].real)


def compute(
    evaluators: Mapping[str, Evaluator], protocol: Mapping[str, str]
) -> tuple[dict[str, Score], dict[str, str]]:
    """All scores, and why an evaluator has none; one's failure leaves the others' scores."""
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
    """Of what an evaluator's numbers depend on: "t2i-core 0.1.0, t2i-metrics 0.1.0, torch 2.7.0"."""
    _, plugin = registry().get(EvaluatorSpec, evaluator)
    names = dict.fromkeys(("t2i-core", plugin.distribution, "torch"))
    return ", ".join(f"{name} {version(name)}" for name in names)


def _protocol(artist: Artist, dataset: CaptionedDataset, plan: Plan) -> dict[str, str]:
    """What every score's protocol says, whoever evaluates."""
    return {
        "data": dataset.name,
        "data_sha256": dataset.fingerprint,
        "resolution": f"{plan.resolution or artist.resolution} px",
        "seed": str(plan.seed),
    }
