"""The picture that a board varies; by default the board has its prompt, seed, model and options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from t2i.arguments import check_whole_number
from t2i.drawing.artist import Artist
from t2i.drawing.provenance import Provenance, read_provenance
from t2i.drawing.regenerate import artist_of
from t2i.errors import InvalidInputError
from t2i.seeds import MAX_SEED
from t2i_apps.boards.board import Axis
from t2i_apps.boards.shown import SIDES

OTHERS = 4  # seeds drawn if nothing else changes
MOST_TIMES = 16


@dataclass(frozen=True)
class Origin:
    """A drawn picture.

    Attributes:
        path: of its file.
    """

    path: Path
    made: Provenance

    @classmethod
    def read(cls, path: Path) -> Self:
        """
        Raises:
            InvalidInputError: there is no picture with provenance, or it was edited from another picture.
        """
        made = read_provenance(path)
        if made.source is not None:
            raise InvalidInputError(
                f"{path} was edited from another picture, so its prompt and seed are not enough to draw it. Vary a "
                f"picture that was drawn from text alone, or edit that one again with t2i edit."
            )
        return cls(path, made)

    def open(self, *, device: str | None = None, fetch: bool = False) -> Artist:
        """Its artist, with the weights that drew it.

        Args:
            device: by default the one it was drawn on.
            fetch: download the model if it is not on this machine; an untrusted picture may name any model.

        Raises:
            OfflineError, IntegrityError, UnknownNameError, PluginError, SnapshotError: it cannot be loaded.
        """
        artist = artist_of(self.made.artist, str(self.path), device=device, fetch=fetch)
        artist.record = True
        return artist

    @property
    def other_seeds(self) -> Axis:
        """The next OTHERS seeds."""
        first = min(self.made.seed, MAX_SEED - OTHERS) + 1
        return Axis("seed", tuple(range(first, first + OTHERS)))


def larger(artist: Artist, options: Mapping[str, Any], times: int) -> dict[str, Any]:
    """The options with width and height multiplied.

    Args:
        times: 2 to MOST_TIMES.

    Raises:
        InvalidInputError: the model draws in one size only.
    """
    check_whole_number(times, "--larger", 2, MOST_TIMES)
    if not all(side in artist.options_type.model_fields for side in SIDES):
        raise InvalidInputError(
            f"{artist.name} draws at {artist.resolution} pixels only. Models with the options width and height can "
            f"draw larger, such as those of t2i-diffusers."
        )
    return {**options, **{side: times * int(options.get(side) or artist.resolution) for side in SIDES}}
