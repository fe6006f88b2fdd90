"""Each warning, with an objective that shows the problem; and no warning with a healthy one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fakes.training import OnePlayer, TwoPhases, settings, squares, train
from t2i.training.batches import BatchMaker
from t2i.training.config import OptimizerConfig
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i.training.report.health import LAST, diagnose
from t2i.training.trainer import Trainer


class Duel(TwoPhases):
    """The toy GAN from its first step, at learning rates with which it is stable."""

    learning_rate = 1e-3

    @property
    def phases(self) -> Sequence[Phase]:
        optimizer = OptimizerConfig(lr=self.learning_rate)
        return [
            Phase(
                "duel",
                [
                    Player("critic", {"critic": self.critic}, self.critic_loss, optimizer),
                    Player("generator", {"generator": self.generator}, self.generator_loss, self.optimizer),
                ],
            )
        ]


class Saturated(Duel):
    """The critic has won: the generator does not change, and the hinge loss is 0."""

    learning_rate = 0.05

    def __init__(self) -> None:
        super().__init__(OptimizerConfig(lr=1e-9))

    def critic_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        with torch.no_grad():
            fakes = self.fakes(batch)
        real, fake = (self.critic(images, batch.text.sentence) for images in (batch.images, fakes))
        return {"real": F.relu(1 - real).mean(), "fake": F.relu(1 + fake).mean()}


class Wasserstein(Duel):
    """The critic's loss falls below zero without bound, which is healthy."""

    def critic_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        with torch.no_grad():
            fakes = self.fakes(batch)
        real, fake = (self.critic(images, batch.text.sentence) for images in (batch.images, fakes))
        return {"real": -real.mean(), "fake": fake.mean()}


class Vanished(OnePlayer):
    """After a few steps, a dead activation between the loss and the generator blocks the gradient."""

    calls = 0

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        self.calls += 1
        return {name: value if self.calls < 5 else 0 * value for name, value in super().loss(batch).items()}


class Codebook(OnePlayer):
    """Quantises to 64 codes; `spread` gives the distance between its inputs at each step."""

    def __init__(self, spread: Callable[[int], float]) -> None:
        super().__init__()
        self.codes, self.spread, self.calls = torch.randn(64, 4), spread, 0

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        self.calls += 1
        inputs = torch.randn(256, 4) * self.spread(self.calls) + self.codes[0]
        nearest = torch.cdist(inputs, self.codes).argmin(1)
        shares = torch.bincount(nearest, minlength=64) / 256
        return {**super().loss(batch), "perplexity": torch.exp(-torch.special.xlogy(shares, shares).sum())}


def warnings_of(objective: Objective, run: Path, steps: int = 40) -> list[str]:
    torch.manual_seed(0)
    message: list[str] = []
    config = settings(steps=steps, log_every=1, sample_every=steps, batch_size=4)
    Trainer(objective, squares(8), config, run, device="cpu", warn=message.append).fit()
    return message


ILL: dict[str, tuple[Callable[[], Objective], str]] = {
    "saturated": (Saturated, "The critic is saturated"),
    "vanished": (Vanished, "The gradient of generator has vanished"),
    "collapsed": (lambda: Codebook(lambda step: 1.0 if step < 10 else 0.01), "The codebook of generator has collapsed"),
    "never-spread": (lambda: Codebook(lambda step: 0.001), "The codebook of generator has collapsed"),
}
WELL: dict[str, Callable[[], Objective]] = {
    "gan": Duel,
    "wasserstein": Wasserstein,
    "one-player": OnePlayer,
    "codebook": lambda: Codebook(lambda step: 1.0),
}


@pytest.fixture(autouse=True)
def ready_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report no waiting time except what a test adds, because toy networks are faster than any batch."""
    monkeypatch.setattr("t2i.training.report.health.STARVING", 0.9)


@pytest.mark.parametrize("name", ILL)
def test_a_problem_is_reported_once_and_shown_on_the_page(tmp_path: Path, name: str) -> None:
    make, sentence = ILL[name]
    message = warnings_of(make(), tmp_path / "run")
    assert len([text for text in message if sentence in text]) == 1, message
    assert all(text.startswith("step ") for text in message)
    assert sentence in (tmp_path / "run" / "index.html").read_text()


@pytest.mark.parametrize("name", WELL)
def test_a_healthy_run_has_no_warnings(tmp_path: Path, name: str) -> None:
    assert warnings_of(WELL[name](), tmp_path / "run") == []
    assert 'class="warning"' not in (tmp_path / "run" / "index.html").read_text()


def test_a_slow_loader_gives_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = BatchMaker.make

    def slow(*arguments, **options):  # type: ignore[no-untyped-def]
        for batch in make(*arguments, **options):
            time.sleep(0.15)
            yield batch

    monkeypatch.setattr("t2i.training.report.health.STARVING", 1 / 3)
    monkeypatch.setattr(BatchMaker, "make", slow)
    (message,) = [
        text for text in warnings_of(OnePlayer(), tmp_path / "run", steps=LAST + 2) if "waits for data" in text
    ]
    share = float(message.split("data ")[1].split("%")[0]) / 100
    assert share > 0.6, "the clock measures the sleeps"


def test_a_warning_is_not_repeated_after_a_resume(tmp_path: Path) -> None:
    first = warnings_of(Vanished(), tmp_path / "run", steps=20)
    assert len(first) == 1
    objective = Vanished()
    objective.calls = 100
    message: list[str] = []
    config = settings(steps=30, log_every=1, sample_every=30, batch_size=4)
    Trainer(objective, squares(8), config, tmp_path / "run", device="cpu", warn=message.append).fit()
    assert message == []
    assert "has vanished" in (tmp_path / "run" / "index.html").read_text()


def test_a_loss_scale_below_one_gives_a_warning() -> None:
    falling = [{"step": step, "fp16/loss_scale": 2.0 ** (4 - step)} for step in range(20)]
    assert list(diagnose(falling)) == ["fp16/loss_scale"]
    assert diagnose([{"step": step, "fp16/loss_scale": 1024.0} for step in range(20)]) == {}


def test_a_few_rows_give_no_warning() -> None:
    assert diagnose([]) == {}
    assert diagnose([{"step": step, "gradient/generator": 0.0} for step in range(LAST)]) == {}


def test_a_player_that_starts_late_gives_no_warning(tmp_path: Path) -> None:
    """Nor does one whose terms change from then on."""
    train(TwoPhases(), tmp_path / "run", steps=40, log_every=1)
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    rows = [{name: value for name, value in row.items() if name != "waiting/for_data"} for row in rows]
    assert [diagnose(rows[:end]) for end in range(len(rows))] == [{}] * len(rows)
