"""The list of words of a released DAMSM text encoder, read from plain text or JSON; never from a pickle."""

from __future__ import annotations

import json
from pathlib import Path

from t2i.errors import DataError
from t2i.plain_text import text_lines

MAX_BYTES = 16 * 2**20
HOW = (
    "Write one from the released captions.pickle, in an environment where you trust that file: "
    "words = pickle.load(open('captions.pickle', 'rb'))[2]; "
    "json.dump([words[i] for i in range(len(words))], open('words.json', 'w'))"
)


def read_vocabulary(path: Path, count: int) -> list[str]:
    """The words in the order of the table's rows.

    Args:
        path: a JSON list of words, a JSON object of word -> row or row -> word, or a text file with a word per line.
        count: rows of the table.

    Raises:
        DataError: the file cannot be read as one of these, or does not have one word for each row.
    """
    if not path.is_file():
        raise DataError(f"There is no vocabulary file {path}. {HOW}")
    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"A vocabulary has at most {MAX_BYTES >> 20} MiB, but {path} is larger.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"A vocabulary is a text file or JSON, but {path} is neither ({error}). {HOW}") from None
    words = _of_json(text, path) if text.lstrip().startswith(("[", "{")) else text_lines(text)
    if len(words) != count:
        raise DataError(
            f"The vocabulary must have a word for each of the table's {count} rows, but {path} has {len(words)}. {HOW}"
        )
    if len(set(words)) != count:
        raise DataError(f"Each word of a vocabulary has one row, but {path} lists a word twice. {HOW}")
    return words


def _of_json(text: str, path: Path) -> list[str]:
    try:
        found = json.loads(text)
        if isinstance(found, dict):
            rows = {int(row): word for row, word in found.items()} if all(map(str.isdecimal, found)) else None
            rows = {row: word for word, row in found.items()} if rows is None else rows
            found = [rows[row] for row in range(len(rows))]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is not JSON of a vocabulary ({error!r}). {HOW}") from None
    if not all(isinstance(word, str) for word in found):
        raise DataError(f"A vocabulary lists words, but {path} lists something else. {HOW}")
    return found
