"""COCO captions: `captions_*.json` and the folder of its pictures (Lin et al. 2014; Chen et al. 2015)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from t2i.data.readers.files import FileDataset
from t2i.data.readers.findings import Findings
from t2i.data.readers.sources import FilesIn
from t2i.errors import DataError
from t2i.files import read_json

PREFIX = "captions_"
MAX_FILE_BYTES = 2**30
HINT = "COCO's layout is annotations/captions_val2017.json next to val2017/ with the pictures."


def read_coco(reference: str | Path, split: str | None = None) -> FileDataset:
    """The pictures of one captions file, each with all its captions (five, as published).

    Args:
        reference: COCO's folder, or one captions_*.json of it.
        split: such as "val2017"; by default the first one found.

    Raises:
        DataError: there is no such captions file, it is not COCO's JSON, or no picture exists.
    """
    file = _captions_file(Path(reference), split)
    split = file.stem.removeprefix(PREFIX)
    root = file.parent.parent if file.parent.name == "annotations" else file.parent
    places = [root / split, root / "images" / split, root / "images", root]
    pictures = FilesIn(next(place for place in places if place.is_dir()))
    found = Findings()
    content = _read(file)
    names = dict(_names(content, found))
    captions = _captions(content, names, found)
    taken: dict[str, object] = {}
    for number, name in names.items():
        where = f"{file.name}: image {number}"
        if taken.setdefault(name, number) != number:
            found.leave_out(where, f"{name} already belongs to image {taken[name]}")
        elif not captions.get(number):
            found.leave_out(where, f"{name} has no caption")
        else:
            try:
                path = pictures.find(name)
            except DataError as error:
                found.leave_out(where, str(error))
                continue
            found.add(where, name, captions[number], name, path)
    return FileDataset(f"coco:{split}", found, HINT, location=str(root.resolve()))


def _captions_file(path: Path, split: str | None) -> Path:
    if path.is_file():
        return path
    files = sorted({*path.glob(f"annotations/{PREFIX}*.json"), *path.glob(f"{PREFIX}*.json")})
    splits = {file.stem.removeprefix(PREFIX): file for file in reversed(files)}
    wanted = split or next(iter(sorted(splits)), "")
    if wanted not in splits:
        known = f"It has {', '.join(sorted(splits))}." if splits else HINT
        raise DataError(f"There is no {PREFIX}{wanted or '*'}.json in {path}. {known}")
    return splits[wanted]


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = read_json(file, MAX_FILE_BYTES)
    except (OSError, ValueError) as error:
        raise DataError(f"{file} must be COCO's captions JSON, but cannot be read ({error}).") from None
    if not isinstance(content, dict) or not all(isinstance(content.get(k), list) for k in ("images", "annotations")):
        raise DataError(f"{file} must be COCO's captions JSON, but lacks the lists images and annotations.")
    return content


def _names(content: Mapping[str, Any], found: Findings) -> Iterator[tuple[int | str, str]]:
    """Image ids and file names, each id once."""
    seen = set()
    for place, image in enumerate(content["images"]):
        number, name = (image.get("id"), image.get("file_name")) if isinstance(image, dict) else (None, None)
        if not isinstance(number, int | str) or not isinstance(name, str):
            found.leave_out(f"images[{place}]", "not an image with id and file_name")
        elif number in seen:
            found.leave_out(f"images[{place}]", f"duplicate id {number}")
        else:
            seen.add(number)
            yield number, name


def _captions(
    content: Mapping[str, Any], names: Mapping[int | str, str], found: Findings
) -> dict[int | str, list[object]]:
    captions: dict[int | str, list[object]] = {}
    seen = set()
    for place, entry in enumerate(content["annotations"]):
        where = f"annotations[{place}]"
        image, number = (entry.get("image_id"), entry.get("id")) if isinstance(entry, dict) else (None, None)
        if not isinstance(image, int | str) or "caption" not in entry:
            found.leave_out(where, "not an annotation with image_id and caption")
        elif image not in names:
            found.leave_out(where, f"there is no image {image}")
        elif isinstance(number, int | str) and number in seen:
            found.leave_out(where, f"duplicate id {number}")
        else:
            seen.add(number if isinstance(number, int | str) else None)
            captions.setdefault(image, []).append(entry["caption"])
    return captions
