"""`t2i regenerate`: a picture is drawn again from its provenance."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from fakes.command_line import T2I, contents
from fakes.hub import FakeHub
from fakes.hub import cache as cache
from fakes.hub import hub as hub
from fakes.hub import server as server
from t2i.drawing.provenance import CHUNK, png_bytes, read_provenance, signed


@pytest.fixture
def model(run_folder: Path, here: Path) -> Path:
    """A copy of the tiny run that a test may change."""
    return Path(shutil.copytree(run_folder, here.parent / "run"))


@pytest.fixture
def picture(t2i: T2I, model: Path, here: Path) -> Path:
    """A picture that it drew."""
    options = ("--option", "truncation=0.5", "--device", "cpu")
    assert t2i("generate", "a red square", "--seed", 7, "--model", model, "-o", "picture.png", *options).code == 0
    return here / "picture.png"


def test_the_file_is_regenerated_byte_for_byte(t2i: T2I, picture: Path, here: Path) -> None:
    result = t2i("regenerate", picture, "-o", "again.png")
    assert result.code == 0 and "the same picture" in result.err
    assert (here / "again.png").read_bytes() == picture.read_bytes()


def test_each_picture_of_a_batch_is_regenerated_alone(t2i: T2I, model: Path, here: Path) -> None:
    t2i("generate", "a red square", "a blue square", "-n", 3, "--model", model, "-o", "out", "--device", "cpu")
    for path in sorted((here / "out").glob("0*.png")):
        assert t2i("regenerate", path, "--force").code == 0
        assert (here / "again.png").read_bytes() == path.read_bytes()


def test_an_edited_picture_is_reported_and_exits_with_1(t2i: T2I, picture: Path, here: Path) -> None:
    with Image.open(picture) as image:
        edited = image.convert("RGB")
    edited.putpixel((0, 0), tuple(255 - value for value in edited.getpixel((0, 0))))
    picture.write_bytes(png_bytes(signed(edited, read_provenance(picture))))
    result = t2i("regenerate", picture, "-o", "again.png")
    assert result.code == 1 and "differs from" in result.err
    assert (here / "again.png").exists()


def test_other_versions_are_reported(t2i: T2I, picture: Path) -> None:
    facts = read_provenance(picture)
    with Image.open(picture) as image:
        artist = replace(facts.artist, versions={**facts.artist.versions, "torch": "0.4.1"})
        old = png_bytes(signed(image.convert("RGB"), replace(facts, artist=artist)))
    picture.write_bytes(old)
    result = t2i("regenerate", picture, "-o", "again.png")
    assert result.code == 0 and "torch 0.4.1" in result.err


def test_changed_weights_are_refused(t2i: T2I, picture: Path, model: Path, here: Path) -> None:
    shutil.rmtree(model / "checkpoints" / "step-00000020")
    error = t2i("regenerate", picture, "-o", "again.png").error
    assert read_provenance(picture).artist.weights_sha256 in error and "--model" in error
    assert not (here / "again.png").exists()


def test_a_hub_model_is_loaded_at_the_recorded_commit(t2i: T2I, run_folder: Path, hub: FakeHub, here: Path) -> None:
    old, new = (
        {path.name: path.read_bytes() for path in (run_folder / "checkpoints" / step / "snapshot").iterdir()}
        for step in ("step-00000010", "step-00000020")
    )
    repo = hub.repo("org/name", old)
    ask = ("generate", "a red square", "--seed", 7, "--model", "hf-hub:org/name", "--device", "cpu")
    assert t2i(*ask, "-o", "old.png").code == 0
    repo.commit(new)
    assert t2i(*ask, "-o", "new.png").code == 0
    for name in ("old.png", "new.png"):
        assert t2i("regenerate", name, "-o", "again.png", "--force").code == 0
        assert (here / "again.png").read_bytes() == (here / name).read_bytes()
    assert (here / "old.png").read_bytes() != (here / "new.png").read_bytes()


def test_moved_weights_can_be_given_by_path(t2i: T2I, picture: Path, model: Path, here: Path) -> None:
    moved = model.rename(here.parent / "moved")
    assert str(model) in t2i("regenerate", picture, "-o", "again.png").error
    assert t2i("regenerate", picture, "-o", "again.png", "--model", moved).code == 0
    with Image.open(picture) as first, Image.open(here / "again.png") as second:
        assert first.tobytes() == second.tobytes()


def jpeg(path: Path) -> None:
    Image.new("RGB", (8, 8)).save(path, format="JPEG")


def plain(path: Path) -> None:
    Image.new("RGB", (8, 8)).save(path)


def chunk(text: str):
    def write(path: Path) -> None:
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(CHUNK, text)
        Image.new("RGB", (8, 8)).save(path, pnginfo=chunks)

    return write


ARTIST = {
    "name": "cgan", "revision": "", "weights": {"model.safetensors": "0" * 64}, "text_encoders": {"minilm": "0" * 64},
    "device": "cpu", "versions": {},
}  # fmt: skip
FACTS = {"prompt": "a red square", "seed": 7, "options": {}, "artist": ARTIST}


def facts(**artist: object) -> str:
    return json.dumps(FACTS | {"artist": ARTIST | artist})


UNUSABLE = {
    "no provenance": ("picture.png", plain, "no provenance"),
    "a JPEG": ("picture.jpg", plain, "no provenance"),
    "a JPEG called PNG": ("picture.png", jpeg, "no provenance"),
    "another format": ("picture.gif", plain, "not a complete"),
    "no picture": ("picture.png", lambda path: path.write_bytes(b"text"), "not a complete PNG"),
    "empty": ("picture.png", lambda path: path.touch(), "not a complete PNG"),
    "missing": ("picture.png", lambda path: None, "no picture at"),
    "a folder": ("picture.png", lambda path: path.mkdir(), "picture.png"),
    "no JSON": ("picture.png", chunk("{"), "damaged"),
    "no object": ("picture.png", chunk("[]"), "damaged"),
    "a field missing": ("picture.png", chunk(json.dumps({"prompt": "a"})), "damaged"),
    "a seed in words": ("picture.png", chunk(json.dumps(FACTS | {"seed": "seven"})), "seed"),
    "options in a list": ("picture.png", chunk(json.dumps(FACTS | {"options": [1]})), "options"),
    "versions in words": ("picture.png", chunk(facts(versions="old")), "versions"),
    "model a number": ("picture.png", chunk(facts(name=5)), "artist.name"),
    "device unknown": ("picture.png", chunk(facts(device="toaster")), "toaster"),
    "model unknown": ("picture.png", chunk(facts(name="cgna")), "'cgan'"),
}


@pytest.mark.parametrize(("name", "write", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_regenerated_is_a_one_line_error(
    t2i: T2I, here: Path, name: str, write: object, message: str
) -> None:
    write(here / name)  # type: ignore[operator]
    before = contents(here)
    assert message in t2i("regenerate", name).error
    assert contents(here) == before


@pytest.mark.parametrize(("field", "value", "message"), [("seed", -1, "-1"), ("options", {"bogus": 1}, "bogus")])
def test_provenance_with_an_impossible_request_is_a_one_line_error(
    t2i: T2I, picture: Path, here: Path, field: str, value: object, message: str
) -> None:
    facts = asdict(read_provenance(picture)) | {field: value}
    chunk(json.dumps(facts))(picture)
    assert message in t2i("regenerate", picture, "-o", "again.png").error
    assert not (here / "again.png").exists()


@pytest.mark.parametrize("out", ["again.gif", "again", "folder.png", "file/again.png", "file.png", "/proc/again.png"])
def test_an_invalid_output_is_a_one_line_error(t2i: T2I, picture: Path, here: Path, out: str) -> None:
    (here / "folder.png").mkdir()
    (here / "file").touch()
    (here / "file.png").touch()
    before = contents(here)
    assert out.partition("/")[0] in t2i("regenerate", picture, "-o", out).error
    assert contents(here) == before
