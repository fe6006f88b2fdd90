"""Datasets from the Hugging Face Hub and local parquet files, read with `datasets`, which is imported only here."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from PIL import Image

from t2i.data.dataset import CaptionedDataset, Example, Problem
from t2i.data.decode import decode_picture, picture_size
from t2i.data.readers.captions import CAPTION_FIELDS, GROUP_FIELDS, usable_captions
from t2i.data.readers.files import MAX_PICTURE_BYTES, checked_colour, matching
from t2i.errors import DataError

HINT = "It needs a column of images and one of captions, called text, caption or captions."


def read_hf(reference: str | Path, split: str | None = None) -> HFDataset:
    """A dataset with a column of images and one of captions.

    Args:
        reference: "org/name" or "org/name@revision" on the Hub, a parquet file, a pattern for such files, or a folder
            of them.
        split: "train" by default.

    Raises:
        DataError: `datasets` is not installed or fails, or there is no column of images or captions.
    """
    if importlib.util.find_spec("datasets") is None:
        raise DataError("The reader 'hf' needs the distribution datasets. Install it: pip install datasets")
    from datasets import Image as ImageColumn  # type: ignore[import-untyped]
    from datasets import load_dataset

    reference = str(reference)
    local = Path(reference).exists() or bool(matching(reference))
    try:
        if local:
            files = [str(path) for path in _parquet(reference, split)]
            table: Any = load_dataset("parquet", data_files={"train": files}, split="train")
        else:
            name, _, revision = reference.partition("@")
            table = load_dataset(name, split=split or "train", revision=revision or None)
        features = table.features
        images = [key for key, column in features.items() if isinstance(column, ImageColumn) or _holds_files(column)]
        captions = [key for key in CAPTION_FIELDS if key in features]
        if not images or not captions:
            raise DataError(f"{reference} has the columns {', '.join(features)}. {HINT}")
        table = table.cast_column(images[0], ImageColumn(decode=False))
    except DataError:
        raise
    except Exception as error:  # from the network, the Hub, Arrow or an untrusted file: `datasets` wraps none of them
        brief = " ".join(str(error).split())[:300]
        raise DataError(f"`datasets` cannot read {reference} ({type(error).__name__}: {brief}).") from None
    group = next((key for key in GROUP_FIELDS if key in features), None)
    name = reference if not local else Path(reference).name
    return HFDataset(f"hf:{name}" + (f":{split}" if split else ""), table, images[0], captions[0], group)


@final
class HFDataset(CaptionedDataset):
    """A table of `datasets`; pictures are read from its files on request."""

    def __init__(
        self, name: str, table: Any, image: str, caption: str, group: str | None, background: str = "white"
    ) -> None:
        """
        Raises:
            DataError: no row has a caption.
        """
        self._name, self._table, self._background = name, table, background
        self._columns = (image, caption, group)
        self._rows: list[int] = []
        self._examples: list[Example] = []
        self._problems: list[Problem] = []
        texts = table.select_columns([column for column in (caption, group) if column])
        for row, entry in enumerate(texts):
            said = entry[caption]
            kept, reason = usable_captions(said if isinstance(said, list) else [said])
            if not kept or reason:
                self._problems.append(Problem(f"row {row}", reason or "it has no caption", skipped=not kept))
            if kept:
                self._rows.append(row)
                label = str(entry[group]) if group and entry[group] is not None else str(row)
                self._examples.append(Example(str(row), kept, label))
        if not self._examples:
            raise DataError(f"No row of {name} has a caption in its column {caption!r}. {HINT}")

    @property
    def name(self) -> str:
        return self._name

    @property
    def license(self) -> str:
        return self._table.info.license or "unknown"

    @property
    def examples(self) -> Sequence[Example]:
        return self._examples

    @property
    def problems(self) -> Sequence[Problem]:
        return self._problems

    @property
    def fingerprint(self) -> str:
        return f"{super().fingerprint} {self._table._fingerprint} {self._background}"

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        content, name = self._content(index)
        return decode_picture(content, resolution, name=name, background=self._background)

    def size(self, index: int) -> tuple[int, int]:
        content, name = self._content(index)
        return picture_size(content, name=name)

    def on_background(self, colour: str) -> HFDataset:
        return HFDataset(self._name, self._table, *self._columns, checked_colour(colour))

    def _content(self, index: int) -> tuple[bytes, str]:
        """The picture file's bytes, and its name."""
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


def _holds_files(column: object) -> bool:
    """Whether a column is an image's {bytes, path}, as in parquet files whose column is not declared as an image."""
    return isinstance(column, dict) and set(column) == {"bytes", "path"}


def _parquet(reference: str, split: str | None) -> list[Path]:
    path = Path(reference)
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else matching(reference)
    if split:
        files = [file for file in files if file.name.startswith(split) or file.parent.name == split]
    if not files:
        raise DataError(f"There is no parquet file in {reference}{f' of the split {split}' if split else ''}. {HINT}")
    return files


def _cached_file(path: str) -> bytes:
    """A file that `datasets` itself has downloaded; a table must not name any other."""
    from datasets import config

    real = os.path.realpath(path)
    if not Path(real).is_relative_to(os.path.realpath(config.HF_CACHE_HOME)):
        raise DataError(f"its file {path!r} is not part of the dataset")
    try:
        if Path(real).stat().st_size > MAX_PICTURE_BYTES:
            raise DataError(f"larger than {MAX_PICTURE_BYTES // 2**20} MiB")
        return Path(real).read_bytes()
    except OSError as error:
        raise DataError(f"its file cannot be read ({error.strerror})") from None
