"""A user's own folder: pictures with a caption file each, one metadata file for all, or class sub-folders."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from t2i.data.dataset import Problem
from t2i.data.decode import FORMATS
from t2i.data.readers.captions import CAPTION_FIELDS, GROUP_FIELDS, read_caption_file, usable_captions
from t2i.data.readers.files import FileDataset, Findings, picture_file
from t2i.errors import DataError

HINT = (
    "Put picture.txt, one caption per line, next to each picture.png, or a metadata.jsonl (or .csv) with file_name and "
    "text, or sort the pictures into sub-folders named after what they show."
)


def read_folder(reference: str | Path, split: str | None = None) -> FileDataset:
    """A folder of pictures, searched to any depth; `split` is a sub-folder to read instead.

    Captions come from `metadata.jsonl` or `metadata.csv` (the Hugging Face imagefolder layout: `file_name` and
    `text`, which may be a list, and optionally `group`) if the folder has one; else from `picture.txt` next to
    `picture.png`, one caption per line; if no picture has such a file, from the sub-folders' names. Pictures
    of one sub-folder are one group, unless it contains all the pictures in the metadata (`images/`).

    Raises:
        DataError: the folder is missing, or has no captioned picture.
    """
    folder = Path(reference) / (split or "")
    if not folder.is_dir():
        raise DataError(f"A dataset must be a folder with pictures and captions, but {folder} is not a folder.")
    metadata = [path for path in (folder / "metadata.jsonl", folder / "metadata.csv") if path.is_file()]
    found = _from_metadata(folder, metadata[0]) if metadata else _from_sub_folders(folder)
    name = folder.resolve().name if split is None else f"{Path(reference).resolve().name}:{split}"
    return FileDataset(f"folder:{name}", found, HINT)


def _groups(names: list[str]) -> dict[str, str]:
    """Each picture's group: its sub-folder, or its own name if it is in none."""
    parents = {name: str(Path(name).parent) for name in names}
    return {name: name if parent == "." else parent for name, parent in parents.items()}


def _from_sub_folders(folder: Path) -> Findings:
    found = Findings()
    names = sorted(_pictures(folder, found))
    texts = {name: Path(name).with_suffix(".txt") for name in names}
    has_text = {name for name, text in texts.items() if (folder / text).is_file()}
    nested = [name for name in names if Path(name).parent != Path()]
    groups, taken = _groups(names), Counter[Path]()
    for name in names:
        taken[texts[name]] += 1
        try:
            path = picture_file(folder, name)
            if name in has_text:
                if taken[texts[name]] > 1:
                    raise DataError(f"{texts[name].name} belongs to another picture of the same name")
                captions = read_caption_file(picture_file(folder, str(texts[name])))
                if not any(line.strip() for line in captions):
                    raise DataError(f"{texts[name].name} has no caption")
            elif nested and not has_text:
                if name not in nested:
                    raise DataError("it is not in a class sub-folder")
                captions = [Path(name).parent.name.replace("_", " ").replace("-", " ")]
            else:
                raise DataError(f"it has no caption file {texts[name].name}")
        except DataError as error:
            found.leave_out(name, str(error))
            continue
        found.add(name, name, captions, groups[name], path)
    return found


def _pictures(folder: Path, found: Findings) -> Iterator[str]:
    """Relative names of all files with a picture's suffix; links to folders are not followed."""
    for parent, folders, files in os.walk(folder, onerror=lambda error: found.leave_out(*_unreadable(folder, error))):
        for name in folders:
            if (Path(parent) / name).is_symlink():
                relative = (Path(parent) / name).relative_to(folder).as_posix()
                found.leave_out(relative, "a link to a folder, which is not followed")
        for name in files:
            if Path(name).suffix.lower() in FORMATS:
                yield (Path(parent) / name).relative_to(folder).as_posix()


def _unreadable(folder: Path, error: OSError) -> tuple[str, str]:
    return os.path.relpath(error.filename, folder), f"cannot be read ({error.strerror})"


def _from_metadata(folder: Path, metadata: Path) -> Findings:
    found = Findings()
    entries: dict[str, tuple[str, tuple[str, ...], str]] = {}
    for number, entry in _entries(metadata, found):
        where = f"{metadata.name}:{number}"
        try:
            name, texts, group = _checked(entry)
            captions, reason = usable_captions(texts)
            if not captions:
                raise DataError(reason or "text has no caption")
            path = picture_file(folder, name)
        except DataError as error:
            found.leave_out(where, str(error))
            continue
        if reason:
            found.problems.append(Problem(where, f"{reason}, left out", skipped=False))
        name = Path(os.path.relpath(path, folder)).as_posix()
        first, before, known = entries.get(name, (where, (), group))
        entries[name] = (first, before + captions, known or group)
    sub_folders = _groups(list(entries))
    if len(set(sub_folders.values())) == 1:
        sub_folders = {name: name for name in entries}
    for name in sorted(entries):
        where, captions, group = entries[name]
        found.add(where, name, captions, group or sub_folders[name], folder / name)
    return found


def _entries(metadata: Path, found: Findings) -> Iterator[tuple[int, object]]:
    """The parsed lines of the metadata, with their numbers."""
    if metadata.suffix == ".csv":
        yield from _rows(metadata, found)
        return
    with metadata.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                found.leave_out(f"{metadata.name}:{number}", f"not an object with file_name and text ({error})")


def _rows(metadata: Path, found: Findings) -> Iterator[tuple[int, object]]:
    with metadata.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        lines = csv.reader(file)
        header: list[str] | None = None
        while True:
            try:
                row = next(lines, None)
            except csv.Error as error:
                found.leave_out(f"{metadata.name}:{lines.line_num}", f"not a line of CSV ({error})")
                continue
            if row is None:
                return
            if header is None:
                header = row
            elif row:
                yield lines.line_num, dict(zip(header, row, strict=False))


def _checked(entry: object) -> tuple[str, list[object], str]:
    """File name, captions and group ("" if there is none) of one entry."""
    if not isinstance(entry, dict) or "file_name" not in entry:
        raise DataError("not an object with file_name and text")
    field = next((field for field in CAPTION_FIELDS if field in entry), None)
    if field is None:
        raise DataError(f"not an object with file_name and text (it has {', '.join(map(str, entry))})")
    name, text = entry["file_name"], entry[field]
    if not isinstance(name, str):
        raise DataError("file_name is not a text")
    captions = text if isinstance(text, list) else [text]
    if not all(isinstance(caption, str | None) for caption in captions):
        raise DataError(f"{field} is neither a text nor a list of texts")
    group = next((entry[key] for key in GROUP_FIELDS if isinstance(entry.get(key), str | int)), "")
    return name, captions, str(group)
