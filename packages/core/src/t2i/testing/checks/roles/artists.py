"""A declared artist."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import final

from t2i.drawing.artist import Artist
from t2i.drawing.pipeline import pipeline
from t2i.files import cache_home
from t2i.registry.specs import ArtistSpec, load_target
from t2i.testing.checks.artists import ARTIST_CHECKS
from t2i.testing.checks.roles.role import CheckedRole, Section


@final
class Artists(CheckedRole[ArtistSpec]):
    """Artists, each opened with the folder of its tiny model."""

    def sections(self, spec: ArtistSpec, reference: str) -> list[Section]:
        return [Section(f"the artist {spec.name}", ARTIST_CHECKS, _tiny(spec), spec.expected_failures)]

    def check_files(self, spec: ArtistSpec) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "tiny"
            load_target(spec.tiny)(folder)
            assert (folder / spec.marker).is_file(), f"{spec.tiny} must write {spec.marker}, its marker, but does not"

    def make(self, spec: ArtistSpec) -> None:
        _tiny(spec)()

    def says(self, spec: ArtistSpec) -> tuple[dict[str, object], dict[str, object]]:
        return {}, {}


def _tiny(spec: ArtistSpec) -> Callable[[], Artist]:
    """Opens the tiny model, in the cache, only once, because drawing does not change it."""

    @cache
    def make() -> Artist:
        cache_home().mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(dir=cache_home())  # lives as long as `make`
        keep.append(scratch)
        folder = Path(scratch.name) / "tiny"
        load_target(spec.tiny)(folder)
        return pipeline(str(folder), device="cpu")

    keep: list[tempfile.TemporaryDirectory[str]] = []
    return make
