"""Names of pictures from a template: each is a path inside the folder, used once, whatever the table holds."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import final

from t2i.arguments import shown
from t2i.display import INVISIBLE
from t2i.errors import DataError, InvalidInputError
from t2i_apps.products.template import ColumnTemplate

FORBIDDEN = set('<>:"/\\|?*')  # in file names of Windows, to which shops copy their pictures
RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
MOST_BYTES = 180  # of a name without its suffix; file systems have room for 255
HASH_BYTES = 8


@final
class Naming:
    """Gives each row's picture its name, and remembers a hash of each name.

    Slashes of the template, but not those of a cell, make folders: "{category}/{sku}".
    """

    def __init__(self, template: ColumnTemplate) -> None:
        """
        Raises:
            InvalidInputError: the template's own text cannot be part of a name.
        """
        self._template = template
        self._taken: set[int] = set()
        if template.text.startswith("/"):
            raise InvalidInputError(
                f"--name must be a path inside the pictures' folder, but {shown(template.text)} begins with /. Leave "
                f"out the /."
            )

    def name(self, cells: Mapping[str, str]) -> PurePosixPath:
        """The name for a row, without a suffix.

        Raises:
            DataError: it is empty, too long, no plain file name, or another row's.
        """
        for column in self._template.columns:
            if "/" in cells[column]:
                raise DataError(f"the column {shown(column)} has a slash, got {shown(cells[column])}")
        parts = [_plain(part) for part in self._template.fill(cells).split("/")]
        name = PurePosixPath(*parts)
        key = unicodedata.normalize("NFC", str(name)).casefold()  # one file on systems that ignore case
        digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=HASH_BYTES).digest())
        if digest in self._taken:
            raise DataError(f"an earlier row has the same name, {shown(str(name))}")
        self._taken.add(digest)
        return name


def _plain(part: str) -> str:
    """`part` itself.

    Raises:
        DataError: it cannot be the name of a file on every system.
    """
    part = part.strip()
    if not part:
        raise DataError("the name is empty")
    if len(part.encode()) > MOST_BYTES:
        raise DataError(f"the name has {len(part.encode()):,} bytes, but may have at most {MOST_BYTES}")
    wrong = next((c for c in part if c in FORBIDDEN or unicodedata.category(c) in INVISIBLE), None)
    if wrong is not None:
        raise DataError(f"the name {shown(part)} has the character {shown(wrong)}")
    if part.startswith((".", "-")) or part.endswith(".") or part.partition(".")[0].lower() in RESERVED:
        raise DataError(f"the name {shown(part)} begins with . or -, ends with ., or is a name that systems reserve")
    return part
