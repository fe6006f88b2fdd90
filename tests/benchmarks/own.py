"""Own pictures: time to the first step on 3,221 photos, cached; what fine-tuning adds to a step (processor time)."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch
from measure import commands, functions, line, processor_ratio, ratio

from t2i.create import create_model
from t2i.data.mixing import mixed
from t2i.testing.checks.tiny_training import tiny_data
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i.training.trainer import Trainer
from t2i_cgan.config import CGANObjectiveConfig
from t2i_cgan.training import CGANObjective

OPTIMISER = "import torch; torch.optim.Adam([torch.zeros(1, requires_grad=True)])"
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
import os, sys, time
from t2i.training.trainer import Trainer
Trainer.one_step = lambda self: os._exit(0)
from t2i.cli.main import main
sys.argv = ["t2i", "train", "cgan", "--data", {str(PHOTOS)!r}, "--steps", "1000", "--device", "cpu"]
sys.argv += ["--out", os.path.join({folder!r}, str(time.time_ns()))]
main()
"""
        lines = {
            'python -c "import torch"': "import torch",
            "with an optimiser, which imports torch._dynamo": OPTIMISER,
            "`t2i train` to its first step": code,
        }
        each = commands(*([sys.executable, "-c", text] for text in lines.values()), runs=3)
    torch_alone, _, first = each
    for what, measured in zip(lines, each, strict=True):
        used = statistics.median(measured.processor)
        line(f"{what}: clock, processor time", f"{measured.median:.2f} s, {used:.2f} s")
    line("  against import torch, by the clock", f"{ratio(first, torch_alone):.2f} x", "goal: at most 2 x")
    line("  against import torch, by processor time", f"{processor_ratio(first, torch_alone):.2f} x", "the same")


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
        plain_step, tuned_step = functions(plain.one_step, tuned.one_step, runs=20, clock=time.process_time)
    line("a step on 50 pictures, batch 16, 64 px", f"{plain_step.median * 1000:.0f} ms")
    line(
        "  with a quarter of the parent's data mixed in",
        f"{ratio(tuned_step, plain_step):.3f} x",
        "goal: at most 1.03 x",
    )
