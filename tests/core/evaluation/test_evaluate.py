"""An evaluation shows its evaluators the planned pictures, in one run or in parts, and returns their scores."""

from __future__ import annotations

from collections import Counter
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save

from fakes.arguments import NO_NUMBERS
from fakes.evaluators import Brightness
from fakes.models import FakeGenerator, FakeTextEncoder
from fakes.training import COLOURS, ColouredSquares, write_squares
from t2i.create import create_evaluator
from t2i.data.readers.folder import read_folder
from t2i.drawing.pipeline import Pipeline
from t2i.errors import InvalidConfigError, InvalidInputError, UnknownNameError
from t2i.evaluation import saved_state
from t2i.evaluation.evaluate import Evaluation, evaluate, question
from t2i.evaluation.leaderboard import keep_evaluation, kept_evaluation
from t2i.evaluation.pictures import to_images
from t2i.evaluation.plan import Plan, make_plan, share
from t2i.publishing.pretrained import save_pretrained
from t2i.snapshots.resolve import resolve

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")


@pytest.fixture
def pipe(tmp_path: Path, fakes_installed: None) -> Pipeline:
    torch.manual_seed(0)
    generator, encoder = FakeGenerator(), FakeTextEncoder()
    folder = save_pretrained(generator, tmp_path / "model", text_encoder=encoder.identity)
    return Pipeline(resolve(str(folder)), generator, encoder)


def test_scores_use_the_pictures_of_generate_and_of_the_dataset(pipe: Pipeline):
    data = ColouredSquares()
    found = evaluate(pipe, data, Plan(["bright"], n=20, seed=3, batch_size=6))
    drawn = [request for request in make_plan(data.examples, 20, 3) if not request.real]
    pictures = [pipe(request.caption, seed=request.seed).images[0] for request in drawn]
    expected = np.mean([np.asarray(picture) / 127.5 - 1 for picture in pictures])
    assert found.scores["bright"].value == pytest.approx(expected, abs=1e-6)
    real = [np.asarray(data.picture(index, 8)[0]) / 127.5 - 1 for index in range(len(data))]
    assert found.scores["bright_ceiling"].value == pytest.approx(np.mean(real), abs=1e-6)
    assert found.seconds_per_image > 0 and not found.failures
    protocol = found.scores["bright"].protocol
    assert protocol["data"] == "squares:train" and protocol["seed"] == "3" and protocol["n_fake"] == "20"
    assert protocol["resolution"] == "8 px" and protocol["data_sha256"] == data.fingerprint
    assert f"torch {torch.__version__.partition('+')[0]}" in protocol["versions"]


def test_a_plan_uses_every_example_once_per_round():
    examples = ColouredSquares().examples
    plan = make_plan(examples, 20, seed=5)
    real, drawn = [[r for r in plan if r.real == kind] for kind in (True, False)]
    assert sorted(r.example for r in real) == list(range(8))
    assert [(r.example, r.caption) for r in real] == [(r.example, r.caption) for r in drawn[:8]]
    assert set(Counter(r.example for r in drawn).values()) == {2, 3}
    assert [r.seed for r in drawn] == list(range(5, 25))
    assert all(r.caption in examples[r.example].captions and r.group == examples[r.example].group for r in plan)
    assert {r.caption for r in make_plan(examples, 400, 0)} == {c for e in examples for c in e.captions}
    assert plan == make_plan(examples, 20, seed=5) != make_plan(examples, 20, seed=6)


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_processes_share_the_plan_s_batches_in_order(processes: int):
    plan = make_plan(ColouredSquares().examples, 50, 0)
    whole = share(plan, 4, 0, 1)
    parts = [share(plan, 4, process, processes) for process in range(processes)]
    for real in (True, False):
        together = [batch for part in parts for batch in part if batch[0].real == real]
        assert together == [batch for batch in whole if batch[0].real == real]
    sizes = [sum(map(len, part)) for part in parts]
    assert max(sizes) - min(sizes) <= 8


def test_an_interrupted_evaluation_continues_with_the_same_scores(pipe: Pipeline, monkeypatch, t2i_cache: Path):
    data, asked = ColouredSquares(), {"n": 30, "batch_size": 4}
    ticks = count()
    monkeypatch.setattr("t2i.evaluation.evaluate.time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    whole = evaluate(pipe, data, Plan(["bright"], **asked))
    monkeypatch.setattr(saved_state, "SAVE_EVERY_SECONDS", 0.0)
    drawn: list[str] = []
    draw = pipe.draw

    def counted(requests, options, **how):
        drawn.extend(request.prompt for request in requests)
        if len(drawn) > limit:
            raise KeyboardInterrupt
        return draw(requests, options, **how)

    monkeypatch.setattr(pipe, "draw", counted)
    limit = 17
    with pytest.raises(KeyboardInterrupt, match=r"^Interrupted: 24 of 38 pictures are evaluated\. The same command"):
        evaluate(pipe, data, Plan(["bright"], **asked))
    assert len(list((t2i_cache / "evaluations").iterdir())) == 1
    drawn.clear()
    limit = 1000
    assert evaluate(pipe, data, Plan(["bright"], **asked)) == whole
    assert whole.seconds_per_image == pytest.approx(8 / 30)  # a batch takes a second, before and after the interruption
    assert len(drawn) == 30 - 16
    assert not list((t2i_cache / "evaluations").iterdir())
    drawn.clear()
    evaluate(pipe, data, Plan(["bright"], **asked))
    assert len(drawn) == 30  # the saved state was deleted at the end


@pytest.mark.parametrize("harm", ["cut", "emptied", "another judge's", "no count"])
def test_a_damaged_saved_state_is_ignored(pipe: Pipeline, monkeypatch, t2i_cache: Path, harm: str):
    data = ColouredSquares()
    whole = evaluate(pipe, data, Plan(["bright"], n=12, batch_size=4))
    monkeypatch.setattr(saved_state, "SAVE_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(saved_state.Saved, "forget", lambda saved: None)
    evaluate(pipe, data, Plan(["bright"], n=12, batch_size=4))
    (path,) = (t2i_cache / "evaluations").iterdir()
    content = {
        "cut": path.read_bytes()[:-9],
        "emptied": b"",
        "another judge's": save({"bright/other": torch.zeros(1)}, {"done": "2", "drawn": "4", "seconds": "1"}),
        "no count": save(create_evaluator("bright").state()),
    }[harm]
    path.write_bytes(content)
    assert evaluate(pipe, data, Plan(["bright"], n=12, batch_size=4)).scores == whole.scores


def test_the_key_changes_with_everything_that_scores_depend_on(pipe: Pipeline, tmp_path: Path):
    def asked(pipe: Pipeline = pipe, metrics: tuple[str, ...] = ("bright",), split: str = "train", **changes) -> str:
        return question(pipe, ColouredSquares(split), Plan(metrics, **{"n": 8, "seed": 0, **changes}))

    def loaded(name: str, generator: FakeGenerator) -> Pipeline:
        folder = save_pretrained(generator, tmp_path / name, text_encoder=pipe.encoder.identity)
        return Pipeline(resolve(str(folder)), generator, pipe.encoder)

    others = [
        asked(loaded("copy", pipe.generator)),
        asked(loaded("other", FakeGenerator())),
        asked(metrics=("bright", "r_precision")),
        asked(split="test"),
        asked(n=9),
        asked(seed=1),
        asked(resolution=16),
        asked(settings={"bright": {"fewest": 2}}),
    ]
    assert len({asked(), *others}) == 1 + len(others)
    assert asked() == asked(resolution=8, settings={})  # the same as without options
    assert asked() == asked(batch_size=3)
    plan = Plan(("bright",), n=8)
    assert question(pipe, ColouredSquares("train"), plan, pipe.options()) == asked()
    assert question(pipe, ColouredSquares("train"), plan, pipe.options(gain=0.5)) != asked()


def test_a_stored_evaluation_is_read_completely_or_not_at_all(pipe: Pipeline, tmp_path: Path):
    found = evaluate(pipe, ColouredSquares(), Plan(["bright"], n=8))
    found = Evaluation(found.scores, {"is": "too few"}, found.seconds_per_image)
    path = tmp_path / "board" / "found.json"
    assert kept_evaluation(path) is None
    keep_evaluation(path, found)
    assert kept_evaluation(path) == found
    for harm in (path.read_bytes()[:-9], b"", b"[]", b"\xff"):
        path.write_bytes(harm)
        assert kept_evaluation(path) is None


def test_a_failing_evaluator_leaves_the_others_scores(pipe: Pipeline):
    data = ColouredSquares()
    found = evaluate(pipe, data, Plan(["bright"], n=5, settings={"bright": {"fewest": 9}}))
    assert not found.scores and found.failures == {"bright": "bright needs at least 9 pictures, got 5."}


def test_too_few_pictures_are_refused_before_any_is_drawn(pipe: Pipeline, monkeypatch):
    monkeypatch.setattr(Brightness, "least_pictures", 9)
    monkeypatch.setattr(pipe, "draw", lambda *arguments, **how: pytest.fail("it draws"))
    with pytest.raises(InvalidInputError, match=r"'bright' needs at least 9 pictures, but 8 would be drawn.*-n 9"):
        evaluate(pipe, ColouredSquares(), Plan(["bright"], n=8))


def test_unreadable_pictures_are_left_out_and_reported(pipe: Pipeline, tmp_path: Path):
    folder = write_squares(tmp_path / "data")
    (folder / "blue.png").write_bytes(b"no picture")
    said: list[str] = []
    found = evaluate(pipe, read_folder(folder), Plan(["bright"], n=4), warn=said.append)
    assert found.scores["bright_ceiling"].protocol["n_real"] == str(len(COLOURS) - 1)
    assert len(said) == 1 and "blue.png is left out: not a readable picture" in said[0]


def test_all_models_can_be_evaluated_at_one_size(pipe: Pipeline):
    data = ColouredSquares()
    found = evaluate(pipe, data, Plan(["bright"], n=8, resolution=16))
    assert found.scores["bright"].protocol["resolution"] == "16 px"
    pictures = [Image.new("RGB", (8, 8), "red"), Image.new("RGB", (16, 16), "red")]
    images = to_images(pictures, 16)
    assert images.shape == (2, 3, 16, 16) and torch.equal(images[0], images[1])


@pytest.mark.usefixtures("signatures_unchecked")
@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        *(({"n": bad}, InvalidInputError, "number of pictures drawn must be") for bad in (0, *NO_NUMBERS)),
        *(({"batch_size": bad}, InvalidInputError, "batch size must be") for bad in (0, *NO_NUMBERS)),
        *(({"seed": bad}, InvalidInputError, "seed must be") for bad in (-1, *NO_NUMBERS)),
        *(({"resolution": bad}, InvalidInputError, "resolution must be") for bad in (0, "16", True, 16.0)),
        ({"seed": 2**63 - 2, "n": 5}, InvalidInputError, "seed must be"),
        ({"metrics": ["brihgt"]}, UnknownNameError, "Did you mean 'bright'"),
        ({"settings": {"bright": {"fewst": 1}}}, InvalidConfigError, "Did you mean 'fewest'"),
    ],
)
def test_bad_input(pipe: Pipeline, arguments, error, says):
    with pytest.raises(error, match=says):
        evaluate(pipe, ColouredSquares(), Plan(**({"metrics": ["bright"], "n": 4} | arguments)))
