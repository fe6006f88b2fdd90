"""The names of models, parsed only here::

    technique                     its first pretrained weights; if no weights are loaded, the technique itself
    technique.tag                 registered pretrained weights
    name                          a well-known model on the Hub, such as sd-turbo
    hf-hub:org/repo[@revision]    a snapshot on the Hub
    local-dir:path                the folder of a snapshot or a run
    path                          the same

A path is recognised by its separator. A word without one is a registered name if a plugin declares it, so that it means
the same model in every directory, and otherwise a folder of that name if it exists.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from t2i.arguments import check_text
from t2i.errors import InvalidInputError, UnknownNameError, did_you_mean
from t2i.registry.discovery import registry
from t2i.registry.specs import NAME, HubModelSpec, ModelSpec, WeightsSpec

HUB, FOLDER = "hf-hub", "local-dir"


@dataclass(frozen=True)
class ModelName:
    """A parsed model name.

    Attributes:
        text: the name as given; also the result of `str`.
        kind: the kind of name; it decides which of the following are set.
        technique, tag: of a "registered" name; the tag may be "".
        repo, revision: of a name on the "hub"; the revision may be "". `t2i.hub` checks that they are valid.
        known: the spec of a short name on the "hub"; None for others.
        folder: of a "folder": a snapshot or a run; it need not exist.
    """

    text: str
    kind: Literal["registered", "hub", "folder"]
    technique: str = ""
    tag: str = ""
    repo: str = ""
    revision: str = ""
    folder: Path = Path()
    known: HubModelSpec | None = None

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """Parse the name in `text`, without checking that such a model exists.

        Raises:
            InvalidInputError: it is not a string, or begins with an unknown prefix.
        """
        prefix, colon, rest = check_text(text, "A model's name").partition(":")
        if colon and prefix == HUB:
            repo, _, revision = rest.partition("@")
            return cls(text, "hub", repo=repo, revision=revision)
        if colon and prefix == FOLDER:
            return cls(text, "folder", folder=Path(rest))
        is_folder = os.path.isdir(text)  # noqa: PTH112 (Path.is_dir raises on a name too long for the disk)
        if {os.sep, os.altsep, "/"} & {*text}:
            if colon and NAME.fullmatch(prefix) and not is_folder:
                raise _no_such_prefix(prefix, text)
            return cls(text, "folder", folder=Path(text))
        if is_folder and not any((role, text) in registry().claims for role in (ModelSpec, WeightsSpec, HubModelSpec)):
            return cls(text, "folder", folder=Path(text))
        if colon:
            raise _no_such_prefix(prefix, text)
        if (HubModelSpec, text) in registry().claims:
            known, _ = registry().get(HubModelSpec, text)
            return cls(text, "hub", repo=known.repo, revision=known.revision, known=known)
        technique, _, tag = text.partition(".")
        return cls(text, "registered", technique, tag)

    @classmethod
    def on_hub(cls, repo: str, revision: str = "") -> ModelName:
        """The name of a repository, at a branch, tag or commit if one is given."""
        return cls.parse(f"{HUB}:{repo}@{revision}" if revision else f"{HUB}:{repo}")

    def pinned(self, revision: str) -> ModelName:
        """A Hub name pinned to this revision; other names, and any name if `revision` is "", are unchanged."""
        return ModelName.on_hub(self.repo, revision) if self.kind == "hub" and revision else self

    def __str__(self) -> str:
        return self.text


def check_folder(path: Path) -> None:
    """
    Raises:
        UnknownNameError: a model's folder does not exist.
    """
    if not os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises on a name too long for the disk)
        raise UnknownNameError(f"There is no folder {path}. Give a run folder, a snapshot or a model's name.")


def _no_such_prefix(prefix: str, text: str) -> InvalidInputError:
    return InvalidInputError(
        f"A model is named technique[.tag], {HUB}:org/repo[@revision], {FOLDER}:path or by a path, but {text!r} begins "
        f"with {prefix + ':'!r}.{did_you_mean(prefix, (HUB, FOLDER))}"
    )
