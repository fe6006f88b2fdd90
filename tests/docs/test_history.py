"""The command of docs/techniques/history.md draws the page's sheet."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from markdown import DOCS, ROOT
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i

PAGE = "docs/techniques/history.md"


def test_its_command_draws_the_sheet_on_the_page(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column differs from the page's by the loss of 256 colours, 1 to 2 levels on average; from any other column by
    far more."""
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r"^    (t2i compare .*?)\n\n", (ROOT / PAGE).read_text(), re.M | re.S)
    program, verb, *words = shlex.split(command.replace("\\\n", ""))
    models = words[: words.index("--seed")]
    assert (program, len(models)) == ("t2i", 10)
    result = t2i(verb, *words)
    assert result.code == 0, result.err
    drawn, shown = (_pixels(path) for path in (Path("history.png"), DOCS / "pictures" / "history.webp"))
    assert drawn.shape == shown.shape
    columns = (np.array_split(sheet, len(models), axis=1) for sheet in (drawn, shown))
    for model, mine, theirs in zip(models, *columns, strict=True):
        assert np.abs(mine - theirs).mean() < 4, model


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), dtype=float)
