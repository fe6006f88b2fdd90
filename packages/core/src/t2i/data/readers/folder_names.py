"""What the names of a user's folders say of the pictures in them: captions, groups and repeats."""

from __future__ import annotations

import math
import posixpath
import re
from collections import Counter
from collections.abc import Collection, Sequence

from t2i.data.readers.findings import Findings

_MEANINGLESS = frozenset(
    {
        "images",
        "image",
        "imgs",
        "img",
        "pictures",
        "picture",
        "photos",
        "photo",
        "pics",
        "data",
        "dataset",
        "files",
        "raw",
        "train",
        "training",
        "test",
        "testing",
        "val",
        "valid",
        "validation",
        "dev",
        "eval",
    }
)
_SHARD = re.compile(r"\d{3,}")  # 00000/, as img2dataset writes it
_KOHYA = re.compile(r"([1-9]\d{0,3})_(.+)")  # 10_sks dog/: how often the pictures are repeated, and the caption
_SHOWN = 3  # captions in a sentence


def captions_from_folders(pictures: Sequence[str], found: Findings) -> dict[str, Sequence[object]]:
    """The name of each picture's folder as its caption, where that is plainly meant, and says so.

    It is if there are two names or more, or if the folders are named as kohya's trainer names them. Names such as
    `images` or `00000` say nothing; then the folder above counts.
    """
    captions = {name: _meaning(posixpath.dirname(name)) for name in pictures}
    spoken = sorted({caption for caption in captions.values() if caption})
    if len(spoken) < 2 and not _repeats(captions):
        for name in pictures:
            file = f"{posixpath.splitext(posixpath.basename(name))[0]}.txt"
            folder = posixpath.dirname(name)
            reason = f", and the name of its folder {folder} alone is no caption" if folder else ""
            found.leave_out(name, f"it has no caption file {file}{reason}")
        return {}
    for name, caption in captions.items():
        if not caption:
            folder = posixpath.dirname(name)
            found.leave_out(name, f"its folder {folder} says nothing" if folder else "it is not in a class sub-folder")
    shown = ", ".join(map(repr, spoken[:_SHOWN]))
    more = f" and {len(spoken) - _SHOWN:,} more" if len(spoken) > _SHOWN else ""
    found.remark(f"There are no caption files, so the folders' names are the captions: {shown}{more}.")
    return {name: [caption] for name, caption in captions.items() if caption}


def groups_of(names: Sequence[str]) -> dict[str, str]:
    """Each captioned picture's group: its folder, or its own name if that says nothing.

    It says nothing if all pictures lie in it, or if it is called `images`, `00000` or the like.
    """
    folders = {name: posixpath.dirname(name) for name in names}
    alone = len(set(folders.values())) == 1
    return {
        name: name if alone or not folder or _says_nothing(posixpath.basename(folder)) else folder
        for name, folder in folders.items()
    }


def repeats_of(pictures: Collection[str], found: Findings) -> dict[str, int]:
    """How often training sees each picture, where every folder is named as kohya's trainer names it; says so."""
    repeats = _repeats(pictures)
    if len(set(repeats.values())) < 2:
        return {}
    shared = math.gcd(*repeats.values())
    folders = Counter(posixpath.dirname(name) for name in pictures)
    told = ", ".join(f"{folder} x{_number(folder) // shared}" for folder in sorted(folders))
    found.remark(f"The folders' names give repeats, as for kohya's trainer: {told}.")
    return {name: count // shared for name, count in repeats.items()}


def _repeats(pictures: Collection[str]) -> dict[str, int]:
    """The number in the name of each picture's folder; empty if one has none."""
    numbers = {name: _number(posixpath.dirname(name)) for name in pictures}
    return numbers if numbers and all(numbers.values()) else {}


def _number(folder: str) -> int:
    found = _KOHYA.fullmatch(posixpath.basename(folder))
    return int(found[1]) if found else 0


def _meaning(folder: str) -> str:
    """The caption that a folder's name, or else the nearest one above it that says something, gives; "" if none."""
    while folder:
        base = posixpath.basename(folder)
        if not _says_nothing(base):
            named = _KOHYA.fullmatch(base)
            return " ".join((named[2] if named else base).replace("_", " ").replace("-", " ").split())
        folder = posixpath.dirname(folder)
    return ""


def _says_nothing(base: str) -> bool:
    return base.lower() in _MEANINGLESS or bool(_SHARD.fullmatch(base))
