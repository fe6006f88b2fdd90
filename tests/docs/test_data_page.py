"""Runs every command of docs/data.md, on small data in each layout it names."""

from __future__ import annotations

import io
import json
import shlex
import sys
import tarfile
from pathlib import Path

import pytest
from markdown import blocks
from PIL import Image

from t2i.cli.main import main

COLOURS = ("red", "green", "blue", "yellow")
PAGE = "docs/data.md"


def commands() -> list[list[str]]:
    lines = [line for block in blocks(PAGE) if block.language == "sh" for line in block.code.splitlines()]
    found = [shlex.split(line, comments=True) for line in lines]
    assert all(command[:3] == ["uv", "run", "t2i"] for command in found)
    return [command[2:] for command in found]


def test_every_reader_has_its_command() -> None:
    said = " ".join(" ".join(command) for command in commands())
    for reader in ("coco:", "cub:", "visual_genome:", "hf:", "webdataset:", "folder:"):
        assert reader in said


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four squares in every layout the page names."""
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "path" / "to"
    squares = {f"{colour}.jpg": Image.new("RGB", (70, 70), colour) for colour in COLOURS}
    bird = "CUB_200_2011/images/001.Bird"
    for place in ("folder", "folder/train", "coco/val2017", "vg/VG_100K", bird, "shards", "parquet"):
        (root / place).mkdir(parents=True)
    for number, (name, picture) in enumerate(squares.items()):
        for place in ("folder", "folder/train"):
            picture.save(root / place / name)
            (root / place / name).with_suffix(".txt").write_text(f"a {Path(name).stem} square\n")
        picture.save(root / "coco" / "val2017" / name)
        picture.save(root / "vg" / "VG_100K" / f"{number}.jpg")
        picture.save(root / bird / name)
    _coco(root / "coco", list(squares))
    _visual_genome(root / "vg")
    _cub(root / "CUB_200_2011", list(squares))
    _webdataset(root / "shards" / "train-000.tar", squares)
    _parquet(root / "parquet" / "train-00000-of-00001.parquet", squares)
    return tmp_path


def _coco(root: Path, names: list[str]) -> None:
    (root / "annotations").mkdir()
    content = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(names)],
        "annotations": [{"id": n, "image_id": n, "caption": f"a {name[:-4]} square"} for n, name in enumerate(names)],
    }
    (root / "annotations" / "captions_val2017.json").write_text(json.dumps(content))


def _visual_genome(root: Path) -> None:
    box = {"x": 5, "y": 5, "width": 40, "height": 40}
    entries = [{"id": n, "regions": [{"region_id": n, "phrase": f"a {c} corner"} | box]} for n, c in enumerate(COLOURS)]
    (root / "region_descriptions.json").write_text(json.dumps(entries))
    (root / "image_data.json").write_text(json.dumps([{"image_id": n, "url": f"x/{n}.jpg"} for n in range(4)]))


def _cub(root: Path, names: list[str]) -> None:
    rows = {
        "images.txt": [f"001.Bird/{name}" for name in names],
        "image_class_labels.txt": ["1"] * 4,
        "train_test_split.txt": ["1"] * 4,
        "bounding_boxes.txt": ["10.0 10.0 30.0 20.0"] * 4,
        "classes.txt": ["001.Bird"],
    }
    for file, values in rows.items():
        (root / file).write_text("".join(f"{number} {value}\n" for number, value in enumerate(values, start=1)))
    (root / "text_c10" / "001.Bird").mkdir(parents=True)
    for name in names:
        (root / "text_c10" / "001.Bird" / name).with_suffix(".txt").write_text(f"a {name[:-4]} bird\n" * 10)


def _webdataset(path: Path, squares: dict[str, Image.Image]) -> None:
    with tarfile.open(path, "w") as archive:
        for name, picture in squares.items():
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG")
            for member, content in ((name, buffer.getvalue()), (f"{name[:-4]}.txt", b"a square")):
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def _parquet(path: Path, squares: dict[str, Image.Image]) -> None:
    datasets = pytest.importorskip("datasets")
    columns = {"image": list(squares.values()), "text": [f"a {name[:-4]} square" for name in squares]}
    datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image()).to_parquet(str(path))


def test_every_command_works(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for command in commands():
        shorter = ["2" if word == "2000" else word for word in command]  # two steps are enough
        if shorter[1] == "train":
            shorter.append("train.batch_size=4")
        monkeypatch.setattr(sys, "argv", shorter)
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        assert stopped.value.code == 0, (command, printed.err)
        if shorter[2] == "info":
            counted = [line.split() for line in printed.out.splitlines()]
            assert ["pictures:", "8" if shorter[3] == "path/to/folder" else "4"] in counted, command
            assert ["left", "out:", "0"] in counted, command
    assert Image.open(folder / "sheet.png").format == "PNG"
    assert (folder / "packs" / "mine" / "pack.json").is_file()
    assert (folder / "runs" / "mine" / "run.yaml").is_file()
