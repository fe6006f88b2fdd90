"""Chooses the reader for a path by the files there."""

from __future__ import annotations

from itertools import chain, islice
from pathlib import Path

from t2i.data.formats import is_picture
from t2i.data.pack.pack import is_pack
from t2i.data.readers.metadata import metadata_like
from t2i.errors import DataError

SAVED = ("dataset_info.json", "dataset_dict.json")  # written by datasets' save_to_disk
_SEEN = 10_000  # files of a folder that are inspected


def reader_of(path: Path) -> str:
    """The name of the reader for a file or folder: by its name, or by the files in it.

    Raises:
        DataError: it is a file of another kind.
    """
    if not path.is_dir():
        readers = {".zip": "folder", ".parquet": "hf", ".tar": "webdataset"}
        if path.suffix.lower() in readers:
            return readers[path.suffix.lower()]
        if path.name.startswith("captions_") and path.suffix == ".json":
            return "coco"
        raise DataError(
            f"A path to data must be a folder, a pack, a .zip, a .parquet or a .tar, but {path} is none of these. "
            f"For another file, name its reader: coco:{path}, hf:{path} or webdataset:{path}."
        )
    if is_pack(path):
        return "pack"
    if any((path / name).is_file() for name in SAVED):
        return "hf"
    if (path / "region_descriptions.json").is_file():
        return "visual_genome"
    if (path / "images.txt").is_file() and (path / "bounding_boxes.txt").is_file():
        return "cub"
    if any(chain(path.glob("annotations/captions_*.json"), path.glob("captions_*.json"))):
        return "coco"
    return _by_suffixes(path)


def _by_suffixes(path: Path) -> str:
    """`folder`, unless the folder holds tables or shards and no picture and no metadata."""
    names = [file.name for file in islice(chain(path.glob("*"), path.glob("*/*")), _SEEN)]
    if any(map(is_picture, names)) or metadata_like(names):
        return "folder"
    for suffix, reader in ((".parquet", "hf"), (".arrow", "hf"), (".tar", "webdataset")):
        if any(name.endswith(suffix) for name in names):
            return reader
    return "folder"
