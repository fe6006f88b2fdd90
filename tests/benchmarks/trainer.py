"""A Trainer step against a hand-written loop over the same networks, optimisers and batches: time and peak memory."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from measure import commands, functions, line, ratio

from t2i.create import create_model, create_text_encoder, load_dataset
from t2i.data.prepare import prepare
from t2i.training.batches import BatchMaker
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i.training.sampling import Sampler
from t2i.training.trainer import Trainer
from t2i_cgan.config import CGANObjectiveConfig
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.training import CGANObjective

PAIRS = 70  # of steps in turn: the machine's speed changes, but less between two steps than between runs


def run() -> None:
    ours, plain = made("ours"), made("hand-written")
    mine, theirs = functions(ours, plain, runs=PAIRS, clock=time.process_time)
    line("hand-written loop, cgan at 64 px, batch 32, float32", f"{theirs.median * 1000:.0f} ms/step")
    line("Trainer", f"{mine.median * 1000:.0f} ms/step")
    line("  ratio, processor time", f"{ratio(mine, theirs):.3f} x", "goal: at most 1.03 x")
    mine, theirs = commands(*([sys.executable, __file__, which] for which in ("ours", "hand-written")), runs=2)
    line("hand-written loop, peak memory of its process", f"{theirs.peak_mib:.0f} MiB")
    line("Trainer", f"{mine.peak_mib:.0f} MiB")
    line("  ratio", f"{mine.peak_mib / theirs.peak_mib:.3f} x", "goal: at most 1.05 x")


def made(which: str) -> Callable[[], None]:
    """The Trainer or the loop: a call is one step of the recipe openmoji64 with both players."""
    recipe = read_recipe("cgan", "openmoji64")
    recipe["objective"] |= {"reconstruct_first": 0.0}
    data = prepare(load_dataset("openmoji"), 64, create_text_encoder())
    settings = {"steps": 10**6, "checkpoint_every": 10**6, "sample_every": 10**6, "precision": "no", "tracker": "none"}
    config = TrainConfig.model_validate(recipe["train"] | settings)
    torch.manual_seed(0)
    generator = create_model("cgan", **recipe["model"])
    assert isinstance(generator, ConditionalGAN)
    objective = CGANObjective(generator, CGANObjectiveConfig.model_validate(recipe["objective"]))
    if which == "hand-written":
        return HandWritten(objective, data, config)
    trainer = Trainer(objective, data, config, Path("never-written"), device="cpu")

    def ours() -> None:
        trainer.one_step()
        trainer.step += 1

    return ours


class HandWritten:
    """A loop as written without a Trainer: the same sampling, two optimisers, an average of the generator."""

    def __init__(self, objective: CGANObjective, data, config: TrainConfig) -> None:  # type: ignore[no-untyped-def]
        self.objective, self.config = objective, config
        self.generator = objective.generator.to(memory_format=torch.channels_last)
        self.discriminator = objective.discriminator.to(memory_format=torch.channels_last)
        self.average = torch.optim.swa_utils.AveragedModel(
            self.generator, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999)
        )
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), 2e-3, (0.5, 0.99), fused=True)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), 4e-4, (0.0, 0.99), fused=True)
        self.sampler = Sampler(data, config.batch_size, 0, "group")
        self.batches = BatchMaker(data, 64, False, torch.device("cpu"))
        self.step = 0

    def __call__(self) -> None:
        (batch,) = self.batches.make(self.sampler.draw(self.step), 1, 0.0)
        self.d_optimizer.zero_grad()
        sum(self.objective.discriminator_loss(batch).values()).backward()  # type: ignore[union-attr]
        self.d_optimizer.step()
        self.discriminator.requires_grad_(False)
        self.g_optimizer.zero_grad()
        sum(self.objective.generator_loss(batch).values()).backward()  # type: ignore[union-attr]
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)
        self.average.update_parameters(self.generator)
        self.step += 1


if __name__ == "__main__":  # only one of the two, for its peak memory
    step = made(sys.argv[1])
    for _ in range(10):
        step()
