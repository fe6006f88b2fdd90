"""`t2i new`: a small plugin project whose tests pass before anything is edited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from t2i.cli.console import say, warn
from t2i.errors import InvalidInputError, did_you_mean
from t2i.registry import API_VERSION, catalogue, roles
from t2i.registry.discovery import discover
from t2i.registry.roles import Role
from t2i.registry.specs import ModelSpec
from t2i.version import __version__

NAME = re.compile("[a-z][a-z0-9]*(-[a-z0-9]+)*")
MOST_CHARACTERS = 20  # what the templates' lines have room for
SUFFIX = ".tmpl"
RESERVED = ("core",)  # t2i-core is the core package


def kinds() -> dict[str, Role]:
    """The roles that have a template, by the name of its folder in t2i/templates."""
    return {role.template: role for role in roles.ROLES if role.template}


def new(
    name: Annotated[
        str, typer.Argument(help="Your plugin's name, such as my-technique; the distribution is t2i-my-technique.")
    ],
    kind: Annotated[str, typer.Option(help=f"What the plugin adds: {', '.join(kinds())}.")] = "generator",
    out: Annotated[Path | None, typer.Option(help="The new folder. Default: t2i-NAME.")] = None,
) -> None:
    """Write a small plugin project with a working toy that you replace with your own code."""
    from t2i.files import atomic_folder

    name, role = check_name(name), check_kind(kind)
    folder = out or Path(f"t2i-{name}")
    project = render(name, role)
    with atomic_folder(folder) as scratch:
        for path, text in project.items():
            target = scratch / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    for warning in _clashes(name, role):
        warn(warning)
    say(
        f"{folder} is a plugin. Try it:",
        f"  cd {folder}",
        '  pip install -e ".[test]"',
        "  pytest",
        f"  t2i check {name}",
        f"Then replace the toy with your own code: src/{_package(name)}/{_module(role)}.py",
    )


def check_name(name: str) -> str:
    """The name without a leading "t2i-".

    Raises:
        InvalidInputError: it cannot name a distribution, a package and a registered thing at once.
    """
    short = name.removeprefix("t2i-")
    if not NAME.fullmatch(short) or len(short) > MOST_CHARACTERS:
        raise InvalidInputError(
            f"A plugin's name must be words of lower-case letters and digits, joined by single hyphens, begin with a "
            f"letter, and have at most {MOST_CHARACTERS} characters, got {name!r}. Try {_nearest(name)!r}."
        )
    if short in RESERVED:
        raise InvalidInputError(f"t2i-{short} is t2i's own distribution. Choose another name.")
    return short


def check_kind(kind: str) -> Role:
    """The role of that kind.

    Raises:
        InvalidInputError: there is no template for it.
    """
    if kind not in kinds():
        raise InvalidInputError(
            f"--kind must be one of {', '.join(kinds())}, got {kind!r}.{did_you_mean(kind, kinds())}"
        )
    return kinds()[kind]


def render(name: str, role: Role) -> dict[str, str]:
    """Every file of the project, by its path."""
    major, minor = __version__.split(".")[:2]
    encoder = '\n    "t2i-text-hf",  # without a text encoder nothing is trained or drawn'
    values = {
        "name": name,
        "distribution": f"t2i-{name}",
        "package": _package(name),
        "prefix": "".join(word.capitalize() for word in name.split("-")),
        "summary": f"The {role.word} {name}",
        "core_range": f">={major}.{minor},<{major}.{int(minor) + 1}",
        "encoder": encoder if role.spec is ModelSpec else "",
        "api": str(API_VERSION),
        "year": str(date.today().year),
    }
    places = {"PACKAGE": values["package"], "MODULE": name.replace("-", "_")}
    project = {}
    for source in ("common", role.template):
        for path, text in _texts(files("t2i") / "templates" / source):
            for word, value in places.items():
                path = path.replace(word, value)
            project[path] = Template(text).substitute(values)
    return project


def _texts(folder: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of every template below `folder`, without the suffix."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _texts(entry, f"{above}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield above + entry.name.removesuffix(SUFFIX), entry.read_text(encoding="utf-8")


def _clashes(name: str, role: Role) -> Iterator[str]:
    """A sentence for each thing that has this name already."""
    found = discover()
    for plugin, _ in found.claims.get((role.spec, name), ())[:1]:
        yield f"{plugin.distribution} already declares the {role.word} {name!r}; if both are installed, they clash"
    distributions = {plugin.distribution for plugin in found.plugins}
    distributions |= {known.distribution for known in catalogue.KNOWN_PLUGINS}
    if f"t2i-{name}" in distributions:
        yield f"the distribution t2i-{name} already exists; installing yours would replace it"


def _package(name: str) -> str:
    return f"t2i_{name.replace('-', '_')}"


def _module(role: Role) -> str:
    return role.template.replace("-", "_")


def _nearest(name: str) -> str:
    """A valid name made of the given one."""
    words = re.findall("[a-z0-9]+", name.lower())
    return "-".join(words).lstrip("0123456789-")[:MOST_CHARACTERS].strip("-").removeprefix("t2i-") or "my-technique"
