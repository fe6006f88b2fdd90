"""Choose the reader for a path."""

from __future__ import annotations

from pathlib import Path

from t2i.data.dataset import CaptionedDataset
from t2i.data.pack.dataset import read_pack
from t2i.data.pack.pack import is_pack
from t2i.data.readers.folder import read_folder
from t2i.errors import DataError


def read_path(path: Path, split: str | None = None) -> CaptionedDataset:
    """The pack at `path`, or else the captioned folder.

    Raises:
        DataError: it is a file, or cannot be read.
    """
    if not path.is_dir():
        raise DataError(
            f"A path to data must be a folder or a pack, but {path} is not a folder. For a file, name its reader: "
            f"coco:{path}, hf:{path} or webdataset:{path}."
        )
    try:
        return read_pack(path, split) if is_pack(path) else read_folder(path, split)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}).") from None
