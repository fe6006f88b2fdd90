"""The record of one picture or text in the index."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from t2i.drawing.provenance import Provenance

Kind = Literal["picture", "text"]
LATEST = 253_370_764_800.0  # the year 9999: calendars of Python end there


def hashed(thing: str | bytes) -> int:
    """A hash of a text or a thumbnail, as an integer that SQLite can store."""
    content = thing.encode("utf-8", "backslashreplace") if isinstance(thing, str) else thing
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little", signed=True)


@dataclass(frozen=True)
class Record:
    """One picture or text.

    Attributes:
        kind: "picture" or "text".
        prompt: what was drawn, or what a language model was asked; "" for a text from a file and a caption.
        text: what was written; "" for a picture.
        model: name of the artist or language model, or "".
        seed: in [0, 2**63), or None if unknown.
        options: the model's options.
        artist: the ArtistIdentity as recorded in provenance; empty if the picture is not one of t2i.
        widened: how a language model wrote the prompt, as in `t2i.drawing.provenance.Widened`; empty if it did not.
        edited: the picture that it was made from, as in `t2i.drawing.provenance.Source`; empty if there is none.
        frame: the padding around it, as in `t2i.drawing.provenance.Frame`; empty if there is none.
        score: any number that a person or an evaluator gave; higher is better.
        path, sha256: the picture's file, absolute, and its hash; for a caption those of the picture that it describes;
            for another text the file it comes from, without a hash.
        time: when it was made, in seconds since 1970, 0 to LATEST.
        run: the command that made it; pictures of one command share it.
        source: the program that made it: "t2i", "a1111", "invokeai", "comfyui" or "file".
        id: its number in the store; 0 if it is not stored.
    """

    kind: Kind
    prompt: str
    text: str = ""
    model: str = ""
    seed: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    artist: Mapping[str, Any] = field(default_factory=dict, hash=False)
    widened: Mapping[str, Any] = field(default_factory=dict, hash=False)
    edited: Mapping[str, Any] = field(default_factory=dict, hash=False)
    frame: Mapping[str, Any] = field(default_factory=dict, hash=False)
    score: float | None = None
    path: str = ""
    sha256: str = ""
    time: float = 0.0
    run: str = ""
    source: str = "t2i"
    id: int = 0

    @property
    def typed(self) -> str:
        """The prompt as the user typed it, if a language model widened it; else ""."""
        return str(self.widened.get("typed", ""))

    @property
    def words(self) -> str:
        """The text for a search by words."""
        return "\n".join(filter(None, (self.prompt, self.typed, self.text)))

    @property
    def meaning(self) -> str:
        """The text for a search by meaning."""
        return self.text or self.prompt

    @property
    def key(self) -> bytes:
        """16 bytes that are equal for the same picture, the same caption of it, or the same text of the same origin."""
        parts: list[str] = [self.kind, self.path, self.sha256, self.text]
        if self.kind == "text" and not self.sha256:
            parts += [self.prompt, self.model, str(self.seed)]
        return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def within_calendar(seconds: float) -> float:
    """The time, or the nearest that a record may have: some file systems let anybody set it to a billion years."""
    return min(max(seconds, 0.0), LATEST)


def drawn(provenance: Provenance) -> Record:
    """The record of a picture with this provenance, without its file, time and run."""
    return Record(
        kind="picture",
        prompt=provenance.prompt,
        model=provenance.artist.name,
        seed=provenance.seed,
        options=provenance.options,
        artist=asdict(provenance.artist),
        widened=asdict(provenance.widened) if provenance.widened else {},
        edited=asdict(provenance.source) if provenance.source else {},
        frame=asdict(provenance.frame) if provenance.frame else {},
    )


@dataclass(frozen=True)
class Entry:
    """A record to add.

    Attributes:
        thumbnail: a small WebP, or b"".
        meaning: [384], the unit vector of `record.meaning` by MiniLM, of which the store needs one for each text; None
            to compute it when it is needed.
    """

    record: Record
    thumbnail: bytes = b""
    meaning: NDArray[np.floating[Any]] | None = field(default=None, hash=False, compare=False)
