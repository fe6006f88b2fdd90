"""Records pictures as they are written, within milliseconds; an error here never affects the picture."""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, final

from t2i.arguments import is_address
from t2i.cli.console import say
from t2i.errors import T2IError
from t2i.files import sha256_of
from t2i_index.encoder import ENCODER_SHA256
from t2i_index.location import recording_location
from t2i_index.record import Entry, Record, drawn
from t2i_index.thumbnail import thumbnail

if TYPE_CHECKING:
    from t2i.drawing.picture import Picture
    from t2i.language import LanguageModelIdentity
    from t2i_index.store import Store

log = logging.getLogger(__name__)
WAIT_SECONDS = 0.5  # for another process that is writing; after that, the record is kept for later
RETRY_SECONDS = 10.0
MOST_WAITING = 10_000  # records kept for later; of more, the oldest are dropped


def picture_written(path: Path, picture: Picture) -> None:
    """Record a picture in the index, if it is on."""
    where = recording_location()
    if where is not None:
        _recorder(where, os.getpid()).add(_entry(path, picture))


def texts_written(
    question: str, texts: Sequence[str], model: LanguageModelIdentity, seed: int | None, picture: Path | None
) -> None:
    """Record texts in the index, if it is on; with the picture that they describe, if there is one."""
    where = recording_location()
    if where is None:
        return
    record = Record("text", question, model=model.name, seed=seed, time=time.time(), run=run_name(os.getpid()))
    if picture is not None:
        record = replace(record, path=str(picture.absolute()), sha256=sha256_of(picture))
    _recorder(where, os.getpid()).add(*(Entry(replace(record, text=text)) for text in texts))


@cache
def run_name(process: int) -> str:
    """The name of this command, such as "20261126-143000-9f2c": its pictures share it."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def _entry(path: Path, picture: Picture) -> Entry:
    provenance = picture.provenance
    record = replace(
        drawn(provenance),
        path=str(path.absolute()),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        time=time.time(),
        run=run_name(os.getpid()),
    )
    is_ours = ENCODER_SHA256 in provenance.artist.text_encoders.values()
    meaning = picture.sentence.numpy() if is_ours and picture.sentence is not None else None
    return Entry(record, thumbnail(picture.image), meaning)


@cache
def _recorder(where: str, process: int) -> Recorder:
    recorder = Recorder(where)
    atexit.register(recorder.flush, at_exit=True)
    return recorder


@final
class Recorder:
    """Adds entries to a store; those that cannot be written are kept, and added with a later picture."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._store: Store | None = None
        self._waiting: list[Entry] = []
        self._retry_at = 0.0

    def add(self, *entries: Entry) -> None:
        """Add entries now, or keep them for later."""
        self._waiting = [*self._waiting, *entries][-MOST_WAITING:]
        if time.monotonic() >= self._retry_at:
            self.flush()

    def flush(self, at_exit: bool = False) -> None:
        """Add everything that was kept for later; warns if that is not possible."""
        from t2i_index.index import open_store

        if not self._waiting:
            return
        try:
            if self._store is None:
                is_new = not is_address(self._where) and not Path(self._where).exists()
                self._store = open_store(self._where, wait_seconds=WAIT_SECONDS)
                if is_new:
                    say(
                        f"pictures are recorded in {self._where}, so that `t2i search` finds them; nothing leaves this "
                        f"machine. To stop: t2i index off"
                    )
            self._store.add(self._waiting)
            self._waiting = []
        except T2IError as error:
            remedy = ": `t2i index add FOLDER` adds them." if at_exit else " yet."
            log.warning(f"{error} The pictures are written, but {len(self._waiting)} are not in the index{remedy}")
            self._retry_at = time.monotonic() + RETRY_SECONDS
