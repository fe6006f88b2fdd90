"""Draw a picture again from its provenance."""

from __future__ import annotations

import io
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image, ImageChops

from t2i.devices import check_device
from t2i.drawing.artist import Artist, Request
from t2i.drawing.formats import FORMATS, encoded
from t2i.drawing.frame import check_frame, framed
from t2i.drawing.picture import Picture
from t2i.drawing.picture_file import picture_at
from t2i.drawing.pipeline import open_snapshot, pipeline
from t2i.drawing.provenance import ArtistIdentity, Provenance, read_provenance
from t2i.drawing.providers import provider_of
from t2i.errors import IntegrityError, InvalidInputError, OfflineError
from t2i.hub.client import offline
from t2i.progress import Say, unsaid
from t2i.registry.names import ModelName
from t2i.snapshots.resolve import resolve


@dataclass(frozen=True)
class Regenerated:
    """A picture that was drawn again.

    Attributes:
        picture: with the artist's original name in its provenance, unless another model was given.
        difference: the largest difference from the original in any channel of any pixel, in [0, 255]; 255 if the sizes
            differ.
    """

    picture: Picture
    difference: int


def regenerate(
    path: Path,
    *,
    model: str | None = None,
    device: str | None = None,
    fetch: bool = False,
    warn: Say = unsaid,
) -> Regenerated:
    """Draw the picture in the file at `path` again.

    Args:
        model: the model with its weights; by default the one named in the picture.
        device: by default the one it was drawn on.
        fetch: download the model if it is not on this machine; an untrusted picture may name any model.
        warn: called with each version that differs.

    Raises:
        InvalidInputError: the file is not a picture with provenance, or its request is invalid.
        OfflineError: the model is not on this machine, and `fetch` is false.
        IntegrityError: the weights differ from the original ones; they are not loaded.
        UnknownNameError, PluginError, SnapshotError: the model cannot be loaded.
    """
    recorded = read_provenance(path)
    again = redraw(recorded, str(path), model=model, device=device, fetch=fetch)
    for name, version in recorded.artist.versions.items():
        here = again.provenance.artist.versions.get(name, "no version of it")
        if here != version:
            warn(f"it was drawn with {name} {version}, and this machine has {here}")
    with picture_at(path) as original:
        suffix = next(suffix for suffix, name in FORMATS.items() if name == original.format)
        stored = io.BytesIO(encoded(again.image, suffix))  # JPEG compression changes pixels, but deterministically
        with Image.open(stored) as compressed:
            difference = _difference(original.convert("RGB"), compressed.convert("RGB"))
    return Regenerated(again, difference)


def redraw(
    recorded: Provenance, what: str, *, model: str | None = None, device: str | None = None, fetch: bool = False
) -> Picture:
    """Draw a picture again from its provenance alone; its own provenance has the artist's original name, or that of
    `model`.

    Args:
        what: the picture's file or place, for messages.
        model, device, fetch: as in `regenerate`.

    Raises:
        InvalidInputError, OfflineError, IntegrityError, UnknownNameError, PluginError, SnapshotError: as `regenerate`.
    """
    if recorded.source is not None:
        raise InvalidInputError(
            f"{what} was edited from another picture, with the sha256 {recorded.source.sha256}, so it cannot be drawn "
            f"from its provenance alone. Edit that picture again: t2i edit PICTURE {recorded.prompt!r} "
            f"--model {recorded.artist.name} --seed {recorded.seed}"
        )
    frame = recorded.frame and check_frame(recorded.frame.padding, recorded.frame.background)
    artist = artist_of(recorded.artist, what, model=model, device=device, fetch=fetch)
    (drawn,) = artist.draw(
        [Request(recorded.prompt, recorded.seed, recorded.widened)], artist.options(**recorded.options)
    )
    again = framed(drawn, frame)
    if model is not None:
        return again
    named = replace(again.provenance.artist, name=recorded.artist.name)
    return replace(again, provenance=replace(again.provenance, artist=named))


def artist_of(
    recorded: ArtistIdentity, what: str, *, model: str | None = None, device: str | None = None, fetch: bool = False
) -> Artist:
    """The artist that a picture names, with the weights that drew it.

    Args:
        what: the picture's file or place, for messages.
        model, device, fetch: as in `regenerate`.

    Raises:
        InvalidInputError, OfflineError, IntegrityError, UnknownNameError, PluginError, SnapshotError: as `regenerate`.
    """
    check_device(device or recorded.device)
    with nullcontext() if fetch or model else offline():
        try:
            return _artist(what, recorded, model or _pinned(recorded), device or recorded.device)
        except OfflineError as error:
            if fetch or model:
                raise
            raise OfflineError(
                f"{what} names the model {recorded.name}, and it or its text encoder is not on this machine. If "
                f"you trust whoever made the picture, download it: --fetch ({error})"
            ) from None


def _artist(what: str, recorded: ArtistIdentity, model: str, device: str) -> Artist:
    """The artist, whose weights' sha256 is compared before they are loaded, and before they are downloaded."""

    def check(found: str) -> None:
        if found != recorded.weights_sha256:
            raise IntegrityError(
                f"{what} was drawn by weights with the sha256 {recorded.weights_sha256}, but {model} now has {found}. "
                f"Draw it with the original weights: t2i regenerate PICTURE --model FOLDER"
            )

    name = ModelName.parse(model)
    if provider_of(name) is None:
        snapshot = resolve(model, recorded.weights_sha256 if name.kind == "hub" else None)
        check(snapshot.config.weights_sha256)
        return open_snapshot(snapshot, check_device(device))
    artist = pipeline(model, device=device, adapters=tuple(recorded.adapters))
    check(artist.identity.weights_sha256)
    if artist.identity.adapters != recorded.adapters:
        raise IntegrityError(
            f"{what} was drawn with the adapters {dict(recorded.adapters)}, but they now are "
            f"{dict(artist.identity.adapters)}. Put the original files back at the paths named."
        )
    return artist


def _pinned(artist: ArtistIdentity) -> str:
    """The artist's name at its recorded commit, whatever its branch points to now."""
    return str(ModelName.parse(artist.name).pinned(artist.revision))


def _difference(one: Image.Image, other: Image.Image) -> int:
    if one.size != other.size:
        return 255
    extrema = ImageChops.difference(one, other).getextrema()
    return max(int(high) for _, high in extrema)  # type: ignore[misc]
