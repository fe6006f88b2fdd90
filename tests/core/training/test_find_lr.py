"""`train.find_lr`: losses at rising learning rates."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.training import write_squares
from t2i.training.find_lr import RateCurve


def test_the_suggestion_is_a_tenth_of_the_rate_with_the_lowest_loss() -> None:
    curve = RateCurve([0.1, 1.0, 10.0, 100.0], {"g": [3.0, 2.0, 1.0, 9.0], "d": [1.0, 1.0, 1.0, 1.0]})
    assert curve.suggestion == 1.0 and curve.advice == "train.lr_factor=1"
    assert RateCurve([0.01, 0.02], {"g": [1.0, 2.0]}).suggestion == 0.01


def test_it_draws_the_curve_and_makes_no_run(
    t2i: T2I, fakes_installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("t2i.training.find_lr.STEPS", 12)
    data = write_squares(tmp_path / "squares")
    given = ("--recipe", "tiny", "text_encoder=fake", "train.tracker=none", "train.find_lr=true", "--device", "cpu")
    result = t2i("train", "cgan", *given, "--data", data, "--out", tmp_path / "run")
    assert result.code == 0 and "train.lr_factor=" in result.err and "Done." not in result.err
    with Image.open(tmp_path / "run.lr.png") as image:
        assert len(image.convert("RGB").getcolors(2**24) or []) > 2
    assert not (tmp_path / "run").exists()
