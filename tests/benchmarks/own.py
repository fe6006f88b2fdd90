"""Training on own pictures: time to the first step on 3,221 photos, and what fine-tuning adds to a step."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from measure import commands, functions, line, ratio

from t2i.create import create_model
from t2i.data.mixing import mixed
from t2i.testing.checks.tiny_training import tiny_data
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i.training.trainer import Trainer
from t2i_cgan.config import CGANObjectiveConfig
from t2i_cgan.training import CGANObjective

PHOTOS = Path(__file__).parents[2].parent / "shared" / "data" / "fashion"


def run() -> None:
    _first_step()
    _fine_tuning()


def _first_step() -> None:
    if not PHOTOS.is_dir():
        line("time to the first step", "no photos", f"needs {PHOTOS}")
        return
    with tempfile.TemporaryDirectory() as folder:
        code = f"""
import sys, time
from pathlib import Path
from t2i.training import steps
def first(self, step):
    sys.exit()
from t2i.training import run
from t2i.training.defaults.own import own_settings
steps.Steps.take = first
run.seconds_a_step = lambda *a: 0.2
out = Path({folder!r}) / str(time.time_ns())
run.start({{"technique": "cgan", "data": {str(PHOTOS)!r}}}, out, defaults=own_settings("cgan"), device="cpu")
"""
        torch_alone, first = commands([sys.executable, "-c", "import torch"], [sys.executable, "-c", code], runs=3)
    line('python -c "import torch"', f"{torch_alone.median:.2f} s")
    line("from the command to the first step, 3,221 photos, cached", f"{first.median:.2f} s")
    line("  against import torch", f"{ratio(first, torch_alone):.2f} x", "goal: at most 2 x")


def _fine_tuning() -> None:
    own = read_recipe("cgan", "own")
    with tempfile.TemporaryDirectory() as folder:

        def trainer(name: str, mix: float) -> Trainer:
            torch.manual_seed(0)
            generator = create_model("cgan", text_dim=384, **own["model"])
            objective = CGANObjective(generator, CGANObjectiveConfig.model_validate(own["objective"]))
            data = replace(tiny_data(generator, 50), ids=())
            config = TrainConfig(steps=100_000, batch_size=16, tracker="none", precision="no", mix=mix)
            return Trainer(
                objective, mixed(data, tiny_data(generator, 500)) if mix else data, config, Path(folder) / name
            )

        plain, tuned = trainer("plain", 0.0), trainer("tuned", 0.25)
        plain_step, tuned_step = functions(plain.one_step, tuned.one_step, runs=20)
    line("a step on 50 pictures, batch 16, 64 px", f"{plain_step.median * 1000:.0f} ms")
    line(
        "  with a quarter of the parent's data mixed in",
        f"{ratio(tuned_step, plain_step):.3f} x",
        "goal: at most 1.03 x",
    )
