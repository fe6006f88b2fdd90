"""Chooses the split of a dataset with training and test pictures if none is named."""

from __future__ import annotations

import re
from collections.abc import Mapping

TRAIN = ("train", "training")
SPLITS = (*TRAIN, "test", "testing", "val", "valid", "validation", "dev", "eval")


def default_split(sizes: Mapping[str, int], what: str, reader: str, reference: str) -> tuple[str | None, str]:
    """The training split among `sizes`, and a remark that the others are not read; None if these are not splits.

    Args:
        sizes: the size of each part, by its name. what: the unit of the sizes, such as "pictures".
    """
    train = next((name for name in sizes if name.lower() in TRAIN), None)
    if train is None or len(sizes) < 2 or not all(name.lower() in SPLITS for name in sizes):
        return None, ""
    others = ", ".join(f"{name} ({count:,} {what})" for name, count in sorted(sizes.items()) if name != train)
    return train, f"Only the split {train} is read; also there: {others}. Read another with {reader}:{reference}:SPLIT."


def first_word(file: str) -> str:
    """The letters a file's name begins with, such as "train" of train-00000-of-00001.parquet."""
    return re.split(r"[^A-Za-z]", file, maxsplit=1)[0]
