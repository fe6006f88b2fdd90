"""The precision "auto": chosen once, by what is faster here, and kept by the run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from accelerate.state import AcceleratorState

from fakes.training import settings, write_squares
from t2i.training import accelerator, precision, run
from t2i.training.accelerator import make_accelerator
from t2i.training.precision import FASTER, best_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(("plain", "coarse", "wanted"), [(2.0, 1.0, "bf16"), (1.0, 8.0, "no"), (1.4, 1.0, "no")])
def test_on_a_cpu_the_faster_precision_is_chosen(
    monkeypatch: pytest.MonkeyPatch, plain: float, coarse: float, wanted: str
) -> None:
    assert FASTER > 1.4
    monkeypatch.setattr(precision, "_seconds", lambda: (plain, coarse))
    assert best_precision(CPU) == wanted


@pytest.mark.parametrize("able", [True, False])
def test_on_cuda_the_hardware_decides(monkeypatch: pytest.MonkeyPatch, able: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: able)
    assert best_precision(torch.device("cuda")) == ("bf16" if able else "no")


def test_measuring_detects_a_slow_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor that emulates it: operations under autocast take 20 ms longer."""

    def run_slowly() -> torch.Tensor:
        if torch.is_autocast_enabled("cpu"):
            time.sleep(0.02)
        return torch.ones((), requires_grad=True) * 2

    monkeypatch.setattr(precision, "_layers", lambda: run_slowly)
    precision._seconds.cache_clear()
    plain, coarse = precision._seconds()
    assert coarse - plain > 0.015
    assert best_precision(CPU) == "no"
    precision._seconds.cache_clear()


def test_measuring_leaves_random_state_unchanged() -> None:
    torch.manual_seed(0)
    best_precision(CPU)
    drawn = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(3), drawn)


@pytest.fixture
def new_process() -> Iterator[None]:
    """Forget the precision of this process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("new_process")
def test_an_explicit_precision_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(accelerator, "best_precision")
    assert make_accelerator(settings(precision="no"), tmp_path, "cpu").mixed_precision == "no"


@pytest.mark.usefixtures("new_process", "fakes_installed")
def test_a_resumed_run_keeps_its_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION")
    recipe = run.read_recipe("cgan", "tiny")
    train = {"batch_size": 4, "tracker": "none", "steps": 2, "sample_every": 2, "checkpoint_every": 2}
    values = recipe | {"technique": "cgan", "data": str(write_squares(tmp_path / "data")), "text_encoder": "fake"}
    monkeypatch.setattr(accelerator, "best_precision", lambda device: "bf16")
    run.start(values | {"train": train}, tmp_path / "run", device="cpu")
    assert yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())["train"]["precision"] == "bf16"
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setattr(accelerator, "best_precision", lambda device: "no")  # as if the machine were busy now
    run.resume(tmp_path / "run", steps=3, device="cpu")
    assert AcceleratorState().mixed_precision == "bf16"
