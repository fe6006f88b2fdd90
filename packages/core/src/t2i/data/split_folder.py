"""Divide a folder of pictures into two, for training and for testing, that never share a group or equal pictures.

OUT/
    train/  test/    copies of the picture files, each with a metadata.jsonl of captions and groups
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np

from t2i.data.dataset import Example
from t2i.data.held_out import held_out
from t2i.data.pack.pack import decode, look
from t2i.data.readers.files import FileDataset
from t2i.data.readers.sources import content_of
from t2i.data.survey import CHECK_RESOLUTION
from t2i.errors import InvalidInputError
from t2i.files import atomic_folder

PARTS = ("train", "test")
REMEDY = "Divide the pictures into more groups, or move some into a folder for testing yourself."


def split_folder(dataset: FileDataset, out: Path, share: float) -> dict[str, int]:
    """Copy the usable pictures into OUT/train and OUT/test; about `share` of them go to test.

    Pictures of one group, and equal pictures, stay together; which ones is fixed by a hash of their names.

    Returns:
        The number of pictures in each part.

    Raises:
        InvalidInputError: the dataset cuts its pictures out of larger ones.
        DataError: all pictures belong together.
        OutputError: `out` exists, or cannot be written.
    """
    if any(record.box for record in dataset.records):
        raise InvalidInputError(
            f"Only whole pictures can be copied, but {dataset.name} uses parts of its pictures. Hold pictures out in "
            f"training instead: train.validation=0.1"
        )
    with ThreadPoolExecutor() as pool:
        pixels = list(pool.map(lambda index: decode(dataset, index, CHECK_RESOLUTION)[0], range(len(dataset))))
    usable = [index for index, found in enumerate(pixels) if found is not None]
    looks = [look(found) for found in pixels if found is not None]
    examples = [dataset.examples[index] for index in usable]
    _, groups = np.unique([example.group for example in examples], return_inverse=True)
    # With the ids alone, the pictures that train.validation would hold out would all be in the test part already.
    tested = held_out([f"test {example.id}" for example in examples], groups, looks, share, REMEDY)
    counts = dict.fromkeys(PARTS, 0)
    with atomic_folder(out) as scratch:
        lines: dict[str, list[str]] = {part: [] for part in PARTS}
        for index, example, is_test in zip(usable, examples, tested.tolist(), strict=True):
            part = PARTS[is_test]
            name = _file_name(example.id, index)
            target = scratch / part / name
            target.parent.mkdir(parents=True, exist_ok=True)
            content = content_of(dataset.records[index].source)
            if isinstance(content, Path):
                shutil.copyfile(content, target)
            else:
                target.write_bytes(content)
            lines[part] += _lines(example, name)
            counts[part] += 1
        for part, rows in lines.items():
            (scratch / part / "metadata.jsonl").write_text("".join(rows), encoding="utf-8")
    return counts


def _file_name(name: str, index: int) -> str:
    """The picture's own relative path, or a number if that could lead elsewhere."""
    path = PurePosixPath(name)
    inside = not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name
    return name if inside and path.name else f"{index:06d}{path.suffix}"


def _lines(example: Example, name: str) -> Sequence[str]:
    """One line for each caption; the group is named if it holds other pictures too."""
    group = {} if example.group == example.id else {"group": example.group}
    return [json.dumps({"file_name": name, "text": caption, **group}) + "\n" for caption in example.captions]
