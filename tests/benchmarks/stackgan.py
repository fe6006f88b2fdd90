"""StackGAN and StackGAN-v2: drawing with folded norms against the unfolded module; training against a plain loop, and
against the arithmetic of the released code."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from measure import functions, line, ratio
from torch import Tensor, nn

from fakes.official_stackgan import StageTwo, Tree, TreeDiscriminator
from t2i.create import create_model, create_text_encoder
from t2i.drawing.pipeline import Pipeline
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.publishing.pretrained import save_pretrained
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.snapshots.resolve import resolve
from t2i.testing.objectives import tiny_data
from t2i.toolbox.convolutions import UpConv
from t2i.toolbox.stages import Joint
from t2i.training.batches import BatchMaker
from t2i.training.config import TrainConfig
from t2i.training.objective import Objective, Phase
from t2i.training.run import read_recipe
from t2i.training.sampling import Sampler
from t2i.training.trainer import Trainer

BATCH, STEPS = 32, 2


def run() -> None:
    for name in ("stackgan", "stackgan-v2"):
        drawing(name)
        training(name)
    against_the_released_v1()
    for batch in (8, 4):
        against_the_released_loop(batch)


def drawing(name: str) -> None:
    generator = create_model(name, **read_recipe(name, "openmoji64")["model"]).eval().requires_grad_(False)
    encoder = create_text_encoder()
    with tempfile.TemporaryDirectory() as scratch:
        folder = save_pretrained(generator, Path(scratch) / "snapshot", text_encoder=encoder.identity)
        pipe = Pipeline(resolve(str(folder)), generator, encoder)
    text = encoder.encode(["a red heart"])[[0] * BATCH]
    textbook = as_textbook(name, generator)

    def plain(network: Generator) -> None:
        network.generate(text, Noise(range(BATCH)), network.options())

    def piped() -> None:
        pipe("a red heart", num_images_per_prompt=BATCH, seed=0, batch_size=BATCH)

    with torch.no_grad():
        ours, book, module = functions(piped, lambda: plain(textbook), lambda: plain(generator))
    line(f"{name} at 64 px, batch {BATCH}: pipeline, folded, channels last", f"{BATCH / ours.median:.0f} images/s")
    line("  against our own module with unfolded norms", f"{ratio(module, ours):.2f} x")
    line("  against the textbook module (upsample, then convolve; planes)", f"{ratio(book, ours):.2f} x")


def as_textbook(name: str, generator: Generator) -> Generator:
    """The same weights in the layers that the papers describe: an Upsample, and contiguous planes of the condition."""
    plain = create_model(name, **generator.config.model_dump()).eval().requires_grad_(False)
    plain.load_state_dict(generator.state_dict())
    for parent in list(plain.modules()):
        for key, child in list(parent.named_children()):
            if isinstance(child, UpConv):
                setattr(parent, key, Upsampled(child.weight))
            elif isinstance(child, Joint):
                setattr(parent, key, Planes(child))
    return plain


class Upsampled(nn.Module):
    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.interpolate(x.contiguous(), scale_factor=2), self.weight, padding=1)


class Planes(nn.Module):
    def __init__(self, joint: Joint) -> None:
        super().__init__()
        self.joint = joint

    def forward(self, condition: Tensor, h: Tensor) -> Tensor:
        planes = condition[:, :, None, None].expand(-1, -1, *h.shape[2:])
        parts = (planes, h) if self.joint.convolution.condition_first else (h, planes)
        x = F.conv2d(torch.cat(parts, 1), self.joint.convolution.weight, padding=1)
        return self.joint.activation(self.joint.norm(x))


def training(name: str) -> None:
    """The adversarial phase of the last stage, where both players move."""
    recipe = read_recipe(name, "openmoji64")
    spec, _ = registry().get(ModelSpec, name)
    settings = {"steps": 10**6, "checkpoint_every": 10**6, "sample_every": 10**6, "precision": "no", "tracker": "none"}
    config = TrainConfig.model_validate(recipe["train"] | settings)

    def objective() -> Objective:
        torch.manual_seed(0)
        game = load_target(spec.objective_config).model_validate(recipe["objective"])
        made: Objective = load_target(spec.objective)(create_model(name, **recipe["model"]), game)
        return made

    with tempfile.TemporaryDirectory() as scratch:
        mine = objective()
        data = tiny_data(mine.generator, 64)
        trainer = Trainer(mine, data, config, Path(scratch), device="cpu")
        first = trainer.step = config.steps - 1000

        def ours() -> None:
            trainer.step = first
            for _ in range(STEPS):
                trainer.one_step()
                trainer.step += 1

        theirs = HandWritten(objective(), data, config, first)
        trained, written = functions(ours, theirs)
    line(f"{name}: hand-written loop, both players, batch 32, float32", f"{written.median / STEPS * 1000:.0f} ms/step")
    line("  Trainer", f"{trained.median / STEPS * 1000:.0f} ms/step")
    line("  ratio", f"{ratio(trained, written):.3f} x", "goal: at most 1.03 x")


def against_the_released_v1(batch: int = 4) -> None:
    """A step of stackgan's stage II, paper widths and float32, at 128 px over a stage I of 32 px, half of the paper's
    sides."""
    paper = read_recipe("stackgan", "paper")
    paper["model"]["widths"] = paper["model"]["widths"][1:]
    settings = {"steps": 10**6, "checkpoint_every": 10**6, "sample_every": 0, "precision": "no", "tracker": "none"}
    config = TrainConfig.model_validate(paper["train"] | settings | {"batch_size": batch, "crop_margin": 0})
    torch.manual_seed(0)
    spec, _ = registry().get(ModelSpec, "stackgan")
    generator = create_model("stackgan", **paper["model"])
    game = load_target(spec.objective_config).model_validate(paper["objective"])
    objective = load_target(spec.objective)(generator, game)
    released = ReleasedStageTwo(batch, generator.text_dim)
    pairs = [(generator, released.generator), (objective.discriminators[1], released.discriminator)]
    sizes = [[sum(p.numel() for p in network.parameters()) for network in pair] for pair in pairs]
    assert all(ours == theirs for ours, theirs in sizes), sizes
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(objective, tiny_data(generator, 2 * batch), config, Path(scratch), device="cpu")
        trainer.step = config.steps - 1000  # in stage II

        def ours() -> None:
            trainer.one_step()
            trainer.step += 1

        trained, theirs = functions(ours, released, clock=time.process_time)
    what = f"stackgan, stage II at 128 px, batch {batch}: released loop"
    line(what, f"{theirs.median * 1000:.0f} ms/step")
    line("  Trainer", f"{trained.median * 1000:.0f} ms/step")
    line("  ratio", f"{ratio(theirs, trained):.2f} x", "goal: at least 1.2 x")


class ReleasedStageTwo:
    """The released v1 loop's arithmetic: real pictures' features once for both texts, the next picture's features as
    mismatch, discriminator gradients also in the generator's step, and batch statistics in the frozen stage I."""

    def __init__(self, batch: int, text_dim: int) -> None:
        self.generator = StageTwo(text_dim, 128, 100, 192, blocks=2, ups=3)
        self.generator.STAGE1_G.requires_grad_(False)
        self.discriminator = TreeDiscriminator(128, 128, 96)
        trained = [p for p in self.generator.parameters() if p.requires_grad]
        self.g_optimizer = torch.optim.Adam(trained, 2e-4, (0.5, 0.999))
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), 2e-4, (0.5, 0.999))
        self.text, self.real = torch.randn(batch, text_dim), torch.rand(batch, 3, 128, 128) * 2 - 1

    def __call__(self) -> None:
        judge, text, count = self.discriminator, self.text, len(self.text)
        z, *eps = torch.randn(count, 100), torch.randn(count, 128), torch.randn(count, 128)
        _, fake = self.generator(text, z, eps)
        mu, logvar = torch.relu(self.generator.ca_net.fc(text)).chunk(2, 1)
        told = mu.detach()
        self.d_optimizer.zero_grad()
        of_real, of_fake = judge.img_code(self.real), judge.img_code(fake.detach())
        right, seen = _answers(judge, of_real, told)
        wrong, _ = _answers(judge, of_real[:-1], told[1:])
        drawn, drawn_alone = _answers(judge, of_fake, told)
        real_loss = (_loss(right, 1) + _loss(seen, 1)) / 2
        (real_loss + (_loss(drawn, 0) + _loss(wrong, 0) + _loss(drawn_alone, 0)) / 3).backward()
        self.d_optimizer.step()
        self.g_optimizer.zero_grad()
        fooled = sum(_loss(answer, 1) for answer in judge(fake, told))
        (fooled - (1 + logvar - mu.square() - logvar.exp()).mean()).backward()  # KL at weight 2
        self.g_optimizer.step()


def _answers(judge: TreeDiscriminator, features: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities with the condition and alone, from features that are computed once."""
    planes = told[:, :, None, None].repeat(1, 1, 4, 4)
    joint = judge.jointConv(torch.cat([planes, features], 1))
    return judge.logits(joint).flatten(), judge.uncond_logits(features).flatten()


def _loss(probabilities: Tensor, wanted: float) -> Tensor:
    return F.binary_cross_entropy(probabilities, torch.full_like(probabilities, wanted))


def against_the_released_loop(batch: int, width: int = 64) -> None:
    """A step of stackgan-v2 at 64 and 128 px, paper widths and float32, against the released code's arithmetic."""
    paper = read_recipe("stackgan-v2", "paper")
    paper["model"] |= {"widths": [width * 2**n for n in reversed(range(5))], "branch_widths": [width // 2]}
    paper["objective"] |= {"discriminator_width": width}
    settings = {"steps": 10**6, "checkpoint_every": 10**6, "sample_every": 10**6, "precision": "no", "tracker": "none"}
    config = TrainConfig.model_validate(paper["train"] | settings | {"batch_size": batch, "crop_margin": 0})
    torch.manual_seed(0)
    spec, _ = registry().get(ModelSpec, "stackgan-v2")
    generator = create_model("stackgan-v2", **paper["model"])
    game = load_target(spec.objective_config).model_validate(paper["objective"])
    objective: Objective = load_target(spec.objective)(generator, game)
    released = Released(width, batch, generator.text_dim)
    sizes = [sum(p.numel() for p in network.parameters()) for network in (generator, released.generator)]
    assert sizes[0] == sizes[1], sizes
    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(objective, tiny_data(generator, 2 * batch), config, Path(scratch), device="cpu")

        def ours() -> None:
            trainer.one_step()
            trainer.step += 1

        trained, theirs = functions(ours, released)
    line(
        f"stackgan-v2 at 64 and 128 px, paper widths, batch {batch}: released loop",
        f"{theirs.median * 1000:.0f} ms/step",
    )
    line("  Trainer", f"{trained.median * 1000:.0f} ms/step")
    line("  ratio", f"{ratio(theirs, trained):.2f} x", "goal: at least 1.2 x")


class Released:
    """The released v2 loop's arithmetic: pictures drawn once per step, three passes of each discriminator,
    discriminator gradients also in the generator's step, one optimiser per network, an average parameter by
    parameter."""

    def __init__(self, width: int, batch: int, text_dim: int) -> None:
        self.generator = Tree(text_dim, 128, 100, width, blocks=2, scales=2)
        self.discriminators = [TreeDiscriminator(side, 128, width) for side in (64, 128)]
        self.average = [p.detach().clone() for p in self.generator.parameters()]
        self.g_optimizer, *self.d_optimizers = (
            torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999))
            for network in (self.generator, *self.discriminators)
        )
        self.text = torch.randn(batch, text_dim)
        self.real, self.wrong = ([torch.rand(batch, 3, side, side) * 2 - 1 for side in (64, 128)] for _ in range(2))
        self.ones, self.zeros = torch.ones(batch), torch.zeros(batch)

    def __call__(self) -> None:
        loss, ones, zeros = F.binary_cross_entropy, self.ones, self.zeros
        z, eps = torch.randn(len(self.text), 100), torch.randn(len(self.text), 128)
        fakes, mu, logvar = self.generator.drawn(self.text, z, eps)
        told = mu.detach()
        for judge, optimizer, real, wrong, fake in zip(
            self.discriminators, self.d_optimizers, self.real, self.wrong, fakes, strict=True
        ):
            judge.zero_grad()
            of_real, of_wrong, of_fake = (judge(seen, told) for seen in (real, wrong, fake.detach()))
            conditional = loss(of_real[0], ones) + loss(of_wrong[0], zeros) + loss(of_fake[0], zeros)
            alone = loss(of_real[1], ones) + loss(of_wrong[1], ones) + loss(of_fake[1], zeros)
            (conditional + alone).backward()
            optimizer.step()
        self.generator.zero_grad()
        total = -(1 + logvar - mu.square() - logvar.exp()).mean()  # KL at weight 2
        for judge, fake in zip(self.discriminators, fakes, strict=True):
            total = total + sum(loss(answer, ones) for answer in judge(fake, mu))
        total.backward()
        self.g_optimizer.step()
        with torch.no_grad():
            for average, parameter in zip(self.average, self.generator.parameters(), strict=True):
                average.mul_(0.999).add_(parameter, alpha=0.001)


class HandWritten:
    """A loop as written without a Trainer: the same sampling and losses, one optimiser per player, an average."""

    def __init__(self, objective: Objective, data: Any, config: TrainConfig, first: int) -> None:
        self.phase: Phase = objective.phases[-1]
        self.generator = objective.generator
        self.networks = [nn.ModuleList(player.modules.values()) for player in self.phase.players]
        for network in (self.generator, *self.networks):
            network.to(memory_format=torch.channels_last).train().requires_grad_(False)  # type: ignore[call-overload]
        self.average = torch.optim.swa_utils.AveragedModel(
            self.generator, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.999), use_buffers=True
        )
        self.optimizers = [
            torch.optim.Adam(network.parameters(), player.optimizer.lr, (player.optimizer.beta1, 0.99), fused=True)
            for network, player in zip(self.networks, self.phase.players, strict=True)
        ]
        self.sampler = Sampler(data, config.batch_size, 0, "group")
        self.batches = BatchMaker(data, self.generator.resolution, False, torch.device("cpu"))
        self.first = first

    def __call__(self) -> None:
        for step in range(self.first, self.first + STEPS):
            draw = self.sampler.draw(step)
            for player, network, optimizer in zip(self.phase.players, self.networks, self.optimizers, strict=True):
                (batch,) = self.batches.make(draw, 1, 0.0)
                network.requires_grad_(True)
                optimizer.zero_grad()
                torch.stack(list(player.loss(batch).values())).sum().backward()
                optimizer.step()
                network.requires_grad_(False)
            self.average.update_parameters(self.generator)
