"""`t2i data split`: a training and a test folder without common doubles or groups."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.create import load_dataset
from t2i.data.held_out import held_out
from t2i.data.split_folder import split_folder
from t2i.errors import DataError, OutputError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Thirty pictures; 0 and 1 have equal pixels, and those from 20 on are five classes."""
    folder = tmp_path / "mine"
    for number in range(30):
        place = folder / (f"class {number % 5}" if number >= 20 else ".")
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (max(1, number) * 8, 0, 0)).save(place / f"{number}.png")
        (place / f"{number}.txt").write_text(f"red {number}\nshade {number}\n")
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "broken.txt").write_text("broken\n")
    return folder


def test_both_parts_are_datasets_and_share_nothing(t2i: T2I, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "parts"
    result = t2i("data", "split", pictures, "-o", out, "--test", "0.3")
    assert result.code == 0 and f"folder:{out}:test" in result.err
    whole = {example.id: example for example in load_dataset(str(pictures)).examples if "broken" not in example.id}
    train, test = load_dataset(str(out)), load_dataset(f"folder:{out}:test")
    assert {example.id for example in [*train, *test]} == whole.keys() and len(train) + len(test) == 30
    assert 2 <= len(test) <= 18
    groups = [{example.group for example in part} for part in (train, test)]
    assert not groups[0] & groups[1]
    names = [{example.id for example in part} for part in (train, test)]
    assert {"0.png", "1.png"} <= names[0] or {"0.png", "1.png"} <= names[1]
    for part in (train, test):
        for index, example in enumerate(part):
            assert example.captions == whole[example.id].captions
            assert part.picture(index, 8)[0].getpixel((0, 0))[1:] == (0, 0)
            assert (example.group == example.id) == (whole[example.id].group == example.id)


def test_it_is_always_the_same_split(pictures: Path, tmp_path: Path) -> None:
    dataset = load_dataset(str(pictures))
    for name in ("a", "b"):
        split_folder(dataset, tmp_path / name, 0.2)
    assert (tmp_path / "a/test/metadata.jsonl").read_text() == (tmp_path / "b/test/metadata.jsonl").read_text()
    with pytest.raises(OutputError, match="already exists"):
        split_folder(dataset, tmp_path / "a", 0.2)


def test_validation_finds_its_share_in_the_training_part(tmp_path: Path) -> None:
    """Were both chosen by the same hash, validation's pictures would all be in the test part."""
    (tmp_path / "mine").mkdir()
    for number in range(200):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "mine" / f"{number}.png")
        (tmp_path / "mine" / f"{number}.txt").write_text(f"red {number}")
    counts = split_folder(load_dataset(str(tmp_path / "mine")), tmp_path / "parts", 0.3)
    assert 40 < counts["test"] < 80
    names = [example.id for example in load_dataset(str(tmp_path / "parts"))]
    chosen = held_out(names, np.arange(len(names)), None, 0.2)
    assert 0.1 < chosen.mean() < 0.3


def test_what_cannot_be_divided_writes_nothing(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "mine").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "mine" / f"{name}.png")
        (tmp_path / "mine" / f"{name}.txt").write_text(name)
    with pytest.raises(DataError, match=r"belong together\. Divide the pictures into more groups"):
        split_folder(load_dataset(str(tmp_path / "mine")), tmp_path / "out", 0.5)
    assert not (tmp_path / "out").exists()


def test_without_out_the_parts_are_named_after_the_folder(
    t2i: T2I, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = t2i("data", "split", pictures, "--test", "0.3")
    assert result.code == 0 and (tmp_path / f"{pictures.name}-parts" / "train").is_dir()
    assert f"train with --data {pictures.name}-parts" in result.err + result.out


def test_data_without_files_is_refused(t2i: T2I, tmp_path: Path) -> None:
    assert "has none" in t2i("data", "split", "openmoji", "-o", tmp_path / "out").error
