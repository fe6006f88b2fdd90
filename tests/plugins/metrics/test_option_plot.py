from __future__ import annotations

import io

import pytest
from PIL import Image

from t2i.errors import T2IError
from t2i.evaluation.evaluate import Evaluation
from t2i.evaluator import Score
from t2i_metrics.option_plot import option_plot, plot
from t2i_metrics.skills.evaluator import score_name
from t2i_openmoji.world.scene import SKILLS


def evaluation(value: float, seconds: float) -> Evaluation:
    names = ["skills", "kid", *map(score_name, SKILLS)]
    return Evaluation({name: Score(value, {}, standard_error=0.01) for name in names}, {}, seconds)


def pixels(picture_file: bytes) -> bytes:
    with Image.open(io.BytesIO(picture_file)) as picture:
        return picture.convert("RGB").tobytes()


def test_the_plot_shows_scores_and_seconds():
    shown = pixels(plot({"4": evaluation(0.2, 0.1), "8": evaluation(0.4, 0.2)}, "steps", "a model"))
    assert shown == pixels(plot({"4": evaluation(0.2, 0.1), "8": evaluation(0.4, 0.2)}, "steps", "a model"))
    for second in (evaluation(0.5, 0.2), evaluation(0.4, 0.3)):
        assert shown != pixels(plot({"4": evaluation(0.2, 0.1), "8": second}, "steps", "a model"))


def test_unknown_options_and_impossible_values_are_named_before_anything_is_drawn(tmp_path):
    out = tmp_path / "plot.webp"
    with pytest.raises(T2IError, match="stepz"):
        option_plot("flow.world64", "stepz", ["4"], out)
    with pytest.raises(T2IError, match=r"steps.*0"):
        option_plot("flow.world64", "steps", ["4", "0"], out)
    assert not out.exists()
