"""A user's own folder or zip: pictures with a caption file each, metadata for all, or class sub-folders."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from t2i.data.formats import is_picture, suffix_of, why_unread
from t2i.data.readers.captions import Columns
from t2i.data.readers.files import FileDataset
from t2i.data.readers.findings import Findings
from t2i.data.readers.folder_names import captions_from_folders, groups_of, repeats_of
from t2i.data.readers.metadata import Entry, metadata_files, metadata_like, read_metadata
from t2i.data.readers.sidecars import SUFFIXES, NoCaptionError, Sidecars, read_sidecar
from t2i.data.readers.splits import default_split
from t2i.data.readers.tree import FolderTree, Tree, ZipTree
from t2i.errors import DataError

HINT = (
    "Put picture.txt, one caption per line, next to each picture.png, or a metadata.jsonl (or .csv) with file_name and "
    "text, or sort the pictures into sub-folders named after what they show."
)


def read_folder(reference: str | Path, split: str | None = None, columns: Columns = Columns()) -> FileDataset:  # noqa: B008
    """A folder or zip of pictures, searched to any depth; `split` is a sub-folder to read instead.

    A picture's captions come from the metadata that names it (`metadata.jsonl`, `.csv`, `.parquet` or
    `captions.json`, in any folder; see `Columns` for their columns), else from the file next to it (`picture.txt`, one
    caption per line, `.caption`, `picture.png.txt` or `.json`). If no picture has either, the sub-folders' names are
    the captions. A folder of `train/` and other splits is read as its `train/`.

    Pictures of one sub-folder are one group, unless it contains all pictures or has a name like `images` or `00000`.

    Raises:
        DataError: the folder is missing, or has no captioned picture.
    """
    path = Path(reference)
    whole: Tree
    if path.is_dir():
        whole = FolderTree(path)
    elif path.suffix.lower() == ".zip" and path.is_file():
        whole = ZipTree(path)
    else:
        raise DataError(
            f"A dataset must be a folder or a .zip file with pictures and captions, but {path} is neither. Give one of "
            f"them."
        )
    found, names = Findings(), None
    if split is None:
        names = whole.names(found)
        split, remark = _default_split(names, str(reference))
        if split is not None:  # problems outside it do not matter
            found, names = Findings(), None
            found.remark(remark)
    tree = whole if split is None else whole.under(split)
    if tree is None:
        raise DataError(f"A dataset must be a folder with pictures and captions, but {path}/{split} is not a folder.")
    _collect(tree, tree.names(found) if names is None else names, columns, found)
    name = f"folder:{whole.title}" + (f":{split}" if split else "")
    return FileDataset(name, found, HINT, location=str(path.resolve()))


def _default_split(names: Sequence[str], reference: str) -> tuple[str | None, str]:
    """The folder of training pictures, if all pictures are in folders named as splits, and a remark."""
    if any("/" not in name for name in metadata_like(names)):
        return None, ""  # metadata here names pictures of all folders
    sizes = Counter(name.partition("/")[0] for name in names if is_picture(name))
    return default_split(sizes, "pictures", "folder", reference)


def _collect(tree: Tree, names: Sequence[str], columns: Columns, found: Findings) -> None:
    """Find every picture's captions, group and repeats, and account for every file."""
    pictures = [name for name in names if is_picture(name)]
    stems = {posixpath.splitext(name)[0].lower() for name in pictures}
    tables = metadata_files([name for name in names if posixpath.splitext(name)[0].lower() not in stems], found)
    entries = read_metadata(tree, tables, columns, found)
    sidecars = Sidecars([name for name in names if suffix_of(name) in SUFFIXES and name not in tables])
    texts, plain, flawed = _read_texts(tree, pictures, entries, sidecars, columns, found)
    orphans = sidecars.orphans()
    for name in orphans:
        found.leave_out(name, "a caption file without a picture of the same name")
    if plain and not (tables or texts or flawed or _are_captions(orphans, stems)):
        texts |= captions_from_folders(plain, found)
        groups = {name: posixpath.dirname(name) for name in texts}
    else:
        for name in plain:
            found.leave_out(name, _why_plain(name, tables))
        groups = groups_of([*entries, *texts])
    repeats = repeats_of(texts, found)
    for name in sorted([*entries, *texts]):
        if name in entries:
            entry = entries[name]
            found.add(entry.where, name, entry.captions, entry.group or groups[name], entry.source)
        else:
            found.add(name, name, texts[name], groups[name], tree.source(name), repeats=repeats.get(name, 1))
    for name in sorted(set(names) - {*pictures, *sidecars.claimed, *orphans, *metadata_like(names)}):
        found.pass_over(name)


def _read_texts(
    tree: Tree,
    pictures: Sequence[str],
    entries: Mapping[str, Entry],
    sidecars: Sidecars,
    columns: Columns,
    found: Findings,
) -> tuple[dict[str, Sequence[object]], list[str], bool]:
    """The caption files' captions of pictures that metadata does not name, the pictures without any, and whether a
    caption file is bad."""
    texts: dict[str, Sequence[object]] = {}
    plain: list[str] = []
    flawed, unused = False, 0
    unread = [name for name in pictures if name not in entries and why_unread(name)]
    for name in sorted({*pictures} - {*unread}):
        text: str | None = None
        try:
            text = sidecars.claim(name)
            if name in entries:
                unused += text is not None
                continue
            tree.source(name)
            if text is None:
                plain.append(name)
            else:
                texts[name] = read_sidecar(tree, text, columns)
        except NoCaptionError as error:
            sidecars.release(str(text))
            found.note(name, str(error))
            plain.append(name)
        except DataError as error:
            flawed = flawed or text is not None
            found.leave_out(name, str(error))
    for name in unread:
        found.leave_out(name, why_unread(name))
        with suppress(DataError):  # a picture that is read, such as the phone's other format, has the caption
            sidecars.claim(name)
    if unused:
        found.remark(f"The metadata is used, not the caption files of the {unused:,} pictures that have both.")
    sidecars.remark(found)
    return texts, plain, flawed


def _are_captions(orphans: Sequence[str], stems: Collection[str]) -> bool:
    """Whether caption files without a picture next to them belong to pictures elsewhere."""
    bases = {posixpath.basename(stem) for stem in stems}
    return any(
        suffix_of(name) != ".txt" or posixpath.splitext(posixpath.basename(name))[0].lower() in bases
        for name in orphans
    )


def _why_plain(name: str, tables: Sequence[str]) -> str:
    for table in sorted(tables, key=len, reverse=True):
        folder = posixpath.dirname(table)
        if not folder or name.startswith(f"{folder}/"):
            return f"{table} does not name it"
    return f"it has no caption file {posixpath.splitext(posixpath.basename(name))[0]}.txt"
