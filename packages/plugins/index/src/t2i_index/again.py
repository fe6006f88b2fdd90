"""Draws a recorded picture again, without its file."""

from __future__ import annotations

from pydantic import ValidationError

from t2i.drawing.picture import Picture
from t2i.drawing.provenance import provenance_type
from t2i.drawing.regenerate import redraw
from t2i.errors import InvalidInputError
from t2i_index.record import Record


def draw_again(record: Record, *, device: str | None = None, fetch: bool = False) -> Picture:
    """Draw the picture of this record again.

    Args:
        device: by default the one it was drawn on.
        fetch: download the model if it is not on this machine; the picture's metadata decide which model that is.

    Raises:
        InvalidInputError: it is a text, a picture of another program, or edited from another picture.
        OfflineError: the model is not on this machine, and `fetch` is false.
        IntegrityError: the weights have changed.
        UnknownNameError, PluginError, SnapshotError: the model cannot be loaded.
    """
    if record.kind != "picture" or record.source != "t2i" or not record.artist or record.seed is None:
        raise InvalidInputError(
            f"Only a picture drawn by t2i can be drawn again, but this is a {record.kind} of {record.source}."
        )
    facts = {
        "prompt": record.prompt,
        "seed": record.seed,
        "options": record.options,
        "artist": record.artist,
        "widened": record.widened or None,
        "source": record.edited or None,
        "frame": record.frame or None,
    }
    try:
        provenance = provenance_type().validate_python(facts)
    except ValidationError as error:
        raise InvalidInputError(
            f"Record {record.id} of the index is damaged ({error.error_count()} fields). Add its picture again."
        ) from None
    return redraw(provenance, record.path, device=device, fetch=fetch)
