"""A tiny exported model, written once per session."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.command_line import t2i as t2i
from t2i_onnx.tiny import write_record, write_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder; tests do not change it."""
    folder = tmp_path_factory.mktemp("exported") / "tiny"
    write_tiny(folder)
    return folder


@pytest.fixture
def changed(tiny: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy in which some files have other contents; `rehash` makes the record agree with them."""

    def copy(files: dict[str, bytes], *, rehash: bool = True) -> Path:
        folder = Path(shutil.copytree(tiny, tmp_path / "changed"))
        for name, content in files.items():
            (folder / name).write_bytes(content)
        if rehash:
            write_record(folder)
        return folder

    return copy
