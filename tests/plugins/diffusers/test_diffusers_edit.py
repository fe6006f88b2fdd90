"""`t2i edit` changes, fills and enlarges pictures, and records which picture it started from."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes.command_line import T2I
from fakes.pipelines import Written
from t2i.drawing.artist import Request
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import pixels_sha256, read_provenance
from t2i.errors import InvalidInputError
from t2i_diffusers.edit import Editor, read_picture

pytestmark = pytest.mark.usefixtures("t2i_cache")
QUICK = ("--option", "steps=4", "--device", "cpu", "--seed", 3)


@pytest.fixture
def here(tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model of 16 px, a red picture of 32 x 64, and a mask of its upper half."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(written("sd"), "model")
    Image.new("RGB", (32, 64), (200, 30, 30)).save("red.png")
    mask = Image.new("L", (32, 64), 0)
    mask.paste(255, (0, 0, 32, 32))
    mask.save("mask.png")
    return tmp_path


def test_a_picture_is_changed_more_by_a_higher_strength(t2i: T2I, here: Path) -> None:
    for strength in (0.25, 1.0):
        edit = ("edit", "red.png", "a blue heart", "--model", "./model", "--option", f"strength={strength}", *QUICK)
        done = t2i(*edit, "-o", f"{strength}.png")
        assert done.code == 0, done
    facts = read_provenance(here / "0.25.png")
    assert facts.source is not None and facts.source.how == "image-to-image" and facts.source.mask_sha256 == ""
    assert facts.source.sha256 == pixels_sha256(Image.open("red.png")) and facts.options["strength"] == 0.25
    changes = []
    for strength in (0.25, 1.0):
        with Image.open(f"{strength}.png") as edited:
            assert edited.size == (32, 32)  # the longer side is the resolution, in multiples of 32
            changes.append(np.asarray(edited, dtype=int))
    assert np.abs(changes[0] - changes[1]).max() > 0
    error = t2i("regenerate", "0.25.png", "-o", "again.png").error
    assert facts.source.sha256 in error and "--seed 3" in error


def test_a_masked_part_is_filled(t2i: T2I, here: Path) -> None:
    edit = ("edit", "red.png", "a heart", "--model", "./model", *QUICK)
    assert t2i(*edit, "--mask", "mask.png", "-o", "filled.png").code == 0
    source = read_provenance(here / "filled.png").source
    assert source is not None and source.how == "inpainting"
    assert source.mask_sha256 == pixels_sha256(Image.open("mask.png"))
    assert "got both" in t2i(*edit, "--mask", "mask.png", "--enlarge", 2, "-o", "x.png").error


def test_a_picture_is_enlarged(t2i: T2I, here: Path) -> None:
    edit = ("edit", "red.png", "red", "--model", "./model", *QUICK)
    assert t2i(*edit, "--enlarge", 2, "-o", "large.png").code == 0
    with Image.open("large.png") as large:
        assert large.size == (64, 128)
    assert read_provenance(here / "large.png").options["strength"] == 0.3
    assert "from 2 to 4" in t2i(*edit, "--enlarge", 9, "-o", "x.png").error


@pytest.mark.parametrize("family", ["sdxl", "sd3"])
def test_other_families_edit_too(family: str, written: Written) -> None:
    artist = pipeline(str(written(family)), device="cpu")
    editor = Editor(artist, "image-to-image")
    picture = Image.new("RGB", (32, 32), "red")
    first, again = (
        editor.edit(picture, Request("a heart", 5), editor.options(steps=2, strength=0.9)) for _ in range(2)
    )
    assert first.image.tobytes() == again.image.tobytes() and first.provenance.source is not None


def test_what_cannot_be_edited_is_an_error(t2i: T2I, here: Path, written: Written) -> None:
    with pytest.raises(InvalidInputError, match=r"PixArtSigmaPipeline, and diffusers has no inpainting for these"):
        Editor(pipeline(str(written("pixart")), device="cpu"), "inpainting")
    (here / "not.png").write_bytes(b"not a picture")
    assert "not a complete PNG" in t2i("edit", "not.png", "a", "--model", "./model").error
    assert "no picture at none.png" in t2i("edit", "none.png", "a", "--model", "./model").error
    assert "strength" in t2i("edit", "red.png", "a", "--model", "./model", "--option", "strength=0").error


def test_a_transparent_picture_is_read_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_picture(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
