"""A picture again, from what it says of itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageChops

from t2i.drawing.artist import Request
from t2i.drawing.picture import Picture
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import ArtistIdentity, read_provenance
from t2i.errors import IntegrityError
from t2i.progress import Say, unsaid
from t2i.registry.names import ModelName


@dataclass(frozen=True)
class Regenerated:
    """A picture made again.

    Attributes:
        picture: under the name its artist had then.
        difference: the largest between this and the original in any channel of any pixel, of 255; 255 if their sizes
            differ.
    """

    picture: Picture
    difference: int


def regenerate(path: Path, *, model: str | None = None, device: str | None = None, warn: Say = unsaid) -> Regenerated:
    """Draw the picture in the PNG at `path` again.

    Args:
        model: where its weights are now, if not under the name it was made with.
        device: by default the one it was made on.
        warn: told which versions are others than then.

    Raises:
        InvalidInputError: the file is no PNG with provenance, or asks for what cannot be.
        IntegrityError: the weights are others than then.
        UnknownNameError, PluginError, SnapshotError: the model cannot be loaded.
    """
    told = read_provenance(path)
    artist = pipeline(model or _pinned(told.artist), device=device or told.artist.device)
    if artist.identity.weights_sha256 != told.artist.weights_sha256:
        raise IntegrityError(
            f"{path} was drawn by weights with the sha256 {told.artist.weights_sha256}, but {artist.name} now holds "
            f"{artist.identity.weights_sha256}. Say where the old ones are: --model FOLDER"
        )
    (again,) = artist.draw([Request(told.prompt, told.seed)], artist.options(**told.options))
    for name, version in told.artist.versions.items():
        here = artist.identity.versions.get(name, "absent")
        if here != version:
            warn(f"it was drawn with {name} {version}; this is {here}")
    with Image.open(path) as original:
        difference = _difference(original.convert("RGB"), again.image)
    if model is None:
        named = replace(again.provenance.artist, name=told.artist.name)
        again = replace(again, provenance=replace(again.provenance, artist=named))
    return Regenerated(again, difference)


def _pinned(artist: ArtistIdentity) -> str:
    """The artist at the commit it had then, wherever its branch points now."""
    return str(ModelName.parse(artist.name).pinned(artist.revision))


def _difference(one: Image.Image, other: Image.Image) -> int:
    if one.size != other.size:
        return 255
    extrema = ImageChops.difference(one, other).getextrema()
    return max(int(high) for _, high in extrema)  # type: ignore[misc]
