"""Keys of clients: at least 16 characters each, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path
from typing import final

from t2i.errors import InvalidInputError
from t2i.files import read_text

VARIABLE = "T2I_SERVER_KEY"
MOST_BYTES, LEAST_CHARACTERS = 10_000_000, 16
NOBODY = "local"  # the name of every client of a server without keys


@final
class Keys:
    """The keys a server accepts. It holds their hashes only.

    Attributes:
        required: whether there are any.
    """

    def __init__(self, keys: dict[str, str]) -> None:
        """
        Args:
            keys: each key's text, by the name that the access log shows.
        """
        self._hashes = {name: _hash(key) for name, key in keys.items()}
        self.required = bool(keys)

    def owner(self, authorization: str | None) -> str | None:
        """The name of the key in a header "Bearer KEY"; None if it is not one of these.

        Every key is compared, so that the time does not say which one was near.
        """
        if not self.required:
            return NOBODY
        scheme, _, given = (authorization or "").partition(" ")
        offered, found = _hash(given.strip()), None
        for name, known in self._hashes.items():
            if hmac.compare_digest(offered, known):
                found = name
        return found if scheme.lower() == "bearer" else None


def read_keys(file: Path | None) -> Keys:
    """The keys of a file, or the one in the environment variable T2I_SERVER_KEY, or none.

    Args:
        file: a line for each key: NAME KEY, or KEY alone; lines that begin with # are left out.

    Raises:
        InvalidInputError: the file cannot be read, holds no key, or a key is too short or repeated.
    """
    if file is None:
        key = os.environ.get(VARIABLE, "")
        return Keys(_checked({"key": key}, VARIABLE) if key else {})
    try:
        lines = [line.split() for line in read_text(file, MOST_BYTES).splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"The keys in {file} cannot be read ({error}).") from None
    keys: dict[str, str] = {}
    for number, words in enumerate(lines, start=1):
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 2:
            raise InvalidInputError(f"Line {number} of {file} must be NAME KEY or KEY, got {len(words)} words.")
        name = words[0] if len(words) == 2 else f"key{number}"
        if name in keys:
            raise InvalidInputError(f"Each key needs a name of its own, but line {number} of {file} repeats {name!r}.")
        keys[name] = words[-1]
    if not keys:
        raise InvalidInputError(f"The file of keys {file} has none. Give each key a line: NAME KEY")
    return Keys(_checked(keys, str(file)))


def _checked(keys: dict[str, str], where: str) -> dict[str, str]:
    for name, key in keys.items():
        if len(key) < LEAST_CHARACTERS or not key.isascii() or not key.isprintable() or " " in key:
            raise InvalidInputError(
                f"A key has at least {LEAST_CHARACTERS} characters of ASCII without spaces, but {name!r} of {where} "
                f"does not. Make one: python -c 'import secrets; print(secrets.token_urlsafe())'"
            )
    if len(set(keys.values())) < len(keys):
        raise InvalidInputError(f"Each client needs a key of its own, but {where} has one twice.")
    return keys


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
