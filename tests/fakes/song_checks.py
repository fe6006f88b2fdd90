"""The checks of songs."""

from __future__ import annotations

from typing import final

from fakes.songs import SongSpec
from t2i.registry.specs import load_target
from t2i.testing.checks.check import Checks
from t2i.testing.checks.roles.role import CheckedRole, Section

SONG_CHECKS: Checks[str] = Checks()


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
