"""Captions, groups and repeats from the names of a user's folders."""

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
_SHARD = re.compile(r"\d{3,}")  # 00000/, as written by img2dataset
_KOHYA = re.compile(r"([1-9]\d{0,3})_(.+)")  # 10_sks dog/: the number of repeats, and the caption
_SHOWN = 3  # captions in a sentence


def captions_from_folders(pictures: Sequence[str], found: Findings) -> dict[str, Sequence[object]]:
    """The name of each picture's folder as its caption, if that is clearly intended.

    It is if there are at least two names, or if they follow the convention of kohya's trainer. Names such as `images`
    or `00000` are ignored, and the folder above is used. Records a remark.
    """
    captions = {name: _meaning(posixpath.dirname(name)) for name in pictures}
    spoken = sorted({caption for caption in captions.values() if caption})
    if len(spoken) < 2 and not _repeats(captions):
        for name in pictures:
            file = f"{posixpath.splitext(posixpath.basename(name))[0]}.txt"
            folder = posixpath.dirname(name)
            reason = f", and a single folder's name, {folder}, is not used as a caption" if folder else ""
            found.leave_out(name, f"it has no caption file {file}{reason}")
        return {}
    for name, caption in captions.items():
        if not caption:
            folder = posixpath.dirname(name)
            reason = f"its folder {folder} has no usable name" if folder else "it is not in a class sub-folder"
            found.leave_out(name, reason)
    shown = ", ".join(map(repr, spoken[:_SHOWN]))
    more = f" and {len(spoken) - _SHOWN:,} more" if len(spoken) > _SHOWN else ""
    found.remark(f"There are no caption files, so the folders' names are the captions: {shown}{more}.")
    return {name: [caption] for name, caption in captions.items() if caption}


def groups_of(names: Sequence[str]) -> dict[str, str]:
    """Each captioned picture's group: its folder or its own name.

    It is the picture's own name if the folder contains all pictures, or has a name like `images` or `00000`.
    """
    folders = {name: posixpath.dirname(name) for name in names}
    alone = len(set(folders.values())) == 1
    return {
        name: name if alone or not folder or _says_nothing(posixpath.basename(folder)) else folder
        for name, folder in folders.items()
    }


def repeats_of(pictures: Collection[str], found: Findings) -> dict[str, int]:
    """How often training sees each picture, if every folder is named as for kohya's trainer; records a remark."""
    repeats = _repeats(pictures)
    if len(set(repeats.values())) < 2:
        return {}
    shared = math.gcd(*repeats.values())
    folders = Counter(posixpath.dirname(name) for name in pictures)
    repeats_text = ", ".join(f"{folder} x{_number(folder) // shared}" for folder in sorted(folders))
    found.remark(f"The folders' names give repeats, as for kohya's trainer: {repeats_text}.")
    return {name: count // shared for name, count in repeats.items()}


def _repeats(pictures: Collection[str]) -> dict[str, int]:
    """The number in the name of each picture's folder; empty if one has none."""
    numbers = {name: _number(posixpath.dirname(name)) for name in pictures}
    return numbers if numbers and all(numbers.values()) else {}


def _number(folder: str) -> int:
    found = _KOHYA.fullmatch(posixpath.basename(folder))
    return int(found[1]) if found else 0


def _meaning(folder: str) -> str:
    """The caption from the folder's name, or from the nearest usable one above it; "" if there is none."""
    while folder:
        base = posixpath.basename(folder)
        if not _says_nothing(base):
            named = _KOHYA.fullmatch(base)
            return " ".join((named[2] if named else base).replace("_", " ").replace("-", " ").split())
        folder = posixpath.dirname(folder)
    return ""


def _says_nothing(base: str) -> bool:
    return base.lower() in _MEANINGLESS or bool(_SHARD.fullmatch(base))
