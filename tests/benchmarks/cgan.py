"""GAN-INT-CLS: a training step of the paper's networks against a plain loop of its algorithm."""

from __future__ import annotations

import tempfile
import time
from copy import deepcopy
from pathlib import Path

import torch
from measure import functions, line, ratio
from torch.nn.functional import binary_cross_entropy_with_logits

from t2i.create import create_model
from t2i.testing.objectives import tiny_data
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i.training.trainer import Trainer
from t2i_cgan.config import CGANObjectiveConfig
from t2i_cgan.training import CGANObjective

BATCH = 16


def run() -> None:
    """Both train copies of the same networks at 64 px, in float32."""
    paper = read_recipe("cgan", "paper")
    settings = {"steps": 10**6, "checkpoint_every": 10**6, "sample_every": 0, "precision": "no", "tracker": "none"}
    config = TrainConfig.model_validate(paper["train"] | settings | {"batch_size": BATCH, "crop_margin": 0})
    torch.manual_seed(0)
    generator = create_model("cgan", **paper["model"])
    objective = CGANObjective(generator, CGANObjectiveConfig.model_validate(paper["objective"]))  # type: ignore[arg-type]
    plain = Plain(objective)
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(objective, tiny_data(generator, 2 * BATCH), config, Path(scratch), device="cpu")

        def ours() -> None:
            trainer.one_step()
            trainer.step += 1

        trained, theirs = functions(ours, plain, clock=time.process_time)
    line(f"cgan, recipe paper, batch {BATCH}: plain loop of alg. 1", f"{theirs.median * 1000:.0f} ms/step")
    line("  Trainer", f"{trained.median * 1000:.0f} ms/step")
    line("  ratio", f"{ratio(theirs, trained):.2f} x", "goal: at least 1.2 x")


class Plain:
    """Reed et al. 2016, alg. 1, as released: three passes of the discriminator, of a real picture and its text, of
    another picture and that text, and of a drawn one; then new drawings, with half as many of texts between captions.
    """

    def __init__(self, objective: CGANObjective) -> None:
        self.generator, self.discriminator = deepcopy(objective.generator), deepcopy(objective.discriminator)
        self.g_optimizer, self.d_optimizer = (
            torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )
        self.real, self.other = (torch.rand(BATCH, 3, 64, 64) * 2 - 1 for _ in range(2))
        self.text = torch.randn(BATCH, self.generator.text_dim)
        self.between = (self.text[: BATCH // 2] + self.text[BATCH // 2 :]) / 2

    def __call__(self) -> None:
        text = self.text
        with torch.no_grad():
            fake = self._drawn(text)
        self.d_optimizer.zero_grad()
        for images, real, weight in ((self.real, 1, 1.0), (self.other, 0, 0.5), (fake, 0, 0.5)):
            (weight * self._loss(images, text, real)).backward()
        self.d_optimizer.step()
        self.discriminator.requires_grad_(False)
        self.g_optimizer.zero_grad()
        texts = torch.cat([text, self.between])
        self._loss(self._drawn(texts), texts, 1).backward()
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)

    def _drawn(self, text: torch.Tensor) -> torch.Tensor:
        return self.generator(text, torch.randn(len(text), 100))

    def _loss(self, images: torch.Tensor, text: torch.Tensor, real: float) -> torch.Tensor:
        logits = self.discriminator.logits(self.discriminator.features(images), text)
        return binary_cross_entropy_with_logits(logits, torch.full_like(logits, real))


if __name__ == "__main__":
    run()
