"""Settings that are not available here are one-sentence errors before any work, and sharded networks are refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import accelerate.tracking
import pytest
import torch
from accelerate.state import AcceleratorState
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, on_main_process

from fakes.training import OnePlayer, Watched, settings, squares, state_of, train
from t2i.errors import InvalidConfigError, TrainingError
from t2i.training.accelerator import check_possible, make_accelerator
from t2i.training.objective import Objective
from t2i.training.trainer import Trainer

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="fp16 is available here")


@pytest.mark.parametrize(
    ("changes", "processes", "sentence"),
    [
        ({"tracker": "tensorbored"}, 1, r"'train.tracker': must be one of aim, .*'none'.*, got 'tensorbored'"),
        ({"tracker": "wandb"}, 1, "wandb is not installed here. pip install wandb"),
        ({"batch_size": 6}, 7, "7 processes of 1 micro-batches need at least 7 pictures per step, got 6"),
        ({"batch_size": 6, "accumulate": 3}, 3, "3 processes of 3 micro-batches need at least 9"),
        pytest.param({"precision": "fp16"}, 1, "'train.precision': fp16 needs a GPU", marks=NO_GPU),
    ],
)
def test_what_is_not_available_names_the_field(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], processes: int, sentence: str
) -> None:
    if changes.get("tracker") == "wandb" and "wandb" in map(str, accelerate.tracking.get_available_trackers()):
        pytest.skip("wandb is installed here")
    with pytest.raises(InvalidConfigError, match=sentence.replace("'none'", "none")):
        check_possible(settings(**changes), "cpu", processes)


@pytest.fixture
def fresh_accelerate() -> Iterator[None]:
    """Reset Accelerate's state, as in a new process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("fresh_accelerate")
@pytest.mark.parametrize("variable", ["ACCELERATE_USE_FSDP", "ACCELERATE_USE_MEGATRON_LM"])
def test_sharded_networks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """With the environment that `accelerate launch --use_fsdp` sets."""
    accelerator = make_accelerator(settings(), tmp_path, "cpu")
    kind = {"ACCELERATE_USE_FSDP": "FSDP", "ACCELERATE_USE_MEGATRON_LM": "MEGATRON_LM"}[variable]
    monkeypatch.setattr(type(accelerator), "distributed_type", accelerate.DistributedType(kind))
    with pytest.raises(TrainingError, match=f"holds complete networks, but the launcher requested {kind}"):
        make_accelerator(settings(), tmp_path, "cpu")


@pytest.mark.usefixtures("fresh_accelerate")
def test_a_launched_process_without_a_group_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each process would train the whole run into the same folder."""
    make_accelerator(settings(), tmp_path, "cpu")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="2 processes were launched, but this one is in a group of 1"):
        make_accelerator(settings(), tmp_path, "cpu")


def test_any_tracker_of_accelerate_gets_every_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Notebook(GeneralTracker):
        """A tracker as third parties register it with `accelerate.tracking.register_tracker_class`."""

        name, requires_logging_directory = "notebook", False

        @on_main_process
        def __init__(self, run_name: str, **options: object) -> None:
            super().__init__()
            names.append(run_name)

        @property
        def tracker(self) -> list[tuple[int, dict[str, float]]]:
            return pages

        def log(self, values: dict[str, float], step: int, **options: object) -> None:
            pages.append((step, values))

    names: list[str] = []
    pages: list[tuple[int, dict[str, float]]] = []
    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "notebook", Notebook)
    train(OnePlayer(), tmp_path / "run", tracker="notebook", log_every=3)
    assert names == ["run"] and [step for step, _ in pages] == [3, 6]
    assert {"generator/squared_error", "generator/size", "gradient/generator"} <= pages[0][1].keys()


def test_only_deterministic_kernels_during_the_run(tmp_path: Path) -> None:
    seen = []
    train(
        Watched(OnePlayer(), lambda player, batch: seen.append(torch.are_deterministic_algorithms_enabled())),
        tmp_path / "run",
        deterministic=True,
        steps=2,
    )
    assert seen == [True, True] and not torch.are_deterministic_algorithms_enabled()


def test_channels_last_only_changes_the_layout(tmp_path: Path) -> None:
    for name, layout in (("last", True), ("first", False)):
        torch.manual_seed(0)
        objective = OnePlayer()
        train(objective, tmp_path / name, channels_last=layout, steps=3)
        assert objective.generator.to_rgb.weight.is_contiguous(memory_format=torch.channels_last) is layout
    first, last = state_of(tmp_path / "first"), state_of(tmp_path / "last")
    for key in first:
        torch.testing.assert_close(first[key], last[key], atol=1e-5, rtol=1e-4)


def scaled(run: Path, steps: int, objective: Objective | None = None, scale: float = 2.0**8) -> Trainer:
    """A run whose gradients go through fp16's loss scaling, though its losses stay float32."""
    config = settings(steps=steps, checkpoint_every=steps, log_every=1)
    accelerator = make_accelerator(config, run, "cpu")
    accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=4)
    return Trainer(objective or OnePlayer(), squares(8), config, run, accelerator=accelerator)


def test_a_scaled_loss_trains_the_same_weights(tmp_path: Path) -> None:
    """Scaling by powers of two changes no bit, and the norms in the rows are those of the unscaled gradients."""
    torch.manual_seed(0)
    scaled(tmp_path / "scaled", 6).fit()
    torch.manual_seed(0)
    train(OnePlayer(), tmp_path / "plain", log_every=1)
    ours, plain = state_of(tmp_path / "scaled"), state_of(tmp_path / "plain")
    assert {name for name in ours if name not in plain} == {"scaler.scale", "scaler._growth_tracker"}
    assert all(torch.equal(ours[name], plain[name]) for name in plain)
    assert ours["scaler.scale"].item() == 2**9  # it has grown once in six steps
    rows, plain_rows = (
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (tmp_path / "scaled", tmp_path / "plain")
    )
    assert [row["fp16/loss_scale"] for row in rows] == [2**8] * 3 + [2**9] * 3
    assert [row["gradient/generator"] for row in rows] == [row["gradient/generator"] for row in plain_rows]


def test_the_loss_scale_is_resumed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    scaled(tmp_path / "run", 3).fit()
    again = scaled(tmp_path / "run", 6)
    again.fit()
    assert again.accelerator.scaler.get_scale() == 2**9  # 3 steps before, 1 after: it grows at the fourth
    assert state_of(tmp_path / "run")["scaler._growth_tracker"].item() == 2


def test_an_overflow_skips_the_step_and_halves_the_scale(tmp_path: Path) -> None:
    torch.manual_seed(0)
    huge = Watched(OnePlayer(), change=lambda player, terms: {name: 1e6 * value for name, value in terms.items()})
    trainer = scaled(tmp_path / "run", 2, huge, scale=2.0**120)
    before = [parameter.clone() for parameter in huge.generator.parameters()]
    trainer.fit()
    assert all(map(torch.equal, before, huge.generator.parameters()))
    assert trainer.accelerator.scaler.get_scale() == 2.0**118


@pytest.mark.slow
def test_a_compiled_run_trains_the_same_weights(tmp_path: Path) -> None:
    for name, wanted in (("compiled", True), ("eager", False)):
        torch.manual_seed(0)
        train(OnePlayer(), tmp_path / name, compile=wanted, steps=3)
    eager, compiled = state_of(tmp_path / "eager"), state_of(tmp_path / "compiled")
    assert eager.keys() == compiled.keys()  # names are those of an eager run: each can be resumed as the other
    for key in eager:
        torch.testing.assert_close(compiled[key], eager[key], atol=1e-5, rtol=1e-4)
