"""A role that t2i does not have, songs: one row, its spec and its checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from t2i.registry.roles import Role
from t2i.registry.specs import Spec, load_target
from t2i.testing.checks.check import Checks
from t2i.testing.checks.roles.role import CheckedRole, Section

SONG_CHECKS: Checks[str] = Checks()


@dataclass(frozen=True)
class SongSpec(Spec):
    """A song; `target` names its words."""

    name: str
    target: str
    summary: str


@final
class Songs(CheckedRole[SongSpec]):
    """Songs."""

    def sections(self, spec: SongSpec, reference: str) -> list[Section]:
        return [Section(f"the song {spec.name}", SONG_CHECKS, lambda: load_target(spec.target))]

    def targets(self, spec: SongSpec) -> list[str]:
        return [spec.target]

    def check_files(self, spec: SongSpec) -> None:
        pass

    def make(self, spec: SongSpec) -> None:
        load_target(spec.target)

    def says(self, spec: SongSpec) -> tuple[dict[str, object], dict[str, object]]:
        return {}, {}


@SONG_CHECKS.add(why="nobody can sing it", remedy="write some words")
def has_words(song: str) -> None:
    assert song, "a song has words, but this one has none"


ROLE = Role(
    hook="t2i_songs",
    spec=SongSpec,
    word="song",
    plural="songs",
    summary="Songs.",
    checks="fakes.songs:Songs",
    template="song",
)
