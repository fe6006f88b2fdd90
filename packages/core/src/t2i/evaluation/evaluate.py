"""A model's scores: a plan of captions and seeds, its pictures in batches, the judges that watch, their scores.

An interrupted evaluation goes on where it stopped, and several processes (through accelerate) share one. Both give the
number that one uninterrupted process gives: batches are the same, and judges meet them in the same order.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from jaxtyping import Float
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from t2i.create import create_evaluator
from t2i.data.dataset import CaptionedDataset
from t2i.drawing.pipeline import DEFAULT_BATCH_SIZE, Pipeline
from t2i.errors import DataError, InvalidInputError
from t2i.evaluation.plan import Request, make_plan, share
from t2i.evaluation.saved_state import Saved
from t2i.evaluator import Evaluator, Score
from t2i.files import write_atomic
from t2i.images import from_uint8
from t2i.progress import Progress, silent
from t2i.registry.discovery import registry
from t2i.registry.specs import EvaluatorSpec, ModelSpec

DEFAULT_METRICS = ("kid", "r_precision")
DEFAULT_COUNT = 2000


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found; empty in every process but the first.

    Attributes:
        scores: by name, such as "r_precision"; each protocol names data, seed and versions too.
        failures: judges that could not say a score, and why.
        seconds_per_image: of drawing, over all interruptions, as far as this process drew; None where it drew none.
    """

    scores: Mapping[str, Score]
    failures: Mapping[str, str]
    seconds_per_image: float | None


EVALUATIONS = TypeAdapter(Evaluation)


def evaluate(
    pipe: Pipeline,
    dataset: CaptionedDataset,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    n: int = DEFAULT_COUNT,
    seed: int = 0,
    batch_size: int = DEFAULT_BATCH_SIZE,
    resolution: int | None = None,
    options: Mapping[str, Any] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress = silent,
    warn: Callable[[str], None] = lambda message: None,
) -> Evaluation:
    """Show the judges every picture of `dataset` and `n` pictures drawn by `pipe` from its captions.

    Args:
        metrics: names of evaluators.
        n: pictures drawn.
        seed: chooses the captions; picture i of the plan is drawn with seed + i.
        batch_size: pictures drawn and judged at once.
        resolution: pixels a side at which all are judged; the model's own by default.
        options: the generator's own, see its `options_type`.
        settings: of each evaluator by its name, such as {"fid": {"protocol": "clean"}}.

    Raises:
        InvalidInputError, UnknownNameError: an argument is outside its range, or a judge cannot read the pictures.
        DataError: none of the dataset's pictures can be read.
    """
    side = resolution or pipe.generator.resolution
    options, settings = pipe.options(**options or {}).model_dump(), settings or {}
    judges = {name: create_evaluator(name, **settings.get(name, {})) for name in metrics}
    protocol = _protocol(dataset, side, seed)
    state = PartialState()
    batches = share(make_plan(dataset.examples, n, seed), batch_size, state.process_index, state.num_processes)
    asked = question(pipe, dataset, metrics, n=n, seed=seed, resolution=resolution, options=options, settings=settings)
    saved = Saved(judges, asked, batch_size, state.process_index, state.num_processes)
    with progress("Evaluating", sum(map(len, batches))) as advance:
        done, drawn, seconds = saved.load()
        advance(sum(map(len, batches[:done])))
        for position, requests in enumerate(batches[done:], start=done + 1):
            if requests[0].real:
                seen, pictures = read_pictures(dataset, requests, side, warn)
            else:
                start = time.perf_counter()
                seen, pictures = list(requests), draw_pictures(pipe, requests, options)
                drawn, seconds = drawn + len(requests), seconds + time.perf_counter() - start
            if seen:
                show(judges, seen, to_images(pictures, side).to(pipe.device))
            advance(len(requests))
            saved.keep(position, drawn, seconds)
    merge_processes(judges, state)
    saved.forget()
    if not state.is_main_process:
        return Evaluation({}, {}, None)
    scores, failures = compute(judges, protocol)
    return Evaluation(scores, failures, seconds / drawn if drawn else None)


def question(
    pipe: Pipeline,
    dataset: CaptionedDataset,
    metrics: Sequence[str],
    *,
    n: int,
    seed: int,
    resolution: int | None = None,
    options: Mapping[str, Any] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Everything that an evaluation's scores and seconds depend on, and the model's name, as 32 hex digits.

    Other weights, another protocol, version or device are another question; another batch size is not.

    Args:
        pipe, dataset, metrics, n, seed, resolution, options, settings: as `evaluate` takes them.
    """
    side, snapshot = resolution or pipe.generator.resolution, pipe.snapshot
    _, technique = registry().get(ModelSpec, snapshot.config.technique)
    parts = [
        *(snapshot.name, snapshot.config.weights_sha256, pipe.encoder.identity.sha256, pipe.device.type),
        *(_protocol(dataset, side, seed), n, list(metrics), settings or {}, pipe.options(**options or {}).model_dump()),
        *(technique.version, [versions(name) for name in metrics]),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def read_pictures(
    dataset: CaptionedDataset, requests: Sequence[Request], side: int, warn: Callable[[str], None]
) -> tuple[list[Request], list[Image.Image]]:
    """The dataset's own pictures of `requests`; those that cannot be read are left out and named."""

    def read(request: Request) -> Image.Image | DataError:
        try:
            return dataset.picture(request.example, side)[0]
        except DataError as error:
            return error

    kept, pictures = [], []
    with ThreadPoolExecutor() as pool:
        for request, picture in zip(requests, pool.map(read, requests), strict=True):
            if isinstance(picture, DataError):
                warn(f"{dataset.name}: {dataset.examples[request.example].id} is left out: {picture}")
            else:
                kept.append(request)
                pictures.append(picture)
    return kept, pictures


def draw_pictures(pipe: Pipeline, requests: Sequence[Request], options: Mapping[str, Any]) -> list[Image.Image]:
    """The pictures `pipe` draws, in one batch; the very ones `t2i generate` writes."""
    asked = [(request.caption, request.seed) for request in requests]
    return [picture.image for picture in pipe.stream(asked, batch_size=len(asked), **options)]


def show(judges: Mapping[str, Evaluator], requests: Sequence[Request], images: Float[Tensor, "b 3 h w"]) -> None:
    """Let every judge see a batch, all real or all drawn."""
    captions, groups = [request.caption for request in requests], [request.group for request in requests]
    for judge in judges.values():
        judge.update(images, captions=captions, groups=groups, real=requests[0].real)


def to_images(pictures: Sequence[Image.Image], side: int) -> Float[Tensor, "b 3 h w"]:
    """RGB pictures as one batch in [-1, 1], resized to `side` (Lanczos, antialiased) where they are not of it."""
    size = (side, side)
    fitting = [p if p.size == size else p.resize(size, Image.Resampling.LANCZOS) for p in pictures]
    pixels = np.stack([np.asarray(picture) for picture in fitting])  # b h w c
    return from_uint8(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous())


def merge_processes(judges: Mapping[str, Evaluator], state: PartialState) -> None:
    """Let the first process's judges know what those of the others saw, in the order of the plan."""
    if state.num_processes == 1:
        return
    everything = gather_object([{name: judge.state() for name, judge in judges.items()}])
    if state.is_main_process:
        for states in everything[1:]:
            for name, judge in judges.items():
                judge.merge(states[name])


def compute(judges: Mapping[str, Evaluator], protocol: Mapping[str, str]) -> tuple[dict[str, Score], dict[str, str]]:
    """All scores, and why a judge has none; one judge's failure leaves the others' scores."""
    scores: dict[str, Score] = {}
    failures = {}
    for name, judge in judges.items():
        try:
            found = judge.compute()
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


def keep_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write what was found as JSON.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomic(path, EVALUATIONS.dump_json(evaluation, indent=2) + b"\n")


def kept_evaluation(path: Path) -> Evaluation | None:
    """What `keep_evaluation` wrote; None where nothing whole is there."""
    try:
        return EVALUATIONS.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _protocol(dataset: CaptionedDataset, side: int, seed: int) -> dict[str, str]:
    """What every score's protocol says, whoever judges."""
    return {
        "data": dataset.name,
        "data_sha256": dataset.fingerprint,
        "resolution": f"{side} px",
        "seed": str(seed),
    }
