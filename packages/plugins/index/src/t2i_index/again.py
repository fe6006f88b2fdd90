"""Draws a recorded picture again, without its file."""

from __future__ import annotations

from dataclasses import replace

from pydantic import TypeAdapter, ValidationError

from t2i.drawing.artist import Request
from t2i.drawing.picture import Picture
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import ArtistIdentity, Widened
from t2i.errors import IntegrityError, InvalidInputError
from t2i.registry.names import ModelName
from t2i_index.record import Record


def draw_again(record: Record, *, device: str | None = None) -> Picture:
    """Draw the picture of this record again.

    Args:
        device: by default the one it was drawn on.

    Raises:
        InvalidInputError: it is a text, or a picture of another program.
        IntegrityError: the weights have changed.
        UnknownNameError, PluginError, SnapshotError: the model cannot be loaded.
    """
    if record.kind != "picture" or record.source != "t2i" or not record.artist or record.seed is None:
        raise InvalidInputError(
            f"Only a picture drawn by t2i can be drawn again, but this is a {record.kind} of {record.source}."
        )
    try:
        recorded = TypeAdapter(ArtistIdentity).validate_python(dict(record.artist))
        widened = TypeAdapter(Widened).validate_python(dict(record.widened)) if record.widened else None
    except ValidationError as error:
        raise InvalidInputError(f"Record {record.id} of the index is damaged ({error.error_count()} fields).") from None
    artist = pipeline(str(ModelName.parse(recorded.name).pinned(recorded.revision)), device=device or recorded.device)
    if artist.identity.weights_sha256 != recorded.weights_sha256:
        raise IntegrityError(
            f"The picture was drawn by weights with the sha256 {recorded.weights_sha256}, but {artist.name} now has "
            f"{artist.identity.weights_sha256}. Install the version that it was drawn with: {dict(recorded.versions)}"
        )
    (again,) = artist.draw([Request(record.prompt, record.seed, widened)], artist.options(**record.options))
    named = replace(again.provenance.artist, name=recorded.name)
    return replace(again, provenance=replace(again.provenance, artist=named))
