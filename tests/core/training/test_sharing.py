"""Losses that share a forward pass: a GAN that draws once, and the three players of a VAE-GAN."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fakes.training import Critic, OnePlayer, ToyConfig, TwoPhases, differing, settings, squares, state_of, train
from t2i.training.batches import BatchMaker
from t2i.training.config import OptimizerConfig
from t2i.training.objective import Batch, Phase, Player
from t2i.training.sampling import Sampler
from t2i.training.trainer import Trainer

GAMMA = 0.3


class VAEGAN(OnePlayer):
    """Larsen et al. 2016 in small: encoder, decoder (the generator) and critic, one forward pass for all three."""

    def __init__(self) -> None:
        super().__init__()
        config = ToyConfig()
        self.encoder = nn.Linear(3 * config.resolution**2, 2 * config.noise_dim)
        self.critic = Critic(config)
        self.passes = 0

    @property
    def phases(self) -> Sequence[Phase]:
        optimizer = OptimizerConfig(lr=1e-2)
        players = [
            Player("encoder", {"encoder": self.encoder}, self.encoder_loss, optimizer),
            Player("decoder", {"decoder": self.generator}, self.decoder_loss, optimizer),
            Player("critic", {"critic": self.critic}, self.critic_loss, optimizer),
        ]
        return [Phase("vaegan", players, sharing="together")]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        self.passes += 1
        text = batch.text.sentence
        mean, log_variance = self.encoder(batch.images.flatten(1)).chunk(2, dim=1)
        z = mean + (0.5 * log_variance).exp() * batch.noise.normal(4)
        again = self.generator(text, z)
        critic = {"real": self.critic(batch.images, text), "fake": self.critic(again, text)}
        features = [self.critic.conv(seen) for seen in (batch.images, again)]
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        return {"kl": kl, "likeness": F.mse_loss(features[1], features[0]), **critic}

    def encoder_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        drawn = batch.once("forward", lambda: self.forward(batch))
        return {"kl": drawn["kl"], "likeness": drawn["likeness"]}

    def decoder_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        drawn = batch.once("forward", lambda: self.forward(batch))
        return {"likeness": GAMMA * drawn["likeness"], "adversarial": F.softplus(-drawn["fake"]).mean()}

    def critic_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        drawn = batch.once("forward", lambda: self.forward(batch))
        return {"real": F.softplus(-drawn["real"]).mean(), "fake": F.softplus(drawn["fake"]).mean()}


@pytest.mark.parametrize("accumulate", [1, 2])
def test_three_players_that_share_a_forward_pass_equal_a_hand_written_loop(tmp_path: Path, accumulate: int) -> None:
    """Each gradient only reaches its own player, and all are computed before any player moves; bit for bit."""
    torch.manual_seed(0)
    mine = VAEGAN()
    torch.manual_seed(0)
    plain = VAEGAN()
    train(mine, tmp_path / "run", steps=3, accumulate=accumulate, channels_last=False)
    assert mine.passes == 3 * accumulate

    data, networks = squares(8), [plain.encoder, plain.generator, plain.critic]
    optimizers = [torch.optim.Adam(n.parameters(), lr=1e-2, betas=(0.5, 0.999), fused=True) for n in networks]
    sampler, batches = Sampler(data, 6, 0, mismatch=False), BatchMaker(data, 8, False, torch.device("cpu"))
    for step in range(3):
        for optimizer in optimizers:
            optimizer.zero_grad()
        for batch in batches.make(sampler.draw(step), accumulate, 0.0):
            drawn = plain.forward(batch)
            losses = [
                torch.stack([drawn["kl"], drawn["likeness"]]),
                torch.stack([GAMMA * drawn["likeness"], F.softplus(-drawn["fake"]).mean()]),
                torch.stack([F.softplus(-drawn["real"]).mean(), F.softplus(drawn["fake"]).mean()]),
            ]
            for network, loss in zip(networks, losses, strict=True):
                own = list(network.parameters())
                found = torch.autograd.grad(loss.sum() / accumulate, own, retain_graph=True)
                for parameter, gradient in zip(own, found, strict=True):
                    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        for optimizer in optimizers:
            optimizer.step()
    state = state_of(tmp_path / "run")
    for name, network in zip(("encoder", "decoder", "critic"), networks, strict=True):
        for key, tensor in network.state_dict().items():
            assert torch.equal(state[f"module.{name}.{key}"], tensor), (name, key)


def test_sharing_runs_are_resumed_exactly(tmp_path: Path) -> None:
    torch.manual_seed(0)
    train(VAEGAN(), tmp_path / "whole", steps=6)
    torch.manual_seed(0)
    train(VAEGAN(), tmp_path / "run", steps=3)
    torch.manual_seed(1)
    train(VAEGAN(), tmp_path / "run", steps=6)
    assert not differing(state_of(tmp_path / "whole"), state_of(tmp_path / "run"))


class DrawsOnce(TwoPhases):
    """The duel with fakes drawn once per step, which the critic reads detached."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn: list[Tensor] = []

    @property
    def phases(self) -> Sequence[Phase]:
        copying, duel = super().phases
        return [copying, dataclasses.replace(duel, sharing="in_turn")]

    def fakes(self, batch: Batch) -> Tensor:
        return batch.once("fakes", lambda: self.draw(batch))

    def draw(self, batch: Batch) -> Tensor:
        self.drawn.append(super().fakes(batch))
        return self.drawn[-1]

    def critic_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        real, fake = (self.critic(i, batch.text.sentence) for i in (batch.images, self.fakes(batch).detach()))
        return {"real": F.softplus(-real).mean(), "fake": F.softplus(fake).mean()}


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_gan_that_draws_once_equals_one_that_draws_twice(tmp_path: Path, accumulate: int) -> None:
    """Players still move in turn, so the generator meets the critic that has just moved."""
    torch.manual_seed(0)
    train(TwoPhases(), tmp_path / "twice", steps=8, accumulate=accumulate)
    torch.manual_seed(0)
    objective = DrawsOnce()
    train(objective, tmp_path / "once", steps=8, accumulate=accumulate)
    assert len(objective.drawn) == 4 * accumulate  # the steps of the second phase
    assert not differing(state_of(tmp_path / "twice"), state_of(tmp_path / "once"))


class Careless(DrawsOnce):
    """Its critic's loss does not detach the fakes."""

    def critic_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        real, fake = (self.critic(images, batch.text.sentence) for images in (batch.images, self.fakes(batch)))
        return {"real": F.softplus(-real).mean(), "fake": F.softplus(fake).mean()}


def test_a_loss_only_reaches_its_own_player_even_without_detach(tmp_path: Path) -> None:
    for objective in (DrawsOnce, Careless):
        torch.manual_seed(0)
        train(objective(), tmp_path / objective.__name__, steps=8)
    assert not differing(state_of(tmp_path / "DrawsOnce"), state_of(tmp_path / "Careless"))


class Alone(DrawsOnce):
    """Uses `once` in a phase whose losses share nothing."""

    @property
    def phases(self) -> Sequence[Phase]:
        return [dataclasses.replace(phase, sharing="none") for phase in super().phases]


def test_without_sharing_each_loss_computes_its_own_results(tmp_path: Path) -> None:
    torch.manual_seed(0)
    objective = Alone()
    train(objective, tmp_path / "alone", steps=8)
    assert len(objective.drawn) == 2 + 4  # the critic moves only at every second step
    torch.manual_seed(0)
    train(TwoPhases(), tmp_path / "twice", steps=8)
    assert not differing(state_of(tmp_path / "twice"), state_of(tmp_path / "alone"))


def test_shared_results_are_dropped_after_their_step(tmp_path: Path) -> None:
    objective = VAEGAN()
    trainer = Trainer(objective, squares(8), settings(accumulate=2), tmp_path / "run", device="cpu")
    seen: list[Batch] = []
    inner = objective.forward
    objective.forward = lambda batch: seen.append(batch) or inner(batch)  # type: ignore[method-assign,func-returns-value]
    trainer.one_step()
    assert len(seen) == 2 and all(not batch.shared for batch in seen)
