"""What every dataset of picture files has: a name, a place, and how its pictures become opaque squares."""

from __future__ import annotations

import copy
from typing import Self

from PIL import ImageColor

from t2i.data.dataset import CaptionedDataset
from t2i.data.fit import CROPPED, Fitting
from t2i.errors import InvalidInputError
from t2i.plain_text import as_unicode


class ReadDataset(CaptionedDataset):
    """A dataset that a reader found in files."""

    def __init__(self, name: str, location: str = "") -> None:
        """
        Args:
            location: the absolute path of the files, if their owner named it.
        """
        self._name, self._location = as_unicode(name), as_unicode(location)
        self._background, self._fitting = "white", CROPPED

    @property
    def name(self) -> str:
        return self._name

    @property
    def location(self) -> str:
        return self._location

    @property
    def fitting(self) -> Fitting:
        return self._fitting

    def on_background(self, colour: str) -> Self:
        changed = copy.copy(self)
        changed._background = checked_colour(colour)
        return changed

    def fitted(self, fitting: Fitting) -> Self:
        changed = copy.copy(self)
        changed._fitting = fitting
        return changed


def checked_colour(colour: str) -> str:
    """Return `colour` if it is one.

    Raises:
        InvalidInputError: Pillow knows no such colour.
    """
    try:
        ImageColor.getrgb(colour)
    except ValueError:
        raise InvalidInputError(
            f"A background must be a colour such as white, black or #8090a0, got {colour!r}."
        ) from None
    return colour
