"""`t2i generate --stages`: the earlier stages of each picture, in a strip next to it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from fakes.command_line import T2I, contents
from t2i.cli.main import main
from t2i.drawing.artist import Request
from t2i.drawing.picture import Picture
from t2i.drawing.pipeline import Pipeline, Stage, pipeline
from t2i.drawing.provenance import read_provenance
from t2i.noise import Noise


@pytest.fixture(scope="module")
def staged(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run of stackgan-v2."""
    out = tmp_path_factory.mktemp("runs") / "staged"
    arguments = ["t2i", "train", "stackgan-v2", "--recipe", "tiny", "--data", str(squares), "--out", str(out)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [*arguments, "--device", "cpu"])
        with pytest.raises(SystemExit) as exited:
            main()
    assert exited.value.code == 0
    return out


def test_one_picture_and_its_strip(t2i: T2I, staged: Path, here: Path) -> None:
    plain = ("generate", "a red square", "--seed", 7, "--model", staged, "--device", "cpu")
    assert t2i(*plain, "-o", "plain.png").code == 0
    assert t2i(*plain, "-o", "red.png", "--stages").code == 0
    assert sorted(path.name for path in here.iterdir()) == ["plain.png", "red-stages.png", "red.png"]
    with Image.open("red.png") as picture, Image.open("red-stages.png") as strip:
        assert strip.width > 2 * picture.width and strip.height > picture.height
        last = strip.crop((4 + 16 + 4, 4, 4 + 16 + 4 + 16, 4 + 16))
        assert last.tobytes() == picture.convert("RGB").tobytes()
    assert read_provenance(Path("red.png")).options == read_provenance(Path("plain.png")).options
    for path in ("red.png", "plain.png"):
        assert t2i("regenerate", path, "-o", "again.png", "--force").code == 0


def test_a_strip_is_replaced_only_with_force(t2i: T2I, staged: Path, here: Path) -> None:
    (here / "red-stages.png").write_text("mine")
    request = ("generate", "a red square", "--model", staged, "-o", "red.png", "--stages")
    assert "red-stages.png already exists" in t2i(*request).error and not (here / "red.png").exists()
    assert t2i(*request, "--force").code == 0


def test_the_strip_shows_the_generators_stages(t2i: T2I, staged: Path, here: Path) -> None:
    t2i("generate", "a red square", "--seed", 7, "--model", staged, "--device", "cpu", "-o", "red.png", "--stages")
    pipe = pipeline(str(staged), device="cpu")
    (picture,) = pipe.draw([Request("a red square", 7)], stages=True)
    assert [stage.width for stage in picture.stages] == [8, 16]
    assert picture.stages[-1].tobytes() == picture.image.tobytes()
    with torch.inference_mode():
        text = pipe.encoder.encode(["a red square"])[[0] * 4]
        small = next(pipe.generator.stages(text, Noise([7] * 4), pipe.generator.options()))
    wanted = Image.fromarray(((small[0] + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()).resize((16, 16), 0)
    with Image.open("red-stages.png") as strip:
        shown = strip.crop((4, 4, 20, 20)).convert("RGB")
    assert max(abs(a - b) for a, b in zip(shown.tobytes(), wanted.tobytes(), strict=True)) <= 1


def test_each_stage_of_a_batch_is_given_and_then_its_pictures(staged: Path) -> None:
    pipe = pipeline(str(staged), device="cpu")
    assert isinstance(pipe, Pipeline)
    requests = [Request("a red square", seed) for seed in (1, 2, 3)]
    expected = list(pipe.draw(requests, stages=True))
    live = pipe.draw_live(requests)
    for number in (0, 1):
        stage = next(live)
        assert isinstance(stage, Stage) and (stage.number, stage.of) == (number, 2)
        assert [image.tobytes() for image in stage.images] == [each.stages[number].tobytes() for each in expected]
    drawn = list(live)
    assert [picture.png() for picture in drawn] == [picture.png() for picture in expected]  # type: ignore[union-attr]
    assert all(isinstance(each, Picture) and each.stages == () for each in drawn), "their stages were given already"


def test_a_folder_has_a_strip_per_picture_and_resumes(t2i: T2I, staged: Path, here: Path) -> None:
    request = ("generate", "a red square", "a blue square", "--seed", 1, "--model", staged, "-o", "out")
    assert t2i(*request).code == 0
    assert "2 pictures" in t2i(*request, "--stages").err  # their strips were missing
    names = sorted(path.name for path in (here / "out").iterdir())
    assert names == [
        "0001-a-red-square-1-stages.png", "0001-a-red-square-1.png",
        "0002-a-blue-square-1-stages.png", "0002-a-blue-square-1.png", "grid.png",
    ]  # fmt: skip
    before = contents(here / "out")
    assert "0 pictures, 2 were there already" in t2i(*request, "--stages").err
    after = contents(here / "out")
    assert {name for name in before if before[name] != after[name]} <= {"grid.png"}


def test_a_model_of_one_stage_says_so(t2i: T2I, run_folder: Path, here: Path) -> None:
    for out in ("red.png", "out"):
        error = t2i("generate", "a red square", "--model", run_folder, "-o", out, "--stages").error
        assert "one stage" in error and "Leave out --stages" in error
    assert list(here.iterdir()) == []
