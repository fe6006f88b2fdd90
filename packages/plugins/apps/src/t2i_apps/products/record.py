"""The files next to the pictures: manifest.csv, manifest.jsonl, failed.csv and the contact pages.

All are written row by row, and appear complete when the last row is done.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, final
from urllib.parse import quote

from t2i.config import Config
from t2i.drawing.artist import Artist
from t2i.files import atomic_file
from t2i_apps.pages.render import write_page

MANIFEST_CSV, MANIFEST_JSONL, FAILED, CONTACT = "manifest.csv", "manifest.jsonl", "failed.csv", "contact.html"
OURS = ("file", "prompt", "seed", "model")  # the first columns of manifest.csv
PER_PAGE = 500  # pictures on a contact page


@dataclass(frozen=True)
class Product:
    """One row with its picture.

    Attributes:
        where: the row's place in the table.
        path: of the picture.
        cells: the row.
    """

    where: str
    path: Path
    prompt: str
    cells: Mapping[str, str]


@final
class Records:
    """Writes what was drawn and what failed; a context manager, at whose end the files appear.

    Attributes:
        failed: the number of failures.
    """

    def __init__(
        self, folder: Path, title: str, columns: Sequence[str], artist: Artist, options: Config, seed: int
    ) -> None:
        """
        Args:
            title: of the contact pages.
            columns: of the table.
        """
        self._folder, self._title, self._columns, self._seed = folder, title, columns, seed
        self._artist, self._options = artist.identity, options.model_dump(mode="json")
        self._stack = ExitStack()
        self._shown: list[dict[str, str]] = []
        self._pages = 0
        self.failed = 0

    def __enter__(self) -> Self:
        names = (MANIFEST_CSV, MANIFEST_JSONL, FAILED)
        for name in names:
            for left in self._folder.glob(f".{name}.*"):  # by a process that was killed
                left.unlink()
        with ExitStack() as stack:
            self._csv, self._jsonl, self._failed = (stack.enter_context(atomic_file(self._folder / n)) for n in names)
            theirs = [f"catalog {name}" if name in OURS else name for name in self._columns]
            self._csv.write(_csv_line([*OURS, *theirs]))
            self._failed.write(_csv_line(["row", "name", "reason"]))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_page(last=True)
        self._stack.__exit__(kind, error, trace)
        if kind is None and not self.failed:
            (self._folder / FAILED).unlink()

    def add(self, product: Product) -> None:
        """Record a picture that is complete."""
        file = product.path.relative_to(self._folder).as_posix()
        ours = (file, product.prompt, str(self._seed), self._artist.name)
        self._csv.write(_csv_line([*ours, *(product.cells.get(name, "") for name in self._columns)]))
        facts = {
            **dict(zip(OURS, (file, product.prompt, self._seed, self._artist.name), strict=True)),
            "weights": dict(self._artist.weights),
            "options": self._options,
            "row": dict(product.cells),
        }
        self._jsonl.write(json.dumps(facts, ensure_ascii=False).encode() + b"\n")
        self._shown.append({"file": quote(file), "name": file.rpartition(".")[0], "prompt": product.prompt})
        if len(self._shown) > PER_PAGE:
            self._write_page(last=False)

    def fail(self, where: str, reason: str, name: str = "") -> None:
        """Record a row without a picture."""
        self.failed += 1
        self._failed.write(_csv_line([where, name, reason]))

    def _write_page(self, *, last: bool) -> None:
        """Write the first PER_PAGE pictures of those that are waiting; one more has shown that a page follows."""
        self._pages += 1
        write_page(
            self._folder / _page(self._pages),
            "contact.html",
            title=self._title,
            pictures=self._shown[:PER_PAGE],
            number=self._pages,
            before=_page(self._pages - 1) if self._pages > 1 else "",
            after="" if last else _page(self._pages + 1),
            failed=FAILED if last and self.failed else "",
        )
        self._shown = self._shown[PER_PAGE:]
        following = self._pages + 1
        while last and (self._folder / _page(following)).is_file():  # of an earlier, longer table
            (self._folder / _page(following)).unlink()
            following += 1


def _page(number: int) -> str:
    return CONTACT if number == 1 else f"contact-{number}.html"


def _csv_line(cells: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode()
