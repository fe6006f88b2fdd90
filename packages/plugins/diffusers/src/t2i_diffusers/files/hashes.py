"""Hashes of files, remembered until a file changes: hashing 30 GB at every start would take a minute."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from t2i.files import cache_home, open_regular, read_json, sha256_of, write_atomic

KIND = "hashes"


def known_sha256(path: Path) -> str:
    """The sha256 of a file; if size, modification time and inode are unchanged since the last call, the one found then.

    Raises:
        OSError: it is not a readable regular file.
    """
    real = path.resolve()
    status = real.stat()
    facts = [str(real), status.st_size, status.st_mtime_ns, status.st_ino]
    entry = cache_home() / KIND / f"{hashlib.sha256(str(real).encode()).hexdigest()[:32]}.json"
    try:
        found = read_json(entry, 10_000)
        if isinstance(found, dict) and found.get("facts") == facts and isinstance(found.get("sha256"), str):
            return str(found["sha256"])
    except (OSError, ValueError):
        pass  # never hashed, or the entry is damaged
    sha256 = sha256_of(real)
    write_atomic(entry, json.dumps({"facts": facts, "sha256": sha256}).encode())
    return sha256


def file_id(path: Path, kind: str) -> str:
    """The sha256 of a file, or its git hash if `kind` is one (40 digits): that of its length and content.

    Raises:
        OSError: it is not a readable regular file.
    """
    if len(kind) == 64:
        return known_sha256(path)
    with open_regular(path.resolve()) as file:
        content = file.read()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
