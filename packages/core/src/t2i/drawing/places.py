"""Finds the place at an address that the user gave: a folder, or a bucket."""

from __future__ import annotations

from pathlib import Path

from t2i.arguments import is_address
from t2i.drawing.bucket import Bucket
from t2i.drawing.place import Folder, Place


def place_of(address: str | Path) -> Place:
    """The place at an address: s3://bucket/prefix, or a folder.

    Raises:
        OutputError: it is an address of another kind, or S3 cannot be used.
    """
    if is_address(address):
        return Bucket(str(address))
    return Folder(Path(address))
