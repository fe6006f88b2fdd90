"""Visual Genome's region descriptions (Krishna et al. 2017) as captions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from t2i.data.decode import Box
from t2i.data.readers.files import FileDataset
from t2i.data.readers.findings import Findings
from t2i.data.readers.sources import FilesIn
from t2i.errors import DataError

HINT = "Its layout is region_descriptions.json and image_data.json next to VG_100K/ and VG_100K_2/ with the pictures."
FOLDERS = ("VG_100K", "VG_100K_2", "images", ".")
BLOCK, MAX_ELEMENT = 2**20, 2**26  # characters
BETWEEN = re.compile(r"[\s,]*")


def read_visual_genome(reference: str | Path, split: str | None = None) -> FileDataset:
    """Whole pictures with the phrases of all their regions, or every region cropped, with its own phrase.

    The files are read one picture at a time. Regions of one picture are one group.

    Args:
        reference: Visual Genome's folder.
        split: "pictures" (default) or "regions".

    Raises:
        DataError: region_descriptions.json is missing, or no picture can be used.
    """
    root, split = Path(reference), split or "pictures"
    file = root / "region_descriptions.json"
    if not file.is_file():
        raise DataError(f"There is no {file.name} in {root}. {HINT}")
    found = Findings()
    names, files = _file_names(root / "image_data.json", found), FilesIn(root)
    seen = set()
    for place, entry in enumerate(_elements(file, found)):
        where = f"{file.name}[{place}]"
        number = entry.get("id", entry.get("image_id")) if isinstance(entry, dict) else None
        regions = entry.get("regions") if isinstance(entry, dict) else None
        if type(number) is not int or not isinstance(regions, list):
            found.leave_out(where, "not a picture with id and regions")
            continue
        where = f"picture {number}"
        if number in seen:
            found.leave_out(where, "duplicate id")
            continue
        seen.add(number)
        try:
            path = _picture(root, files, names.get(number, f"{number}.jpg"))
        except DataError as error:
            found.leave_out(where, str(error))
            continue
        if split == "pictures":
            phrases = [region.get("phrase") for region in regions if isinstance(region, dict)]
            found.add(where, str(number), phrases, str(number), path)
        else:
            _add_regions(found, number, regions, path)
    return FileDataset(f"visual_genome:{split}", found, HINT, license="CC-BY-4.0")


def _add_regions(found: Findings, number: int, regions: list[Any], path: Path) -> None:
    seen = set()
    for place, region in enumerate(regions):
        where = f"picture {number}: regions[{place}]"
        try:
            key, phrase, box = _region(region)
        except DataError as error:
            found.leave_out(where, str(error))
            continue
        if key in seen:
            found.leave_out(where, f"duplicate id {key}")
            continue
        seen.add(key)
        found.add(where, f"{number}/{key}", [phrase], str(number), path, box)


def _region(region: Any) -> tuple[int, object, Box]:
    number = region.get("region_id", region.get("id")) if isinstance(region, dict) else None  # "id" in version 1.0
    if type(number) is not int:
        raise DataError("not a region with region_id")
    sides = [region.get(side) for side in ("x", "y", "width", "height")]
    if not all(type(side) in (int, float) and side is not None and abs(side) < 1e6 for side in sides):
        raise DataError("its box must be x, y, width and height")
    x, y, width, height = (float(side) for side in sides if side is not None)
    if width < 1 or height < 1 or x + width <= 0 or y + height <= 0:
        raise DataError(f"its box of {width:g}x{height:g} at {x:g}, {y:g} contains no pixel")
    return number, region.get("phrase"), (x, y, x + width, y + height)


def _file_names(path: Path, found: Findings) -> dict[int, str]:
    """File names by image id: the last part of the URL, as in the unpacked archive."""
    names: dict[int, str] = {}
    if not path.is_file():
        return names
    for place, entry in enumerate(_elements(path, found)):
        number = entry.get("image_id", entry.get("id")) if isinstance(entry, dict) else None
        url = entry.get("url") if isinstance(entry, dict) else None
        if type(number) is int and isinstance(url, str):
            names.setdefault(number, url.rpartition("/")[2])
        else:
            found.leave_out(f"{path.name}[{place}]", "not a picture with image_id and url")
    return names


def _picture(root: Path, files: FilesIn, name: str) -> Path:
    for folder in FOLDERS:
        if (root / folder / name).is_file():
            return files.find(f"{folder}/{name}")
    raise DataError(f"there is no picture {name}")


def _elements(path: Path, found: Findings) -> Iterator[Any]:
    """The elements of a JSON array, one at a time to limit memory; stops at the first damaged one."""
    decoder, text, place = json.JSONDecoder(), "", 0
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        if file.read(1) != "[":
            found.leave_out(path.name, "not a JSON array")
            return
        while True:
            place = BETWEEN.match(text, place).end()  # type: ignore[union-attr]
            if text.startswith("]", place):
                return
            try:
                element, end = decoder.raw_decode(text, place)
            except (ValueError, RecursionError):
                end = len(text)
            if end < len(text):
                yield element
                place = end
                continue
            text = text[place:]
            block = file.read(max(BLOCK, len(text))) if len(text) < MAX_ELEMENT else ""
            if not block:
                found.leave_out(path.name, "it is truncated or damaged; the rest is not read")
                return
            text, place = text + block, 0
