"""Checks a file of `torch.save` before torch reads it: the sizes of a zip's records, and the steps of a pickle.

Nothing is unpickled here: the steps are only counted.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path

from t2i.files import open_regular

ZIP = b"PK\x03\x04"
MOST_STEPS = 1_000_000  # of a pickle; a network of 20,000 tensors needs about 800,000
DEEPEST = 1000  # nested values; a state_dict needs about 10
OLD_PICKLES = 4  # magic number, version, system and state_dict, one after the other, before torch 1.6
MARK, SLICE = pickletools.markobject, pickletools.stackslice


def check_claims(path: Path) -> None:
    """Refuse a file that would take much more memory or time than its size suggests.

    Raises:
        ValueError: the file claims too much.
        OSError: it cannot be read, or is not a regular file.
    """
    with open_regular(path) as file:
        if file.read(len(ZIP)) == ZIP:
            _check_zip(file, path.stat().st_size)
            return
        file.seek(0)
        for _ in range(OLD_PICKLES):
            _check_pickle(file)


def _check_zip(file: BufferedReader, size: int) -> None:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise ValueError(f"it is not a complete zip file: {error}") from None
    with archive:
        records = archive.infolist()
        if any(record.compress_type != zipfile.ZIP_STORED for record in records):
            raise ValueError("its records are compressed, which those of torch.save never are")
        claimed = sum(record.file_size for record in records)
        if claimed > size:
            raise ValueError(f"its records claim {claimed:,} bytes, but it has only {size:,}")
        for record in records:
            if record.filename.endswith(".pkl"):
                _check_pickle(BytesIO(archive.read(record)))


def _check_pickle(pickle: BufferedReader | BytesIO) -> None:
    """Refuse a pickle with too many steps or too deeply nested values."""
    for steps, depth in enumerate(_depths(pickle), start=1):
        if steps > MOST_STEPS:
            raise ValueError(f"its pickle has more than {MOST_STEPS:,} steps")
        if depth > DEEPEST:
            raise ValueError(f"its pickle nests values more than {DEEPEST} deep")


def _depths(pickle: BufferedReader | BytesIO) -> Iterator[int]:
    """The depth of the value that each step of a pickle leaves on the stack."""
    stack: list[int | None] = []  # the depth of each value; None is a mark
    memo: dict[object, int] = {}
    for code, argument, _ in pickletools.genops(pickle):
        taken = 0
        if MARK in code.stack_before:
            while stack and (top := stack.pop()) is not None:
                taken = max(taken, top)
        before = [kind for kind in code.stack_before if kind not in (MARK, SLICE)]
        for _ in before[: len(stack)]:
            taken = max(taken, stack.pop() or 0)
        slot = len(memo) if argument is None else argument  # of the memo, where the step uses it
        if code.name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[slot] = (stack[-1] or 0) if stack else 0
        recalled = code.name in ("GET", "BINGET", "LONG_BINGET")
        depth = memo.get(slot, 0) if recalled else taken + bool(before)
        stack += [None if kind is MARK else depth for kind in code.stack_after]
        yield depth
