"""The licence of each component: its repository's, or that of the repository it was copied from. Imports no torch."""

from __future__ import annotations

import re
from pathlib import Path

from t2i.errors import T2IError
from t2i.files import read_json, read_text
from t2i.hub.download import download
from t2i.hub.layout import CARD, CONFIG, MAX_CONFIG_BYTES
from t2i.hub.listing import ask, license_of
from t2i_diffusers.files.layout import Selection

ORIGIN = "_name_or_path"  # in a component's config: where its authors loaded it from
REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
LICENSE = re.compile(r"^license(?:_name)?:[ \t]*['\"]?([\w.+-]{1,80})", re.MULTILINE)
UNKNOWN = "unknown"


def component_licenses(repo: str, commit: str, selection: Selection, license: str) -> dict[str, str]:  # noqa: A002
    """The licence of each component with weights.

    A config names the repository that its component was copied from, such as a text encoder's; the Hub is asked for
    that repository's licence. If there is none to be found, the component has the licence of the whole.

    Args:
        repo, commit: the pipeline's; the small configs of its components are downloaded.
        license: of the whole.
    """
    found = dict.fromkeys(selection.weights, license)
    configs = {part: f"{part}/{CONFIG}" for part in selection.weights if f"{part}/{CONFIG}" in selection.others}
    if not configs:
        return found
    folder, _ = download(repo, commit, tuple(configs.values()), MAX_CONFIG_BYTES)
    known: dict[str, str] = {repo: license}
    for part, config in configs.items():
        origin = _origin(folder / config)
        if origin and origin not in known:
            known[origin] = _asked(origin)
        if known.get(origin, UNKNOWN) != UNKNOWN:
            found[part] = known[origin]
    return found


def folder_license(folder: Path) -> str:
    """The licence that the model card in a pipeline's folder names, or "unknown"."""
    try:
        text = read_text(folder / CARD, MAX_CONFIG_BYTES)
    except (OSError, ValueError):
        return UNKNOWN
    block = text.split("\n---", 1)[0] if text.startswith("---") else ""
    named = [name for name in LICENSE.findall(block) if name != "other"]
    return named[-1] if named else UNKNOWN


def _origin(config: Path) -> str:
    try:
        values = read_json(config, MAX_CONFIG_BYTES)
    except (OSError, ValueError):
        return ""
    origin = values.get(ORIGIN) if isinstance(values, dict) else None
    return origin if isinstance(origin, str) and REPO.fullmatch(origin) else ""


def _asked(repo: str) -> str:
    try:
        return license_of(ask(repo, None))
    except T2IError:  # a folder's name that looks like a repository, a private one, or no network
        return UNKNOWN
