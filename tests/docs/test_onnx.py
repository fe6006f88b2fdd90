"""Runs docs/onnx.md, in the order of the page."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from markdown import blocks, commands, printed
from PIL import Image

from t2i.snapshots.golden import GOLDEN_TOLERANCE
from t2i_onnx.export.graphs import OPSET
from t2i_onnx.folder import CARD, NEEDED, RECORD

PAGE = "docs/onnx.md"


def test_the_page_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for words in commands(PAGE):
        subprocess.run(words, check=True, timeout=600)
    assert {path.name for path in Path("world").iterdir()} == {*NEEDED, RECORD, CARD}
    sizes = [Path(folder, "text.onnx").stat().st_size for folder in ("small", "world")]
    assert sizes[0] < sizes[1] / 3
    pictures = [np.asarray(Image.open(name)) for name in ("heart.png", "same.png", "again.png")]
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)
    assert len(list(Path("drawn").iterdir())) == 6
    (snippet,) = (block.code for block in blocks(PAGE) if block.language == "python")
    exec(compile(snippet, PAGE, "exec"), {})
    assert capsys.readouterr().out.strip() == printed(snippet)[0]


def test_the_figures_that_the_page_states_are_those_of_the_code() -> None:
    text = Path(__file__).parents[2].joinpath(PAGE).read_text()
    assert f"opset {OPSET}" in text and f"above {GOLDEN_TOLERANCE:g}" in text
    assert all(f"| `{name}` |" in text for name in (*NEEDED, RECORD, CARD))
