"""The command of docs/techniques/history.md draws the page's sheet; two of its models are not bundled."""

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
FOOT = 30  # px below the pictures of the page's sheet


def test_its_command_draws_the_columns_of_bundled_models(
    t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column differs from the page's by the loss of 256 colours, 1 to 2 levels on average; from any other column by
    far more. The rows below the pictures are left out: only without the runs do the models have scores in common."""
    monkeypatch.chdir(tmp_path)
    (command,) = re.findall(r"^    (t2i compare .*?)\n\n", (ROOT / PAGE).read_text(), re.M | re.S)
    program, verb, *words = shlex.split(command.replace("\\\n", ""))
    models = words[: words.index("--seed")]
    bundled = [model for model in models if not model.startswith("runs/")]
    assert (program, len(models), len(bundled)) == ("t2i", 10, 8)
    result = t2i(verb, *bundled, *words[len(models) :])
    assert result.code == 0, result.err
    drawn, shown = (_pixels(path) for path in (Path("history.png"), DOCS / "pictures" / "history.webp"))
    width, pictures = (shown.shape[1] - drawn.shape[1]) // 2, shown.shape[0] - FOOT
    for place, model in enumerate(reversed(bundled), start=1):
        column = len(models) - models.index(model)
        mine, theirs = (
            sheet[:pictures, sheet.shape[1] - at * width :][:, :width]
            for sheet, at in ((drawn, place), (shown, column))
        )
        assert np.abs(mine - theirs).mean() < 4, model


def _pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), dtype=float)
