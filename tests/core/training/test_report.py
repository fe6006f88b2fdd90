"""A run's rows, curves, pictures and TensorBoard scalars, also after a resume."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from fakes.models import FakeTextEncoder
from fakes.training import OnePlayer, TwoPhases, Watched, settings, squares, train
from t2i.drawing.provenance import png_bytes
from t2i.errors import TrainingError
from t2i.images import grid, to_pil
from t2i.noise import Noise
from t2i.training.objective import Player
from t2i.training.report import step_progress
from t2i.training.report.curves import MOST_ROW_BYTES, plot_curves, read_rows
from t2i.training.report.samples import Samples, default_samples
from t2i.training.trainer import Trainer

MEASURES = {"speed/images_per_second", "waiting/for_data", "gradient/generator", "gradient/critic"}


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def losses(row: dict[str, float]) -> set[str]:
    return row.keys() - MEASURES - {"step"}


def test_rows_have_the_means_since_the_last_row(tmp_path: Path) -> None:
    seen: list[dict[str, float]] = []

    def change(player: Player, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append({name: value.item() for name, value in terms.items()})
        return terms

    train(Watched(OnePlayer(), change=change), tmp_path / "run", steps=7, log_every=3)
    found = rows(tmp_path / "run")
    assert [row["step"] for row in found] == [3, 6, 7]
    for row, steps in zip(found, (seen[:3], seen[3:6], seen[6:]), strict=True):
        assert losses(row) == {"generator/squared_error", "generator/size"}
        for term in ("squared_error", "size"):
            assert row[f"generator/{term}"] == pytest.approx(sum(step[term] for step in steps) / len(steps))


def test_a_log_gets_a_line_at_intervals(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    monkeypatch.setattr(step_progress.time, "monotonic", lambda: now[0])
    with step_progress.step_progress(100, 400, 16) as advance:
        for _ in range(90):
            now[0] += 1.0 if now[0] < 40 else 0.5
            advance()
    assert capsys.readouterr().err.splitlines() == [
        "step 130 of 400, 16 images/s, 4 min left",
        "step 180 of 400, 27 images/s, 2 min left",
    ]
    with step_progress.step_progress(0, 10, 16, hidden=True) as advance:
        now[0] += 100
        advance()
    assert capsys.readouterr().err == ""


def test_each_phase_reports_its_own_players(tmp_path: Path) -> None:
    train(TwoPhases(), tmp_path / "run", steps=8, log_every=4)
    copying, duel = rows(tmp_path / "run")
    assert losses(copying) == {"generator/squared_error", "generator/size"}
    assert losses(duel) == {"critic/real", "critic/fake", "generator/adversarial"}


def test_no_step_is_logged_twice_after_a_resume(tmp_path: Path) -> None:
    """A kill left rows beyond the checkpoint, and the last row is incomplete."""
    torch.manual_seed(0)
    train(OnePlayer(), tmp_path / "run", steps=4, checkpoint_every=4, log_every=1)
    whole = rows(tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "generator/squared_error": 9.0}\n{"step": 6, "generator/squa')
    train(OnePlayer(), tmp_path / "run", steps=8, log_every=1)
    found = rows(tmp_path / "run")
    assert [row["step"] for row in found] == list(range(1, 9))
    assert found[:4] == whole
    assert all(row["generator/squared_error"] < 9 for row in found)


def test_damaged_rows_are_skipped_and_special_files_refused(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    bad = [b"[2]", b'{"loss": 1}', b'{"step": "3"}', b"[" * 100_000, b"x" * (2 * MOST_ROW_BYTES), b"\xff"]
    path.write_bytes(b"\n".join([b'{"step": 1}', *bad, b'{"step": 4}', b'{"ste']))
    assert [row["step"] for row in read_rows(path)] == [1, 4]
    path.unlink()
    assert [*read_rows(path)] == []
    os.mkfifo(path)
    with pytest.raises(TrainingError, match="not a regular file"):
        next(read_rows(path))


@pytest.mark.usefixtures("plots")
def test_samples_and_losses_are_pictures(tmp_path: Path) -> None:
    result = train(TwoPhases(), tmp_path / "run", steps=8, sample_every=4, checkpoint_every=8, log_every=1)
    found = sorted((result.run / "samples").iterdir())
    assert [path.name for path in found] == ["step-00000004.png", "step-00000008.png"]
    for path in (*found, result.run / "losses.png"):
        with Image.open(path) as picture:
            picture.load()
            assert picture.format == "PNG" and min(picture.size) > 90
            assert len(picture.convert("RGB").getcolors(2**24) or ()) > 2


def test_samples_are_drawn_by_the_average_with_fixed_seeds(tmp_path: Path) -> None:
    data, encoder = squares(8), FakeTextEncoder()
    prompts = ("a red square", "a blue square", "a green square")
    samples, config = Samples(prompts, encoder.encode(prompts)), settings(sample_every=6)
    trainer = Trainer(OnePlayer(), data, config, tmp_path / "run", samples=samples, device="cpu")
    trainer.fit()
    images = trainer.ema.generator.generate(encoder.encode(prompts), Noise(range(3)), trainer.ema.generator.options())
    sheet = grid(to_pil(images), captions=prompts, scale=12)
    written = Image.open(tmp_path / "run" / "samples" / "step-00000006.png")
    assert written.tobytes() == Image.open(io.BytesIO(png_bytes(sheet))).tobytes()


def test_default_samples_are_spread_over_the_dataset() -> None:
    data = squares(8)
    samples = default_samples(data, 3)
    assert len(samples.prompts) == len(samples.text) == 3
    first, _, last = (data.caption_texts[data.captions_of[picture][0]] for picture in (0, 3, 7))
    assert (samples.prompts[0], samples.prompts[2]) == (first, last)
    assert torch.equal(samples.text.sentence, FakeTextEncoder().encode(samples.prompts).sentence)
    assert len(default_samples(data, 100).prompts) == 8


def test_tensorboard_holds_every_row_once(tmp_path: Path) -> None:
    """Read with its own reader, over both parts of an interrupted run."""
    run = tmp_path / "run"
    train(OnePlayer(), run, steps=4, checkpoint_every=4, log_every=2, tracker="tensorboard")
    time.sleep(1)  # the files' names begin with whole seconds, and end in a counter that does not sort from 9 to 10
    train(OnePlayer(), run, steps=8, checkpoint_every=4, log_every=2, tracker="tensorboard")
    events = EventAccumulator(str(run))
    events.Reload()
    names = {"generator/squared_error", "generator/size", "gradient/generator"}
    assert set(events.Tags()["scalars"]) == names | {"speed/images_per_second", "waiting/for_data"}
    for name in names:
        wanted = [(row["step"], pytest.approx(row[name], rel=1e-6)) for row in rows(run)]
        assert [(event.step, event.value) for event in events.Scalars(name)] == wanted


def test_a_resumed_run_hides_the_scalars_beyond_its_checkpoint(tmp_path: Path) -> None:
    run = tmp_path / "run"

    def change(player: Player, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return terms

    calls: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        train(Watched(OnePlayer(), change=change), run, checkpoint_every=2, log_every=1, tracker="tensorboard")
    assert steps_in(run) == [1, 2, 3]  # rows are not buffered, so none is lost if a run ends in an error
    train(OnePlayer(), run, checkpoint_every=2, log_every=1, tracker="tensorboard")
    assert steps_in(run) == [1, 2, 3, 4, 5, 6]


def steps_in(run: Path) -> list[int]:
    events = EventAccumulator(str(run))
    events.Reload()
    return [event.step for event in events.Scalars("generator/size")]


def test_no_step_waits_for_tensorboard(tmp_path: Path) -> None:
    started = []

    def look(player: Player, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        started.append([*(tmp_path / "run").glob("events.*")] != [])
        return terms

    train(Watched(OnePlayer(), change=look), tmp_path / "run", steps=4, log_every=2, tracker="tensorboard")
    assert started == [False, False, True, True]


def test_curves_are_drawn_even_with_nan() -> None:
    found = plot_curves([{"step": 1, "a/x": float("nan"), "b/y": 1.0}, {"step": 2, "a/x": float("inf"), "b/y": 2.0}])
    with Image.open(io.BytesIO(found)) as picture:
        picture.load()
        assert picture.format == "PNG"


def test_a_tracker_that_cannot_start_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("no server at 127.0.0.1:5000")

    monkeypatch.setattr("accelerate.Accelerator.init_trackers", refuse)
    with pytest.raises(TrainingError, match=r"cannot start \(OSError: no server .* train.tracker=tensorboard or none"):
        train(OnePlayer(), tmp_path / "run", steps=1)
