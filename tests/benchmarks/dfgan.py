"""DF-GAN: drawing and training at 256 px, with the paper's widths, against the arithmetic of the released code."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from measure import functions, line, ratio

from fakes.official_dfgan import Discriminator, Generator
from t2i.noise import Noise
from t2i.testing.objectives import tiny_data
from t2i.text import TextEmbedding
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i.training.trainer import Trainer
from t2i_dfgan.config import DFGANConfig, DFGANObjectiveConfig
from t2i_dfgan.generator import DFGAN
from t2i_dfgan.official import dfgan
from t2i_dfgan.training import DFGANObjective

TEXT, Z, WIDTH, SIDE, BATCH, LESS = 256, 100, 32, 256, 8, 4


def run() -> None:
    drawing()
    training()


def drawing() -> None:
    official = Generator(TEXT, Z, WIDTH, SIDE).eval().requires_grad_(False)
    ours = dfgan(official.state_dict()).generator.eval().requires_grad_(False).for_drawing()
    sentences = torch.randn(BATCH, TEXT)
    text = TextEmbedding.of_sentences(sentences)
    with torch.inference_mode():
        mine, theirs = functions(
            lambda: ours.generate(text, Noise(range(BATCH)), ours.options()),
            lambda: official(torch.randn(BATCH, Z), sentences),
        )
    line(f"dfgan at {SIDE} px, batch {BATCH}: as a pipeline draws", f"{BATCH / mine.median:.2f} images/s")
    line("  against the released module run eagerly", f"{ratio(theirs, mine):.2f} x", "goal: at least 1.5 x")


def training() -> None:
    """A step at a quarter of the side, with the same widths at 64 px, because 256 px would take too long."""
    recipe = read_recipe("dfgan", "paper")
    recipe["model"]["widths"] = recipe["model"]["widths"][2:]
    recipe["objective"]["discriminator_widths"] = recipe["objective"]["discriminator_widths"][:-2]
    generator = DFGAN(DFGANConfig.model_validate(recipe["model"] | {"text_dim": TEXT}))
    objective = DFGANObjective(generator, DFGANObjectiveConfig.model_validate(recipe["objective"]))
    settings = {"steps": 10**6, "checkpoint_every": 10**6, "sample_every": 0, "precision": "no", "tracker": "none"}
    config = TrainConfig.model_validate(recipe["train"] | settings | {"batch_size": LESS, "crop_margin": 0})
    released = Released(generator.resolution)
    sizes = [sum(p.numel() for p in network.parameters()) for network in (generator, released.generator)]
    assert sizes[0] == sizes[1], sizes
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(objective, tiny_data(generator, 2 * LESS), config, Path(scratch), device="cpu")

        def ours() -> None:
            trainer.one_step()
            trainer.step += 1

        trained, theirs = functions(ours, released)
    what = f"dfgan at {generator.resolution} px, paper widths, batch {LESS}: released loop"
    line(what, f"{theirs.median * 1000:.0f} ms/step")
    line("  Trainer", f"{trained.median * 1000:.0f} ms/step")
    line("  ratio", f"{ratio(theirs, trained):.2f} x", "goal: at least 1.2 x")


class Released:
    """The released loop's arithmetic: real pictures' features once for both texts and the penalty, the next picture's
    features as mismatch, and the discriminator's gradients computed in the generator's step too."""

    def __init__(self, side: int) -> None:
        self.generator, self.discriminator = Generator(TEXT, Z, WIDTH, side), Discriminator(TEXT, WIDTH, side)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), 1e-4, (0.0, 0.9))
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), 4e-4, (0.0, 0.9))
        self.real, self.text = torch.rand(LESS, 3, side, side) * 2 - 1, torch.randn(LESS, TEXT)

    def __call__(self) -> None:
        judge, text = self.discriminator, self.text
        real, told = self.real.clone().requires_grad_(), text.clone().requires_grad_()
        fake = self.generator(torch.randn(LESS, Z), text)
        features = judge.features(real)
        right, wrong = judge(features, told), judge(features.roll(-1, 0), text)
        of_fake = judge(judge.features(fake.detach()), text)
        gradients = torch.autograd.grad(right.sum(), (real, told), create_graph=True)
        norm = sum(gradient.flatten(1).square().sum(1) for gradient in gradients)
        loss = F.relu(1 - right).mean() + (F.relu(1 + wrong).mean() + F.relu(1 + of_fake).mean()) / 2
        self.d_optimizer.zero_grad()
        (loss + 2 * norm.pow(3).mean()).backward()
        self.d_optimizer.step()
        self.g_optimizer.zero_grad()
        (-judge(judge.features(fake), text).mean()).backward()
        self.g_optimizer.step()
