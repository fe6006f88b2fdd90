"""Make real pictures square in the way in which a model's training pictures were made square."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from t2i.data.dataset import CaptionedDataset
from t2i.data.fit import CROPPED, Fitting
from t2i.drawing.artist import Artist
from t2i.drawing.pipeline import Pipeline
from t2i.errors import InvalidInputError, T2IError
from t2i.progress import Say, unsaid
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


def fitted_for(artists: Iterable[Artist], dataset: CaptionedDataset, say: Say = unsaid) -> CaptionedDataset:
    """The dataset with its pictures made square as those that the artists learned from, unless they are squares.

    All compared artists see the same squares: those of the artists whose training pictures were padded, squashed or cut
    at another place than the centre. If these differ, pictures are cropped at the centre.
    """
    known = {fitting: artist.name for artist in artists if (fitting := fitting_of(artist)) != CROPPED}
    try:
        fitted = [dataset.fitted(fitting) for fitting in known]
    except InvalidInputError:
        return dataset
    if len(known) > 1:
        differing = ", ".join(f"{fitting} ({name})" for fitting, name in known.items())
        what = f"{dataset.name}: pictures that are not square are cropped"
        say(f"{what}, since the models' trainings differ: {differing}")
        return dataset
    if not fitted:
        return dataset
    say(f"{dataset.name}: pictures that are not square are fitted as in the model's training: {fitted[0].fitting}")
    return fitted[0]
