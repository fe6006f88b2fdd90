"""Real pictures become squares as those did that a model learned from."""

from __future__ import annotations

from contextlib import suppress

from t2i.data.dataset import CaptionedDataset
from t2i.data.fit import CROPPED, Fitting
from t2i.drawing.artist import Artist
from t2i.drawing.pipeline import Pipeline
from t2i.errors import InvalidInputError, T2IError
from t2i.runs.folder import RunFolder
from t2i.training.settings import read_run


def fitting_of(artist: Artist) -> Fitting:
    """How the pictures that an artist learned from became squares; cropped if that is unknown."""
    if not isinstance(artist, Pipeline):
        return CROPPED
    facts, run = artist.snapshot.config.facts, RunFolder.of_snapshot(artist.snapshot.folder)
    recorded = Fitting(facts.fit, facts.position)
    if recorded == CROPPED and run is not None:  # snapshots did not record it before November 2026
        with suppress(T2IError):
            data = read_run(run.path).data
            return Fitting(data.fit, data.position)
    return recorded


def fitted_for(artist: Artist, dataset: CaptionedDataset) -> CaptionedDataset:
    """The dataset with its pictures made square as those that the artist learned from, unless they are squares."""
    try:
        return dataset.fitted(fitting_of(artist))
    except InvalidInputError:
        return dataset
