"""Runs docs/own_pictures.md: its ten commands in order, with runs of a few steps."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown import ROOT, blocks, commands
from PIL import Image, ImageDraw

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.training.config import DataConfig, TrainConfig
from t2i.training.defaults import rules

PAGE = "docs/own_pictures.md"


def test_its_ten_commands_lead_from_a_folder_to_a_shared_model(
    t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for colour in ("red", "green", "blue", "orange", "purple", "black", "brown", "pink", "cyan", "grey"):
        for shape in ("ellipse", "rectangle", "line", "chord"):
            picture = Image.new("RGB", (64, 64), "white")
            kwargs = {"start": 20, "end": 200} if shape == "chord" else {}
            getattr(ImageDraw.Draw(picture), shape)((12, 12, 52, 52), fill=colour, **kwargs)
            picture.save(tmp_path / "photos" / f"{colour}-{shape}.jpg")
            (tmp_path / "photos" / f"{colour}-{shape}.txt").write_text(f"a {colour} {shape}")
    monkeypatch.setattr("t2i.training.run.seconds_a_step", lambda *arguments: 600.0)  # so that a run has few steps
    monkeypatch.setattr("t2i_metrics.train_heads.STEPS", 60)
    lines = commands(PAGE)
    assert len(lines) == 10 and all(line[0] == "t2i" for line in lines)
    for line in lines:
        result = t2i(*line[1:])
        assert result.code == 0, (line, result.err)
    assert (tmp_path / "runs/kept/best/model.safetensors").is_file() and (tmp_path / "runs/first/nearest.png").is_file()
    assert (tmp_path / "published" / "model.safetensors").is_file()
    assert len([*(tmp_path / "drawn").glob("*.png")]) == 9  # eight pictures and their grid


def test_readmes_section_begins_with_its_first_three_commands() -> None:
    code = next(block.code for block in blocks("README.md") if "t2i recommend" in block.code)
    first = [line.split("#")[0].split()[2:] for line in code.splitlines()[:3]]
    assert [[word for word in words if "/" not in word] for words in first] == [
        [word for word in words if "/" not in word and word != "photos"] for words in commands(PAGE)[:3]
    ]


def test_the_settings_and_rules_it_names_exist() -> None:
    page = (ROOT / PAGE).read_text()
    for setting in ("validation", "validate_every", "patience", "mix", "batch_size"):
        assert f"train.{setting}" in page and setting in TrainConfig.model_fields
    assert (
        "data.fit=pad" in page
        and "data.position=start" in page
        and {"fit", "position"} <= DataConfig.model_fields.keys()
    )
    mix = next(rule for rule in rules.RULES if rule.setting == "train.mix")
    assert mix.value == 0.25 and "takes a quarter of" in " ".join(page.split())
