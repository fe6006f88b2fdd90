"""`t2i data`: a folder's contents, its problems, its contact sheet and its pack."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageColor

from fakes.command_line import T2I, contents
from fakes.forked import ForkedCommand
from t2i.create import load_dataset
from t2i.data.fit import Fitting
from t2i.data.pack.pack import open_pack
from t2i.data.pack.partial_folder import PartialFolder


@pytest.fixture
def flawed(squares: Path, here: Path) -> Path:
    """The ten squares, one of them duplicated, and one file with each kind of problem."""
    data = Path(shutil.copytree(squares, here / "data"))
    shutil.copy(data / "red.png", data / "double.png")
    frames = [Image.new("RGB", (8, 8), ink) for ink in ("red", "blue")]
    frames[0].save(data / "moving.gif", save_all=True, append_images=frames[1:])
    (data / "zero.png").write_bytes(b"")
    (data / "cut.png").write_bytes((data / "red.png").read_bytes()[:40])
    (data / "text.png").write_text("no picture")
    Image.new("CMYK", (8, 8), (90, 0, 0, 0)).save(data / "inks.jpg")
    for name in ("double", "moving", "zero", "cut", "text", "inks"):
        (data / f"{name}.txt").write_text("a red square" if name == "double" else f"a picture called {name}")
    Image.new("RGB", (8, 8)).save(data / "silent.png")
    (data / "latin.txt").write_bytes(b"caf\xe9")
    Image.new("RGB", (8, 8)).save(data / "latin.png")
    return data


def facts(t2i: T2I, *arguments: object) -> dict:
    result = t2i("data", *arguments, "--json")
    assert result.code == 0, result
    return json.loads(result.out)


def test_info_counts_without_decoding(t2i: T2I, squares: Path) -> None:
    found = facts(t2i, "info", squares)
    assert (found["pictures"], found["captions"], found["distinct_captions"], found["classes"]) == (10, 10, 10, 10)
    assert found["words_per_caption"] == {"smallest": 3, "median": 3.0, "largest": 3}
    assert found["sizes"] == {"smallest": [16, 16], "median": [16, 16], "largest": [16, 16]}
    assert (found["left_out"], found["problems"]) == (0, [])
    shown = t2i("data", "info", squares).out
    assert "pictures:             10" in shown and "words per caption:    smallest 3" in shown


def test_info_shows_how_classes_are_balanced(t2i: T2I, here: Path) -> None:
    for name, count in (("cats", 5), ("dogs", 2)):
        (here / "data" / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8 + number)).save(here / "data" / name / f"{number}.png")
    found = facts(t2i, "info", "data")
    assert found["classes"] == 2
    assert found["pictures_per_class"] == {"smallest": 2, "median": 3.5, "largest": 5}
    assert found["largest_classes"] == {"cats": 5, "dogs": 2}
    assert found["sizes"]["largest"] == [8, 12]


def test_check_lists_every_problem_and_every_duplicate(t2i: T2I, flawed: Path) -> None:
    found = facts(t2i, "check", flawed)
    reasons = {problem["where"]: problem["reason"] for problem in found["problems"] if problem["skipped"]}
    assert reasons.pop("zero.png") == "the file is empty"
    assert reasons.pop("moving.gif") == "an animation of 2 frames, not one picture"
    assert reasons.pop("silent.png") == "it has no caption file silent.txt"
    assert reasons.pop("latin.png") == "latin.txt is not UTF-8 at byte 3"
    for name in ("cut.png", "text.png"):
        assert reasons.pop(name).startswith("not a readable picture")
    assert reasons == {}
    assert (found["usable_pictures"], found["left_out"], found["converted"]) == (12, 6, 1)
    assert found["duplicates"]["pictures"] == ["red.png = double.png"]
    assert found["duplicates"]["captions"] == ["'a red square' (2 pictures)"]
    shown = t2i("data", "check", flawed)
    assert "left out: zero.png: the file is empty" in shown.err
    assert "changed: inks.jpg: CMYK converted to RGB" in shown.err
    assert "red.png = double.png" in shown.out


@pytest.mark.parametrize("verb", [["info"], ["check"], ["pack", "--out", "pack", "--resolution", "8"]])
def test_strict_refuses(t2i: T2I, flawed: Path, squares: Path, here: Path, verb: list[str]) -> None:
    error = t2i("data", *verb, flawed, "--strict").error
    assert "must have no problems" in error and "Fix or remove them" in error
    assert not (here / "pack").exists()
    assert t2i("data", "check", squares, "--strict").code == 0


def test_show_draws_captioned_pictures_and_the_reasons_of_broken_ones(t2i: T2I, flawed: Path) -> None:
    assert t2i("data", "show", flawed, "-o", "sheet.png", "-n", 16, "--resolution", 32).code == 0
    with Image.open("sheet.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
    colours, numbers = np.unique(pixels, axis=0, return_counts=True)
    counts = dict(zip(map(tuple, colours.tolist()), numbers.tolist(), strict=True))
    for colour in ("red", "blue", "purple", "orange"):
        assert counts[ImageColor.getrgb(colour)] >= 32 * 32
    assert counts[ImageColor.getrgb("#eeeeee")] >= 4 * 32 * 32 * 0.9
    assert counts[ImageColor.getrgb("#b00000")] > 0


def test_show_draws_transparent_pictures_on_the_background(t2i: T2I, here: Path) -> None:
    (here / "data").mkdir()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(here / "data" / "clear.png")
    (here / "data" / "clear.txt").write_text("nothing")
    assert t2i("data", "show", "data", "--background", "#0000ff", "--resolution", 32).code == 0
    with Image.open("sheet.png") as sheet:
        assert sheet.convert("RGB").getpixel((16, 16)) == (0, 0, 255)


def test_a_pack_is_made_once_and_used_for_training(t2i: T2I, squares: Path, here: Path) -> None:
    pack = ("data", "pack", squares, "--out", "pack", "--resolution", 16)
    result = t2i(*pack)
    assert result.code == 0 and "pack: 10 pictures of 16 px, 10 distinct captions" in result.err
    before = contents(here / "pack")
    assert any(name.startswith("text/minilm-") for name in before)
    assert t2i(*pack).code == 0
    assert contents(here / "pack") == before
    train = ("train", "cgan", "--recipe", "tiny", "--device", "cpu", "--steps", 2, "--data")
    for data, run in (("pack", "packed"), (squares, "direct")):
        assert t2i(*train, data, "--out", run).code == 0
    weights = "checkpoints/step-00000002/snapshot/model.safetensors"
    assert (here / "packed" / weights).read_bytes() == (here / "direct" / weights).read_bytes()
    snapshot = json.loads((here / "packed" / "checkpoints/step-00000002/snapshot/config.json").read_text())
    assert snapshot["facts"]["dataset"] == f"folder:{squares.name}"
    assert contents(here / "pack") == before


BAD = {
    "another resolution": (["train", "cgan", "--recipe", "tiny", "--data", "pack", "--out", "run"], "--resolution 16"),
    "out exists": (["data", "pack", "{squares}", "--out", "pack", "--resolution", "9"], "pack already exists"),
    "out is a file": (["data", "pack", "{squares}", "--out", "file", "--resolution", "9"], "file already exists"),
    "out under a file": (["data", "pack", "{squares}", "--out", "file/x", "--resolution", "9"], "Cannot write"),
    "no resolution": (["data", "pack", "{squares}", "--out", "x"], "--resolution"),
    "resolution zero": (["data", "pack", "{squares}", "--out", "x", "--resolution", "0"], "--resolution"),
    "unknown encoder": (
        ["data", "pack", "{squares}", "--out", "pack", "--resolution", "8", "--text-encoder", "minilmm"],
        "Did you mean 'minilm'",
    ),
    "a damaged pack": (["data", "info", "damaged"], "images.bin is damaged"),
    "a damaged pack trained on": (
        ["train", "cgan", "--recipe", "tiny", "--data", "damaged", "--out", "run"],
        "images.bin is damaged",
    ),
    "no such data": (["data", "info", "./gone"], "no file or folder ./gone"),
    "no such reader": (["data", "info", "coko:x"], "Did you mean 'coco'"),
    "no such split": (["data", "info", "cub:x:val"], "seen, unseen"),
    "an empty folder": (["data", "check", "empty"], "No captioned picture"),
    "a sheet that is not a PNG": (["data", "show", "{squares}", "-o", "sheet.jpg"], "sheet.png"),
    "an unknown background": (["data", "show", "{squares}", "--background", "greyish"], "got 'greyish'"),
    "a background for drawings": (["data", "show", "openmoji", "--background", "black"], "Leave --background out"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_requests_are_one_line_errors_and_write_nothing(
    t2i: T2I, squares: Path, here: Path, arguments: list[str], message: str
) -> None:
    assert t2i("data", "pack", squares, "--out", "pack", "--resolution", 8, "--text-encoder", "none").code == 0
    shutil.copytree(here / "pack", here / "damaged")
    images = here / "damaged" / "images.bin"
    images.write_bytes(b"x" + images.read_bytes()[1:])
    (here / "empty").mkdir()
    (here / "file").write_text("mine")
    before = contents(here)
    assert message in t2i(*(argument.format(squares=squares) for argument in arguments)).error
    assert contents(here) == before


def test_problems_of_one_kind_are_one_line(t2i: T2I, here: Path) -> None:
    (here / "data").mkdir()
    for number in range(30):
        Image.new("LA", (8, 8), (number, 255)).save(here / "data" / f"{number}.png")
        (here / "data" / f"{number}.txt").write_text("" if number < 25 else f"a {number}")
    shown = t2i("data", "check", "data", "--text-encoder", "none").err.splitlines()
    assert [line for line in shown if "changed" in line] == [
        "changed: 5 times: mode LA converted to RGB (25.png, 26.png, 27.png, ...)"
    ]
    assert [line for line in shown if "left out" in line] == [
        "left out: 25 times: *.txt has no caption (0.png, 1.png, 10.png, ...)"
    ]


def test_shortened_lists_say_how_much_is_missing(t2i: T2I, here: Path) -> None:
    (here / "data").mkdir()
    for number in range(30):
        Image.new("RGB", (8, 8)).save(here / "data" / f"{number}.png")
        (here / "data" / f"{number}.txt").write_text(f"a {number}")
    assert "equal pictures:       and 9 more (--json lists all)" in t2i("data", "check", "data").out
    assert facts(t2i, "check", "data")["equal_at_64_px"] == 29


def test_useless_captions_give_a_warning_before_training(t2i: T2I, here: Path) -> None:
    captions = ["\U0001f431\U0001f431", "a cat " + "and a dog " * 60, "a \U0001f431 cat"]
    for number, caption in enumerate(captions):
        (here / "data").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (90 * number, 0, 0)).save(here / "data" / f"{number}.png")
        (here / "data" / f"{number}.txt").write_text(caption)
    wanted = (
        "1 of 3 distinct captions have no word that the text encoder minilm knows",
        "1 of 3 distinct captions have words that the text encoder minilm does not know",
        "1 of 3 distinct captions are too long for the text encoder minilm",
    )
    found = facts(t2i, "check", "data")["remarks"]
    trained = t2i(
        "train", "cgan", "--recipe", "tiny", "--device", "cpu", "--steps", 1, "--data", "data", "--out", "run"
    )
    assert trained.code == 0
    for sentence in wanted:
        assert any(sentence in remark for remark in found)
        assert f"warning: folder:data: {sentence}" in trained.err
    for number in range(3):
        (here / "data" / f"{number}.txt").write_text("a cat")
    assert "note: All 3 pictures have the same caption, 'a cat'" in t2i("data", "info", "data").err
    again = t2i("train", "--resume", "run", "--steps", 2, "--device", "cpu")
    assert again.code == 0
    assert "folder:data has changed since this run began" in again.err
    assert "All 3 pictures have the same caption, 'a cat'" in again.err


def test_columns_with_unusual_names_can_be_chosen_and_a_run_stores_them(t2i: T2I, squares: Path, here: Path) -> None:
    (here / "data").mkdir()
    rows = ["picture,words", *(f"{path.name},{path.read_text().strip()}" for path in squares.glob("*.txt"))]
    (here / "data" / "metadata.csv").write_text("\n".join(rows).replace(".txt", ".png"))
    for path in squares.glob("*.png"):
        shutil.copy(path, here / "data")
    assert "columns picture, words" in t2i("data", "info", "data").error
    columns = ("--caption-column", "words", "--image-column", "picture")
    assert facts(t2i, "info", "data", *columns)["pictures"] == 10
    train = ("train", "cgan", "--recipe", "tiny", "--device", "cpu", "--steps", 1, "--out", "run", "--data", "data")
    assert t2i(*train, *columns).code == 0
    again = t2i("train", "--resume", "run", "--steps", 2, "--device", "cpu")
    assert again.code == 0 and "has changed" not in again.err


def test_names_that_are_not_utf8_are_packed_and_trained_on(t2i: T2I, squares: Path, here: Path) -> None:
    folder = here / os.fsdecode(b"d\xe9")
    shutil.copytree(squares, folder)
    for suffix in (".png", ".txt"):
        (folder / f"red{suffix}").rename(folder / (os.fsdecode(b"r\xe9d") + suffix))
    assert t2i("data", "pack", folder, "--out", "pack", "--resolution", 16, "--text-encoder", "none").code == 0
    pack = open_pack(here / "pack")
    assert (pack.name, "r\\xe9d.png" in list(pack.ids)) == ("folder:d\\xe9", True)
    train = ("train", "cgan", "--recipe", "tiny", "--device", "cpu", "--steps", 1, "--out", "run", "--data")
    assert t2i(*train, folder).code == 0
    assert t2i("train", "--resume", "run", "--steps", 2, "--device", "cpu").code == 0


def test_info_imports_no_torch(squares: Path) -> None:
    code = (
        "import sys; from t2i.cli.main import run; "
        f"code = run(['data', 'info', {str(squares)!r}]); sys.exit(code or ('torch' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120).returncode == 0


def test_json_is_ascii(t2i: T2I, here: Path) -> None:
    (here / "data").mkdir()
    Image.new("RGB", (8, 8)).save(here / "data" / "é.png")
    (here / "data" / "é.txt").write_text("一只猫", encoding="utf-8")
    result = t2i("data", "info", "data", "--json")
    assert result.out.isascii() and json.loads(result.out)["pictures"] == 1


def test_after_ctrl_c_the_same_command_continues(t2i: T2I, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "data").mkdir()
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
    picture.save(here / "0.png")
    for number in range(700):
        os.link(here / "0.png", here / "data" / f"{number}.png")
        (here / "data" / f"{number}.txt").write_text(f"noise {number}")
    arguments = ["data", "pack", "data", "--out", "pack", "--resolution", "8", "--text-encoder", "none"]
    journal = here / ".pack.unfinished" / "journal.jsonl"
    append = PartialFolder.append

    def append_once(folder: PartialFolder, *chunk: Any) -> None:
        append(folder, *chunk)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(PartialFolder, "append", append_once)
        with ForkedCommand(*arguments) as command:
            assert command.wait() == 130, command.err
            assert "The same command continues." in command.err and "Traceback" not in command.err
    assert journal.exists() and not (here / "pack").exists()
    assert journal.read_bytes().count(b"\n") > 0
    assert t2i(*arguments).code == 0
    assert len(open_pack(here / "pack").ids) == 700
    assert not journal.exists()


def test_pictures_become_squares_as_asked(t2i: T2I, here: Path) -> None:
    """In a pack, which records how, and on a sheet."""
    (here / "tall").mkdir()
    picture = Image.new("RGB", (20, 60), "red")
    picture.paste("blue", (0, 20, 20, 60))
    picture.save(here / "tall" / "a.png")
    (here / "tall" / "a.txt").write_text("a flag")
    for fit, position in (("crop", "start"), ("pad", "end"), ("squash", "centre"), ("crop", "centre")):
        how, name = ("--fit", fit, "--position", position), f"{fit}-{position}"
        result = t2i("data", "pack", "tall", "-o", name, "--resolution", 20, "--text-encoder", "none", *how)
        assert result.code == 0, result
        dataset, fitting = load_dataset(str(here / name)), Fitting(fit, position)
        assert dataset.fitting == fitting and dataset.fitted(fitting) is dataset
        assert dataset.picture(0, 20)[0].tobytes() == fitting(picture, 20).tobytes()
        assert t2i("data", "show", "tall", "-o", f"{name}.png", *how).code == 0
    assert len({path.read_bytes() for path in here.glob("*-*.png")}) == 4
    assert "fitting" not in (here / "crop-centre" / "pack.json").read_text()
