"""`t2i interpolate` and `t2i reconstruct`, with models that support them and models that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageChops

from fakes.command_line import T2I, contents
from t2i.create import create_model
from t2i.publishing.pretrained import save_pretrained

CVAE = {"encoder_widths": (8, 16), "widths": (16, 8), "latent_dim": 8, "condition_dim": 16, "hidden_dim": 16}
MODELS: dict[str, dict[str, Any]] = {
    "cvae": CVAE,
    "cgan": {"widths": (16, 8), "condition_dim": 16, "hidden_dim": 16},
    "transformer": {"widths": (8, 16), "codes": 24, "code_dim": 8, "dim": 16, "depth": 1, "heads": 2},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Snapshots of untrained models of 16 px."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    return {
        name: save_pretrained(create_model(name, resolution=16, **shape).eval(), folder / name)
        for name, shape in MODELS.items()
    }


@pytest.fixture
def picture(here: Path) -> Path:
    square = Image.linear_gradient("L").convert("RGB")
    square.save(here / "picture.png")
    return here / "picture.png"


# --- interpolate ---------------------------------------------------------------------------------------------------


def test_a_strip_begins_and_ends_with_the_two_pictures(t2i: T2I, models: dict[str, Path], here: Path) -> None:
    words = ("a red square", "a blue heart", "--model", models["cvae"], "--seed", 3, "--device", "cpu")
    assert t2i("interpolate", *words, "--to-seed", 4, "--frames", 5, "-o", "strip.png").code == 0
    assert t2i("generate", words[0], *words[2:], "-o", "first.png").code == 0
    strip, first = Image.open(here / "strip.png"), Image.open(here / "first.png")
    assert strip.size == (5 * 132 + 4, 136)
    cells = [strip.crop((4 + 132 * i, 4, 132 + 132 * i, 132)) for i in range(5)]
    shown = first.convert("RGB").resize((128, 128), Image.Resampling.NEAREST)
    difference = ImageChops.difference(cells[0].convert("RGB"), shown)
    assert max(high for _, high in difference.getextrema()) <= 1  # a batch of one may round otherwise
    assert len({cell.tobytes() for cell in cells}) == 5


def test_a_gif_plays_forwards_and_backwards(t2i: T2I, models: dict[str, Path], here: Path) -> None:
    result = t2i("interpolate", "a cat", "a dog", "--model", models["cvae"], "--seed", 1, "--frames", 4, "-o", "w.gif")
    assert result.code == 0 and "w.gif (seeds 1 to 1)" in result.err
    with Image.open(here / "w.gif") as walk:
        assert (walk.format, walk.n_frames, walk.size, walk.info["loop"]) == (
            "GIF",
            6,
            (128, 128),
            0,
        )  # the loop closes itself


def test_one_caption_interpolates_between_two_seeds(t2i: T2I, models: dict[str, Path], here: Path) -> None:
    walk = ("interpolate", "a cat", "--model", models["cvae"], "--seed", 1, "--to-seed", 2, "--frames", 2)
    assert t2i(*walk, "-o", "a.png").code == 0
    assert t2i(*walk, "-o", "b.png", "--option", "temperature=0").code == 0
    a, b = (Image.open(here / name) for name in ("a.png", "b.png"))
    ends = [picture.crop((4 + 132 * i, 4, 132 + 132 * i, 132)).tobytes() for picture in (a, b) for i in range(2)]
    assert ends[0] != ends[1] and ends[2] == ends[3]  # at temperature 0 the seed has no effect


WRONG = {
    "no second end": (["a cat"], "a second caption or --to-seed, got neither"),
    "one frame": (["a cat", "a dog", "--frames", "1"], "from 2 to 400"),
    "too many frames": (["a cat", "a dog", "--frames", "401"], "from 2 to 400"),
    "a seed below 0": (["a cat", "a dog", "--seed", "-1"], "--seed must be a whole number"),
    "another seed below 0": (["a cat", "--to-seed", "-1"], "--to-seed must be a whole number"),
    "an empty caption": (["a cat", " "], "Prompt 2 is empty"),
    "a picture format": (["a cat", "a dog", "-o", "walk.mp4"], "walk.gif"),
    "an unknown option": (["a cat", "a dog", "--option", "tempreture=1"], "temperature"),
    "an option outside its range": (["a cat", "a dog", "--option", "temperature=3"], "temperature"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_impossible_interpolation_is_a_one_sentence_error(
    t2i: T2I, models: dict[str, Path], here: Path, case: str
) -> None:
    arguments, message = WRONG[case]
    assert message in t2i("interpolate", *arguments, "--model", models["cvae"]).error
    assert not contents(here)


@pytest.mark.parametrize("name", ["cgan", "transformer"])
def test_a_model_that_cannot_interpolate_names_those_that_can(
    t2i: T2I, models: dict[str, Path], here: Path, name: str
) -> None:
    error = t2i("interpolate", "a cat", "a dog", "--model", models[name]).error
    assert f"a {name}, which cannot draw pictures between two others" in error and "cvae" in error
    assert not contents(here)


# --- reconstruct ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cvae", "transformer"])
def test_a_picture_is_reconstructed(t2i: T2I, models: dict[str, Path], picture: Path, here: Path, name: str) -> None:
    result = t2i("reconstruct", picture, "--prompt", "a gradient", "--model", models[name], "-o", "back.png")
    assert result.code == 0
    with Image.open(here / "back.png") as back:
        assert (back.format, back.mode, back.size) == ("PNG", "RGB", (16, 16))


def test_unusual_pictures_are_converted_and_reported(t2i: T2I, models: dict[str, Path], here: Path) -> None:
    Image.new("CMYK", (40, 20)).save(here / "ink.jpg")
    result = t2i("reconstruct", "ink.jpg", "--prompt", "ink", "--model", models["cvae"], "-o", "back.png")
    assert result.code == 0 and "CMYK" in result.err


def test_a_model_that_cannot_reconstruct_names_those_that_can(t2i: T2I, models: dict[str, Path], picture: Path) -> None:
    error = t2i("reconstruct", picture, "--prompt", "a gradient", "--model", models["cgan"]).error
    assert "a cgan, which cannot reconstruct a picture. Techniques that can: cvae" in error and "transformer" in error


@pytest.mark.parametrize("case", ["missing", "empty", "text", "folder"])
def test_a_file_that_is_not_a_picture_is_reported(t2i: T2I, models: dict[str, Path], here: Path, case: str) -> None:
    path = here / "picture.png"
    if case == "folder":
        path.mkdir()
    elif case != "missing":
        path.write_bytes(b"" if case == "empty" else b"no picture")
    error = t2i("reconstruct", path, "--prompt", "it", "--model", models["cvae"], "-o", "back.png").error
    assert "picture.png" in error and not (here / "back.png").exists()


def test_a_prompt_and_a_png_name_are_required(t2i: T2I, models: dict[str, Path], picture: Path) -> None:
    assert "prompt" in t2i("reconstruct", picture, "--model", models["cvae"]).error
    assert "empty" in t2i("reconstruct", picture, "--prompt", " ", "--model", models["cvae"]).error
    assert "back.png" in t2i("reconstruct", picture, "--prompt", "it", "-o", "back.jpg").error
