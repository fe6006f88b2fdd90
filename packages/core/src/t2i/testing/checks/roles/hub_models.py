"""A declared model on the Hub; nothing is downloaded."""

from __future__ import annotations

import re
from typing import final

from t2i.registry.discovery import registry
from t2i.registry.specs import ArtistSpec, HubModelSpec
from t2i.testing.checks.check import Checks
from t2i.testing.checks.roles.role import CheckedRole, Section

HUB_MODEL_CHECKS: Checks[HubModelSpec] = Checks()
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@final
class HubModels(CheckedRole[HubModelSpec]):
    """Short names of models on the Hub."""

    def sections(self, spec: HubModelSpec, reference: str) -> list[Section]:
        return [Section(f"the model on the Hub {spec.name}", HUB_MODEL_CHECKS, lambda: spec)]

    def check_files(self, spec: HubModelSpec) -> None:
        pass  # its files are on the Hub

    def make(self, spec: HubModelSpec) -> None:
        registry().get(ArtistSpec, spec.artist)

    def says(self, spec: HubModelSpec) -> tuple[dict[str, object], dict[str, object]]:
        return {}, {}


@HUB_MODEL_CHECKS.add(
    why="`t2i models` and `t2i info` tell people what they would download, and under which licence",
    remedy='give repo as "org/name", and license, size, memory, steps and resolution above 0',
)
def says_what_would_be_downloaded(spec: HubModelSpec) -> None:
    assert REPOSITORY.fullmatch(spec.repo), f"the repository must be org/name, got {spec.repo!r}"
    assert spec.license and spec.summary, f"{spec.name} must have a licence and a summary"
    for what in ("resolution", "size_bytes", "memory_bytes", "steps"):
        assert getattr(spec, what) > 0, f"{what} of {spec.name} must be above 0, got {getattr(spec, what)}"


@HUB_MODEL_CHECKS.add(
    why="the name is of no use without the artist that draws with it",
    remedy="name an ArtistSpec of the same plugin as `artist`",
)
def is_drawn_by_an_installed_artist(spec: HubModelSpec) -> None:
    registry().get(ArtistSpec, spec.artist)
