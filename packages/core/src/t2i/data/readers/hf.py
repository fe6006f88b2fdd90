"""Datasets from the Hugging Face Hub and local parquet files, read with `datasets`."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from PIL import Image

from t2i.data.dataset import Example, Problem
from t2i.data.decode import MAX_PICTURE_BYTES, decode_picture, picture_size
from t2i.data.fit import CROPPED
from t2i.data.readers.base import ReadDataset
from t2i.data.readers.captions import Columns, group_of, listed
from t2i.data.readers.findings import Findings
from t2i.data.readers.hf_table import default_split_of, image_column, is_local, open_table, texts_of
from t2i.display import brief
from t2i.errors import DataError
from t2i.files import read_bytes

HINT = "It needs a column of pictures, with their bytes, and one of captions."


def read_hf(reference: str | Path, split: str | None = None, columns: Columns = Columns()) -> HFDataset:  # noqa: B008
    """A dataset with a column of pictures (images, or files' bytes) and one of captions; see `Columns`.

    Args:
        reference: "org/name" or "org/name@revision" on the Hub, a parquet file, a pattern for such files, a folder
            of them, or a folder that `save_to_disk` wrote.
        split: by default "train"; all local files if they are not named as splits.

    Raises:
        DataError: `datasets` is not installed or fails, or there is no column of pictures or captions.
    """
    if importlib.util.find_spec("datasets") is None:
        raise DataError("The reader 'hf' needs the distribution datasets. Install it: pip install datasets")
    from datasets import Image as ImageColumn  # type: ignore[import-untyped]

    reference, found = str(reference), Findings()
    try:
        split = split or default_split_of(reference, found)
        table = open_table(reference, split)
        names = list(table.features)
        image, caption = image_column(table.features, columns), columns.caption_of(names)
        table = table.cast_column(image, ImageColumn(decode=False))  # then cells are {bytes, path}
    except DataError as error:
        raise DataError(f"{reference} cannot be used: {error}. {HINT}") from None
    except Exception as error:  # from the network, the Hub, Arrow or an untrusted file: `datasets` wraps none of them
        raise DataError(f"`datasets` cannot read {reference} ({type(error).__name__}: {brief(error)}).") from None
    name = Path(reference).name if is_local(reference) else reference
    named, columns_read = f"hf:{name}" + (f":{split}" if split else ""), (image, caption, group_of(names))
    location = str(Path(reference).resolve()) if is_local(reference) else ""
    return HFDataset(named, table, columns_read, found, location=location)


@final
class HFDataset(ReadDataset):
    """A table of `datasets`; pictures are read from its files on request."""

    def __init__(
        self,
        name: str,
        table: Any,
        columns: tuple[str, str, str | None],
        found: Findings,
        location: str = "",
    ) -> None:
        """
        Args:
            columns: of pictures, of captions, and of groups if there is one.
            found: remarks of the reader.
            location: the absolute path of local files.

        Raises:
            DataError: no row has a caption.
        """
        super().__init__(name, location)
        self._table, self._columns = table, columns
        self._rows: list[int] = []
        self._examples: list[Example] = []
        self._given, self._found = found, Findings()
        _, caption, group = columns
        for row, entry in enumerate(texts_of(table, [column for column in (caption, group) if column])):
            where = f"row {row}"
            try:
                captions = self._found.captions(where, listed(entry[caption], caption))
            except DataError as error:
                self._found.leave_out(where, str(error))
                continue
            if captions:
                self._rows.append(row)
                label = self._found.group(where, entry[group]) if group else ""
                self._examples.append(Example(str(row), captions, label or where))
        if not self._examples:
            raise DataError(f"No row of {name} has a caption in its column {caption!r}. {HINT}")

    @property
    def license(self) -> str:
        return self._table.info.license or "unknown"

    @property
    def examples(self) -> Sequence[Example]:
        return self._examples

    @property
    def problems(self) -> Sequence[Problem]:
        return self._found.problems

    @property
    def remarks(self) -> Sequence[str]:
        return self._given.remarks

    @property
    def fingerprint(self) -> str:
        fitting = "" if self._fitting == CROPPED else f" {self._fitting!r}"
        return f"{super().fingerprint} {self._table._fingerprint} {self._background}{fitting}"

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        content, name = self._content(index)
        return decode_picture(content, resolution, name=name, background=self._background, fitting=self._fitting)

    def size(self, index: int) -> tuple[int, int]:
        content, name = self._content(index)
        return picture_size(content, name=name)

    def _content(self, index: int) -> tuple[bytes, str]:
        """The picture file's bytes, and its name ("" if the table gives none)."""
        try:
            cell = self._table[self._rows[index]][self._columns[0]] or {}
        except Exception as error:  # from Arrow, for a damaged file
            raise DataError(f"its row cannot be read ({type(error).__name__})") from None
        content, path = cell.get("bytes"), cell.get("path") or ""
        if content is None:
            content = _cached_file(path)
        if len(content) > MAX_PICTURE_BYTES:
            raise DataError(f"{len(content)} bytes are more than {MAX_PICTURE_BYTES // 2**20} MiB")
        return content, path


def _cached_file(path: str) -> bytes:
    """A file that `datasets` itself has downloaded; a table must not name any other."""
    from datasets import config

    real = os.path.realpath(path)
    if not Path(real).is_relative_to(os.path.realpath(config.HF_CACHE_HOME)):
        raise DataError(f"its file {path!r} is not part of the dataset")
    try:
        return read_bytes(Path(real), MAX_PICTURE_BYTES)
    except OSError as error:
        raise DataError(f"its file cannot be read ({error.strerror})") from None
