"""Tables of `datasets`: local parquet, folders that `save_to_disk` wrote, and the Hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from t2i.data.readers.captions import IMAGE_COLUMNS, Columns
from t2i.data.readers.findings import Findings
from t2i.data.readers.path import SAVED
from t2i.data.readers.rows import rows_of
from t2i.data.readers.sources import matching
from t2i.data.readers.splits import default_split, first_word
from t2i.errors import DataError


def _is_saved(reference: str) -> bool:
    """Whether `save_to_disk` wrote the folder."""
    return any((Path(reference) / name).is_file() for name in SAVED)


def default_split_of(reference: str, found: Findings) -> str | None:
    """The training split of local files that are named as splits; records a remark."""
    if _is_saved(reference):
        sizes = {path.name: 1 for path in Path(reference).iterdir() if (path / SAVED[0]).is_file()}
        what = "table"
    else:
        sizes, what = Counter(first_word(path.name) or path.parent.name for path in _files(reference)), "files"
    split, remark = default_split(sizes, what, "hf", reference)
    if split is not None:
        found.remark(remark)
    return split


def open_table(reference: str, split: str | None) -> Any:
    """The table of a local file, a folder, or the Hub.

    Raises:
        DataError: there is no such file or split.
    """
    from datasets import DatasetDict, load_dataset, load_from_disk  # type: ignore[import-untyped]

    if _is_saved(reference):
        saved = load_from_disk(reference)
        if not isinstance(saved, DatasetDict):
            return saved
        wanted = split or next(iter(saved))
        if wanted not in saved:
            raise DataError(f"it has the splits {', '.join(saved)}, got {split!r}")
        return saved[wanted]
    if is_local(reference):
        files = [str(path) for path in _parquet(reference, split)]
        return load_dataset("parquet", data_files={"train": files}, split="train")
    name, _, revision = reference.partition("@")
    return load_dataset(name, split=split or "train", revision=revision or None)


def image_column(features: Mapping[str, Any], columns: Columns) -> str:
    """The column of pictures: the chosen one, else one with a usual name, else the first that holds pictures.

    Raises:
        DataError: there is none.
    """
    pictures = [name for name, column in features.items() if _holds_pictures(column)]
    wanted = columns.image or next((name for name in IMAGE_COLUMNS if name in pictures), next(iter(pictures), ""))
    if wanted not in pictures:
        missing = f"{wanted!r} holds no pictures" if wanted else "none of them holds pictures"
        raise DataError(f"it has the columns {', '.join(features)}, and {missing}; choose one with --image-column")
    return wanted


def _holds_pictures(column: Any) -> bool:
    """Whether a column holds images, {bytes, path} as parquet stores them undeclared, or the bytes of files."""
    from datasets import Image as ImageColumn

    if isinstance(column, dict):
        return set(column) == {"bytes", "path"}
    return isinstance(column, ImageColumn) or getattr(column, "dtype", "") in ("binary", "large_binary")


def texts_of(table: Any, columns: list[str]) -> Iterator[dict[str, object]]:
    """The rows of some columns; a bad cell only affects itself."""
    for batch in table.select_columns(columns).with_format("arrow").iter(1000):
        yield from rows_of(batch)


def is_local(reference: str) -> bool:
    """Whether `reference` names local files, not a repository on the Hub."""
    return Path(reference).exists() or bool(matching(reference))


def _files(reference: str) -> list[Path]:
    return sorted(Path(reference).rglob("*.parquet")) if Path(reference).is_dir() else matching(reference)


def _parquet(reference: str, split: str | None) -> list[Path]:
    files = _files(reference)
    if split:
        files = [file for file in files if file.name.startswith(split) or file.parent.name == split]
    if not files:
        raise DataError(f"there is no parquet file in it{f' of the split {split}' if split else ''}")
    return files
