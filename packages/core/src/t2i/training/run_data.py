"""The data of a run: opened as its settings say, with pictures held out, and with the parent's mixed in."""

from __future__ import annotations

from collections.abc import Callable

from t2i.create import load_dataset
from t2i.data.dataset import CaptionedDataset, summarised
from t2i.data.fit import Fitting
from t2i.data.mixing import mixed, thinned
from t2i.data.prepare import PreparedData, is_decoded, prepare
from t2i.errors import DataError, T2IError, UnknownNameError
from t2i.progress import Progress
from t2i.runs.folder import RunFolder
from t2i.snapshots.resolve import resolve
from t2i.text import TextEncoder
from t2i.training.config import DataConfig
from t2i.training.defaults.facts import LONG, facts_of
from t2i.training.parent_data import named_dataset, places_of
from t2i.training.settings import RunConfig, read_run

Warn = Callable[[str], None]


def open_data(data: DataConfig, split: str | None = None) -> CaptionedDataset:
    """The dataset that the settings name, or another split of it, with its pictures made square as they say."""
    dataset = load_dataset(data.source, split, caption_column=data.caption_column, image_column=data.image_column)
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


def warn_of_cuts(data: DataConfig, dataset: CaptionedDataset, warn: Warn) -> None:
    """Warn if many pictures lose a third or more to the crop, and nobody has chosen it, such as with a recipe."""
    if "fit" in data.model_fields_set or dataset.fitting.fit != "crop":
        return
    facts = facts_of(dataset)
    if facts.long:
        warn(
            f"{facts.elongated:.0%} of the pictures are longer than {LONG} to 1 and are cropped to squares: "
            f"data.fit=pad or squash keeps whole pictures; data.fit=crop crops them without this warning."
        )


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
    if where.startswith(":"):
        dataset = open_data(config.data, where[1:])
    else:
        dataset = open_data(config.data.model_copy(update={"source": where}))
    return data, prepare(dataset, resolution, encoder, strict=config.strict, progress=progress)


def _with_parents_data(
    config: RunConfig, data: PreparedData, resolution: int, encoder: TextEncoder, progress: Progress, warn: Warn
) -> PreparedData:
    """The data with all of `train.mix_data` mixed in, or else a part of the parent's; if the parent's is not on this
    machine, the data alone, and a warning."""
    if config.train.mix_data:
        named = prepare(load_dataset(config.train.mix_data), resolution, encoder, progress=progress)
        return mixed(data, named, most=len(named.images))
    snapshot = resolve(config.parent)
    run = RunFolder.of_snapshot(snapshot.folder)
    try:
        if run is None:
            theirs = thinned(named_dataset(snapshot.config.facts.dataset))
        else:
            parent = read_run(run.path)
            side = resolution - config.train.crop_margin + parent.train.crop_margin
            theirs = _data_of(run, parent, side, encoder, progress)
        return mixed(data, prepare(theirs, resolution, encoder, progress=progress))
    except T2IError as error:
        warn(f"None of the parent's data is mixed in: {error} Name it with train.mix_data, or set train.mix=0.")
        return data


def _data_of(
    run: RunFolder, config: RunConfig, resolution: int, encoder: TextEncoder, progress: Progress
) -> CaptionedDataset:
    """The data of a run, compared with what it began with; if it is large and not decoded yet, a part, not compared.

    Raises:
        DataError, UnknownNameError: it is not here, or has changed.
    """
    problem: T2IError = DataError(f"{config.data.source} is not here.")
    for place in places_of(config.data, run.path):
        try:
            whole = open_data(place)
            if thinned(whole) is not whole and not is_decoded(whole, resolution):
                return thinned(whole)
            content = prepare(whole, resolution, encoder, progress=progress).content
        except (DataError, UnknownNameError) as error:
            problem = error
            continue
        if config.data_sha256 in ("", content):
            return whole
        problem = DataError(f"{place.source} has other pictures or captions than those {run.path} began with.")
    raise problem
