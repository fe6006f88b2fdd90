"""The metadata of installed distributions, read without importing or trusting any of them.

Reading takes most of the time of finding plugins, so only distributions with a t2i entry point are read, and only
the head of their METADATA: after the first empty line comes the readme.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from email.parser import HeaderParser
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

UNREADABLE = "?"  # the entry point of a distribution whose entry points cannot be read
REQUIRES_CORE = re.compile(r"t2i[-_.]+core(?![\w.-])", re.IGNORECASE)
# Parsed without `packaging`, whose import takes a tenth of the time of `t2i models`.
PLAIN = re.compile(r"[\w.-]+ *\(?([^;@()\[\]]*)\)?")
RELEASE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})*")
BOUND = re.compile(rf"(>=|<)({RELEASE.pattern})")
OF_AN_EXTRA = re.compile(r".*; *extra *== *(['\"])[\w.-]+\1")


@dataclass(frozen=True)
class Facts:
    """The head of a distribution's METADATA.

    Attributes:
        name, version: as installed; if missing in the head, the name of its folder and "?".
        requires_core: its requirements on t2i-core.
        problem: why the metadata cannot be trusted, or "".
    """

    name: str
    version: str
    requires_core: tuple[str, ...] = ()
    problem: str = ""


def entry_points(group: str) -> list[tuple[EntryPoint, Distribution]]:
    """Each distribution's entry points of `group`, ordered by name; once, even if a folder is on sys.path twice.

    If a distribution's entry points cannot be read, it has one called UNREADABLE.
    """
    found: dict[tuple[str, str], tuple[EntryPoint, Distribution]] = {}
    for distribution in distributions():
        entries = _of_group(distribution, group)
        if not entries:
            continue
        name = facts(distribution).name
        for entry in entries:
            found.setdefault((entry.name, name), (entry, distribution))
    return [found[key] for key in sorted(found)]


def facts(distribution: Distribution) -> Facts:
    """The facts in the metadata of `distribution`."""
    folder = PurePath(str(getattr(distribution, "_path", "?"))).name.partition("-")[0]
    try:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO")
    except (OSError, UnicodeError) as error:
        return Facts(folder, "?", problem=f"its METADATA cannot be read ({type(error).__name__})")
    if not text:
        return Facts(folder, "?", problem="it has no METADATA")
    name, version, requires = _head(text.partition("\n\n")[0])
    missing = " and ".join(what for what, value in (("name", name), ("version", version)) if not value)
    return Facts(name or folder, version or "?", requires, f"its METADATA gives no {missing}" if missing else "")


@cache
def _head(text: str) -> tuple[str, str, tuple[str, ...]]:
    """The name, the version and the requirements on t2i-core in the head of a METADATA; "" for what is missing."""
    head = HeaderParser().parsestr(text)
    name, version = (str(head[key] or "").strip() for key in ("Name", "Version"))
    requires = tuple(str(line) for line in head.get_all("Requires-Dist") or () if REQUIRES_CORE.match(str(line)))
    return name, version, requires


def editable_source(distribution: Distribution) -> str:
    """The folder of an editable installation (pip install -e); "" for others."""
    import json
    from urllib.parse import unquote, urlparse

    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        editable = origin.get("dir_info", {}).get("editable") is True
        return unquote(urlparse(origin["url"]).path) if editable else ""
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""


def installed_twice(group: str) -> dict[str, list[str]]:
    """The metadata folders of each distribution with entry points of `group` that has several, by its name."""
    folders: dict[str, dict[str, None]] = {}
    for distribution in distributions():
        if _of_group(distribution, group):
            folder = os.path.realpath(str(getattr(distribution, "_path", "?")))
            folders.setdefault(facts(distribution).name.lower().replace("_", "-"), {})[folder] = None
    return {name: list(found) for name, found in folders.items() if len(found) > 1}


@dataclass(frozen=True)
class Unmet:
    """Why this core does not satisfy a plugin; `newer`: the plugin needs a newer core."""

    reason: str
    newer: bool


@cache
def unmet(requirement: str, core_version: str) -> Unmet | None:
    """What is wrong with `requirement`, such as "t2i-core>=0.1,<0.2", on this core; None if it is met."""
    if OF_AN_EXTRA.fullmatch(requirement) or _in_plain_range(requirement, core_version):
        return None
    from packaging.specifiers import SpecifierSet
    from packaging.version import Version

    try:
        plain = PLAIN.fullmatch(requirement)
        specifier = SpecifierSet(plain[1]) if plain else _specifier(requirement)
    except ValueError:
        return Unmet(f"its requirement {requirement!r} cannot be read", newer=False)
    if specifier.contains(core_version, prereleases=True):
        return None
    floors = [part.version for part in specifier if part.operator in (">=", ">", "~=", "==")]
    newer = any(Version(floor.removesuffix(".*")) > Version(core_version) for floor in floors)
    return Unmet(f"it requires t2i-core{specifier}, and this is {core_version}", newer)


def _in_plain_range(requirement: str, version: str) -> bool:
    """Whether the requirement is a range of releases that holds the version; False also if `packaging` must decide."""
    plain = PLAIN.fullmatch(requirement)
    bounds = [BOUND.fullmatch(part) for part in plain[1].split(",")] if plain else []
    if not bounds or not all(bounds) or not RELEASE.fullmatch(version):
        return False
    own = _numbers(version)
    return all((own < _numbers(bound[2])) == (bound[1] == "<") for bound in bounds if bound)


def _numbers(release: str) -> list[int]:
    """[0, 1] for "0.1" and "0.1.0"."""
    numbers = [int(number) for number in release.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def _specifier(requirement: str) -> SpecifierSet:
    """The versions of a requirement with a marker, extras or an address; all versions if its marker is false.

    Raises:
        ValueError: it is not a valid requirement.
    """
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet

    parsed = Requirement(requirement)
    holds = parsed.marker is None or parsed.marker.evaluate({"extra": ""})
    return parsed.specifier if holds else SpecifierSet()


def _of_group(distribution: Distribution, group: str) -> tuple[EntryPoint, ...]:
    try:
        text = distribution.read_text("entry_points.txt") or ""
    except Exception:  # not UTF-8, or unreadable: any package may be installed
        return ()
    if f"[{group}]" not in text:
        return ()
    try:
        entries = tuple(distribution.entry_points.select(group=group))
        [entry.module for entry in entries]  # raises if a value is not an object reference
    except Exception:
        return (EntryPoint(UNREADABLE, "", group),)
    return entries
