"""Pictures in files with their captions, as a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import final

from PIL import Image

from t2i.data.dataset import Example, Problem, summarised
from t2i.data.decode import decode_picture, picture_size
from t2i.data.fit import CROPPED
from t2i.data.readers.base import ReadDataset
from t2i.data.readers.findings import Findings, Record
from t2i.data.readers.sources import content_of, file_of, place_of
from t2i.errors import DataError
from t2i.plain_text import as_unicode


@final
class FileDataset(ReadDataset):
    """Captioned pictures in files."""

    def __init__(
        self,
        name: str,
        found: Findings,
        hint: str,
        license: str = "unknown",  # noqa: A002
        location: str = "",
    ) -> None:
        """
        Args:
            hint: the expected layout of the files, for the error if nothing was found.
            location: the absolute path of the files, if their owner named it.

        Raises:
            DataError: nothing usable was found.
        """
        if not found.records:
            flaws = found.problems
            failed = f"; {len(flaws):,} could not be used: {'; '.join(summarised(flaws)[:3])}" if flaws else ""
            raise DataError(f"No captioned picture in {as_unicode(name)}{failed}. {hint}")
        super().__init__(name, location)
        self._license, self._found = license, found

    @property
    def license(self) -> str:
        return self._license

    @property
    def examples(self) -> Sequence[Example]:
        return _Examples(self._found.records)

    @property
    def records(self) -> Sequence[Record]:
        """The examples with the files that hold their pictures."""
        return self._found.records

    @property
    def problems(self) -> Sequence[Problem]:
        return self._found.problems

    @property
    def remarks(self) -> Sequence[str]:
        return self._found.remarks

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(super().fingerprint.encode())
        digest.update(self._background.encode() if self._background != "white" else b"")
        digest.update(repr(self._fitting).encode() if self._fitting != CROPPED else b"")
        times: dict[Path, str] = {}
        for record in self._found.records:
            path = file_of(record.source)
            if path not in times:
                times[path] = _version(path)
            digest.update(f"{times[path]} {record.box} {place_of(record.source)}\n".encode())
        return digest.hexdigest()

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        record = self._found.records[index]
        content, name = content_of(record.source), record.example.id
        return decode_picture(
            content, resolution, name=name, box=record.box, background=self._background, fitting=self._fitting
        )

    def size(self, index: int) -> tuple[int, int]:
        record = self._found.records[index]
        return picture_size(content_of(record.source), name=record.example.id, box=record.box)


class _Examples(Sequence[Example]):
    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        found = self._records[index]
        return [record.example for record in found] if isinstance(index, slice) else found.example


def _version(path: Path) -> str:
    """A version string that changes when the file does."""
    try:
        facts = path.stat()
    except OSError:  # it was deleted; reported when the picture is read
        return "gone"
    return f"{facts.st_size} {facts.st_mtime_ns}"
