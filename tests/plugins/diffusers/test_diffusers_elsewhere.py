"""Evaluation, boards, sheets, the index and the server use a pipeline of diffusers as they use any artist."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from fakes.command_line import T2I
from fakes.pipelines import Written
from fakes.serving import serving
from fakes.training import write_squares
from t2i.drawing.artist import Request
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import read_provenance

SMALL = ("--option", "steps=1", "--option", "width=32", "--option", "height=32")
CPU = ("--device", "cpu")


@pytest.fixture
def model(written: Written, t2i_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a tiny Stable Diffusion; the working directory is empty."""
    monkeypatch.chdir(tmp_path)
    return f"local-dir:{written('sd')}"


def test_a_board_varies_its_options_and_draws_a_favourite_larger(t2i: T2I, model: str) -> None:
    assert t2i("board", "a {red|blue} square", "--x", "guidance=1,3", "--model", model, *SMALL, *CPU).code == 0
    cells = sorted(Path("board").glob("*.png"))
    asked = {(found.prompt, found.options["guidance"]) for found in map(read_provenance, cells)}
    assert asked == {(f"a {colour} square", scale) for colour in ("red", "blue") for scale in (1.0, 3.0)}
    assert t2i("board", "--from", cells[0], "--larger", "2", "-o", "large.png", *CPU).code == 0
    (large,) = Path("large").glob("*.png")
    with Image.open(large) as picture:
        assert picture.size == (64, 64)


def test_it_is_evaluated_and_compared(t2i: T2I, model: str, tmp_path: Path) -> None:
    data = write_squares(tmp_path / "squares")
    score = ("--data", data, "-n", "12", "--metrics", "prdc,r_precision", *CPU)
    found = json.loads(t2i("evaluate", model, *score, *SMALL, "--json").out)
    assert len(found) >= 3, found
    assert t2i("compare", model, "cgan.world64", "-p", "a red square", "-o", "sheet.png", *CPU).code == 0
    assert Path("sheet.png").is_file()


def test_the_server_draws_what_the_pipeline_draws(model: str) -> None:
    artist = pipeline(model, device="cpu")
    (expected,) = artist.draw([Request("a red square", 7)], artist.options(steps=1, width=32, height=32))
    with serving({"tiny": model}) as served:
        answer = served.draw(model="tiny", prompt="a red square", seed=7, steps=1, width=32, height=32)
    with Image.open(io.BytesIO(base64.b64decode(answer.json["data"][0]["b64_json"]))) as drawn:
        assert drawn.tobytes() == expected.image.tobytes() and "local-dir" not in str(drawn.info)
