"""Where the index is, and whether pictures are recorded in it.

The environment variable T2I_INDEX decides if it is set: "off", a file, or a LanceDB folder or address. Otherwise the
index is index.sqlite in the user's data folder, and a file next to it, index.off, switches recording off.
"""

from __future__ import annotations

import os
from pathlib import Path

from t2i.errors import InvalidInputError
from t2i.files import unwritable

VARIABLE, OFF = "T2I_INDEX", "off"


def data_home() -> Path:
    """The folder for files that t2i cannot recreate: t2i in $XDG_DATA_HOME, else in ~/.local/share."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "t2i"


def index_location() -> str:
    """The index to search: T2I_INDEX, or the user's own index if it is unset or "off"."""
    value = os.environ.get(VARIABLE, "").strip()
    return str(data_home() / "index.sqlite") if value.lower() in ("", OFF) else value


def recording_location() -> str | None:
    """The index to record in; None if recording is off."""
    value = os.environ.get(VARIABLE, "").strip()
    is_off = _switch().exists() if not value else value.lower() == OFF
    return None if is_off else index_location()


def switch_recording(on: bool) -> None:
    """Switch recording on or off for all later commands of this user.

    Raises:
        InvalidInputError: T2I_INDEX is set, and takes precedence.
        OutputError: the user's data folder cannot be written.
    """
    value = os.environ.get(VARIABLE, "").strip()
    if value:
        raise InvalidInputError(f"{VARIABLE} is set to {value!r}, so it decides whether to record. Unset it first.")
    try:
        if on:
            _switch().unlink(missing_ok=True)
        else:
            _switch().parent.mkdir(parents=True, exist_ok=True)
            _switch().touch()
    except OSError as error:
        raise unwritable(_switch(), error) from None


def _switch() -> Path:
    return data_home() / "index.off"
