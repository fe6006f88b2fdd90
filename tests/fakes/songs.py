"""A role that t2i does not have, songs: one row and its spec. Plugins import it, so it imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from t2i.registry.roles import Role
from t2i.registry.specs import Spec


@dataclass(frozen=True)
class SongSpec(Spec):
    """A song; `target` names its words."""

    name: str
    target: str
    summary: str


ROLE = Role(
    hook="t2i_songs",
    spec=SongSpec,
    word="song",
    plural="songs",
    summary="Songs.",
    checks="fakes.song_checks:Songs",
    template="song",
)
