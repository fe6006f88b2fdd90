"""The complete contract between t2i and a plugin.

A plugin is a light module, named by an entry point in the group "t2i", that sets `T2I_API = 1` and implements any of
these hooks with `@t2i.registry.hookimpl`:

- one hook for each role (`t2i.registry.roles`), without arguments. It only declares: it returns specs, whose targets
  are imported when that name is used;
- the events below, which are called whenever they happen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from t2i.registry import roles
from t2i.registry.specs import Spec

if TYPE_CHECKING:
    from t2i.drawing.picture import Picture
    from t2i.drawing.provenance import Provenance
    from t2i.language import LanguageModelIdentity

API_VERSION = 1
GROUP = "t2i"

hookspec = pluggy.HookspecMarker("t2i")
hookimpl = pluggy.HookimplMarker("t2i")


class Events:
    """What plugins may listen to."""

    @staticmethod
    @hookspec
    def t2i_picture_written(path: Path, provenance: Provenance, picture: Picture) -> None:
        """A picture file has been written completely.

        It is called in the process that wrote it, once for each picture, before the next one is written: return
        quickly. An error is reported once and does not affect the picture.

        Args:
            path: the file.
            provenance: how to recreate it, as recorded in the file.
            picture: the picture itself; `picture.record` says whether the user wants it remembered.
        """

    @staticmethod
    @hookspec
    def t2i_texts_written(
        question: str, texts: Sequence[str], model: LanguageModelIdentity, seed: int | None, picture: Path | None
    ) -> None:
        """A language model has written texts that the user asked for, such as prompts or the caption of a picture.

        Args:
            question: what the user gave: a topic, or a prompt to widen; "" for a caption.
            texts: what was written.
            model: the language model.
            seed: the seed of the whole request; the same seed writes the same texts. None if the model needs none.
            picture: the file that the texts describe, or None.
        """


EVENTS = tuple(name for name in vars(Events) if name.startswith("t2i_"))


def declaring_hooks() -> type:
    """A class with one hook for each role."""
    return type("DeclaringHooks", (), {role.hook: staticmethod(_declaring(role)) for role in roles.ROLES})


def _declaring(role: roles.Role) -> Any:
    def hook() -> Iterable[Spec]:  # type: ignore[empty-body]
        ...

    hook.__name__, hook.__doc__ = role.hook, role.summary
    return hookspec(hook)
