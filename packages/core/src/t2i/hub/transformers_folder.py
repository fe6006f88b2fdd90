"""Checks folders in the layout of transformers, which anybody may have made, for what its loaders do not check.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from t2i.display import brief
from t2i.errors import SnapshotError
from t2i.files import regular
from t2i.hub.layout import CONFIG, check_config_size


def check_files(folder: Path, patterns: Sequence[str]) -> None:
    """Refuse what transformers must not open: a config that is too large, and files that are not regular.

    Args:
        patterns: of the files that it may open.

    Raises:
        SnapshotError: there is such a file.
    """
    try:
        files = [regular(path) for pattern in patterns for path in folder.glob(pattern)]
    except OSError as error:
        raise SnapshotError(f"{error.filename} cannot be read ({error.strerror}).") from None
    if folder / CONFIG in files:
        check_config_size(str(folder / CONFIG), (folder / CONFIG).stat().st_size)


def check_tokenizer(read: Callable[[str], object]) -> None:
    """Try a tokenizer on a few words.

    Raises:
        ValueError: it cannot read them. The package tokenizers panics for some files, and a panic of Rust is a
            BaseException, which `except Exception` misses.
    """
    try:
        read("a red heart")
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise ValueError(f"its tokenizer cannot read text ({brief(str(error))})") from None
