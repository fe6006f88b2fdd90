"""A picture on a page, with what made it and the commands that draw it again or vary it."""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from t2i.display import printable
from t2i.drawing.formats import FORMATS
from t2i.drawing.provenance import Provenance

NOTE = "note.txt"  # the note on a folder of pictures
SIDES = ("width", "height")  # options of models that can draw larger


@dataclass(frozen=True)
class Shown:
    """What a page shows of one picture.

    Attributes:
        source: the file, embedded.
        prompt: or the file's name, if nothing says how it was made.
        facts: seed, model and options, as a line.
        commands: what each is for, and the command.
        note: a person's.
    """

    source: str
    prompt: str
    facts: str
    commands: tuple[tuple[str, str], ...]
    note: str = ""

    @classmethod
    def of(cls, path: Path, content: bytes, made: Provenance | None, note: str = "") -> Self:
        """The picture in the file at `path`.

        Args:
            content: of the file.
            made: its provenance; None if it has none.
        """
        data = f"data:image/{FORMATS[path.suffix.lower()].lower()};base64,{base64.b64encode(content).decode()}"
        if made is None:
            return cls(data, path.name, "", (), note)
        options = (f"{name} {value}" for name, value in made.options.items())
        facts = printable(", ".join((f"seed {made.seed}", made.artist.name, *options)))
        return cls(data, printable(made.prompt), facts, tuple(commands(path, made)), note)


def commands(path: Path, made: Provenance) -> list[tuple[str, str]]:
    """What can be done with a picture, and the command for it; each word is quoted for a POSIX shell."""
    if made.source is not None:  # an edited one needs the picture that it was made from
        return []
    file = f"./{path}" if str(path).startswith("-") else str(path)
    found = [
        ("the same picture", ["t2i", "regenerate", file, "-o", "again.png"]),
        ("other seeds", ["t2i", "board", "--from", file, "-o", "seeds.png"]),
        ("other words", ["t2i", "board", "other words", "--from", file, "-o", "words.png"]),
    ]
    if all(side in made.options for side in SIDES):
        found.append(("larger", ["t2i", "board", "--from", file, "--larger", "2", "-o", "larger.png"]))
    chosen = [word for name, value in made.options.items() for word in ("--option", f"{name}={json.dumps(value)}")]
    adapters = [word for name in made.artist.adapters for word in ("--lora", name)]
    how = ["--model", made.artist.name, "--seed", str(made.seed), *chosen, *adapters, "-o", "picture.png"]
    found.append(("without its file", ["t2i", "generate", *how, "--", made.prompt]))
    return [(what, printable(shlex.join(words), limit=10_000)) for what, words in found]
