"""The data of a run: opened as its settings say, with pictures held out, and with the parent's mixed in."""

from __future__ import annotations

from collections.abc import Callable

from t2i.create import load_dataset
from t2i.data.dataset import CaptionedDataset, summarised
from t2i.data.fit import Fitting
from t2i.data.mixing import mixed, thinned
from t2i.data.prepare import PreparedData, prepare
from t2i.errors import T2IError
from t2i.progress import Progress
from t2i.snapshots.resolve import resolve
from t2i.text import TextEncoder
from t2i.training.config import DataConfig
from t2i.training.settings import RunConfig

Warn = Callable[[str], None]


def open_data(data: DataConfig) -> CaptionedDataset:
    """The dataset that the settings name, with its pictures made square as they say."""
    dataset = load_dataset(data.source, caption_column=data.caption_column, image_column=data.image_column)
    return dataset.fitted(Fitting(data.fit, data.position))


def prepared(
    config: RunConfig,
    dataset: CaptionedDataset,
    resolution: int,
    encoder: TextEncoder,
    progress: Progress,
    warn: Warn,
) -> tuple[PreparedData, PreparedData | None]:
    """The pictures to train on, and those to validate on if they are data of their own.

    Raises:
        DataError, UnknownNameError: data cannot be read, or cannot be divided.
    """
    data = prepare(dataset, resolution, encoder, strict=config.strict, progress=progress)
    data, validation = _with_validation(config, data, resolution, encoder, progress)
    if config.parent and config.train.mix:
        data = _with_parents_data(config, data, resolution, encoder, progress, warn)
    return data, validation


def warn_of_data(data: PreparedData, sha256: str, warn: Warn) -> None:
    """Warn of data that is left out, converted or odd, and of data that has changed since the run began."""
    if sha256 and sha256 != data.content:
        warn(f"{data.name} has changed since this run began, so the run now learns from other pictures or captions.")
    for remark in data.remarks:
        warn(f"{data.name}: {remark}")
    for what, skipped in (("left out", True), ("changed", False)):
        found = [problem for problem in data.problems if problem.skipped == skipped]
        if found:
            lines = summarised(found)
            rest = f"; and {len(lines) - 5} more kinds" if len(lines) > 5 else ""
            warn(f"{data.name}: {len(found):,} {what}: {'; '.join(lines[:5])}{rest}.")


def _with_validation(
    config: RunConfig, data: PreparedData, resolution: int, encoder: TextEncoder, progress: Progress
) -> tuple[PreparedData, PreparedData | None]:
    """The data with a share of it held out, or with data of its own to validate on, as `train.validation` says."""
    where = config.train.validation
    if not where:
        return data, None
    if isinstance(where, float):
        return data.holding_out(where), None
    source = f"{config.data.source}{where}" if where.startswith(":") else where
    dataset = open_data(config.data.model_copy(update={"source": source}))
    return data, prepare(dataset, resolution, encoder, strict=config.strict, progress=progress)


def _with_parents_data(
    config: RunConfig, data: PreparedData, resolution: int, encoder: TextEncoder, progress: Progress, warn: Warn
) -> PreparedData:
    """The data with all of `train.mix_data` mixed in, or else a part of the parent's; if the parent's is not on this
    machine, the data alone, and a warning."""
    if config.train.mix_data:
        named = prepare(load_dataset(config.train.mix_data), resolution, encoder, progress=progress)
        return mixed(data, named, most=len(named.images))
    name = resolve(config.parent).config.facts.dataset
    try:
        return mixed(data, prepare(thinned(load_dataset(name)), resolution, encoder, progress=progress))
    except T2IError as error:
        warn(f"None of the parent's data is mixed in: {error} Name it with train.mix_data, or set train.mix=0.")
        return data
