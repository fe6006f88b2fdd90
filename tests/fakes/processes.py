"""Scenarios of tests with several processes; `together` forks the processes, and `in_child` forks one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from fakes.ports import free_port
from fakes.training import OnePlayer, TwoPhases, Watched, settings, squares
from t2i.errors import T2IError
from t2i.training import trainer
from t2i.training.config import OptimizerConfig
from t2i.training.objective import Batch, Objective, Player
from t2i.training.trainer import Trainer, TrainResult
from t2i_cgan.config import CGANConfig, CGANObjectiveConfig
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.training import CGANObjective


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    err: str


def in_child(act: Callable[[], object], kill_after: float | None = None) -> int:
    """Call `act` in a forked child with one thread, killed after some seconds if given; returns its wait status."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            torch.set_num_threads(1)
            act()
            code = 0
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def together(scenario: str, folder: Path, count: int = 2) -> list[Ended]:
    """Run `scenario` in `count` forked processes with the environment that a launcher sets."""
    port = free_port()
    children = []
    for rank in range(count):
        child = os.fork()
        if child == 0:
            _be_one_of(count, rank, port, scenario, folder)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    return [Ended(code, (folder / f"stderr.{rank}").read_text()) for rank, code in enumerate(codes)]


def _be_one_of(count: int, rank: int, port: int, scenario: str, folder: Path) -> NoReturn:
    """Exit as the command line does: with 0, 2 and a sentence, or 1 and a traceback."""
    code = 1
    try:
        signal.alarm(1200)
        os.dup2(os.open(folder / f"stderr.{rank}", os.O_CREAT | os.O_WRONLY), 2)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        os.environ |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
        torch.set_num_threads(1)
        AcceleratorState._reset_state(reset_partial_state=True)
        SCENARIOS[scenario](folder, rank)
        code = 0
    except T2IError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def gan(spectral_norm: bool = True) -> Objective:
    """A two-player GAN with R1: its discriminator's gradient is a second derivative."""
    shape = {"resolution": 16, "widths": (16, 8), "condition_dim": 16, "hidden_dim": 16, "noise_dim": 8, "text_dim": 8}
    game: dict[str, Any] = {"discriminator_widths": (8, 8), "squared_error": 1, "r1_gamma": 10, "text_noise": 0.1}
    game["spectral_norm"] = spectral_norm
    # the gradient of a bias before a norm is only rounding errors, which Adam would turn into steps of size lr
    game |= {"generator": {"eps": 1e-3}, "discriminator": {"eps": 1e-3}}
    return CGANObjective(ConditionalGAN(CGANConfig.model_validate(shape)), CGANObjectiveConfig.model_validate(game))


def one_player() -> Objective:
    return OnePlayer(OptimizerConfig(lr=1e-2, warmup_steps=3, schedule="cosine"))


MATCHING: dict[str, tuple[Callable[[], Objective], dict[str, object]]] = {
    "gan": (gan, {"batch_size": 6, "sample_every": 6}),
    "gan-unequal-parts": (gan, {"batch_size": 7, "accumulate": 1}),
    # spectral norm's estimate changes with each micro-batch, and the first one has other pictures
    "gan-accumulated-clipped": (lambda: gan(spectral_norm=False), {"batch_size": 6, "accumulate": 3, "clip_norm": 0.5}),
    "one-player": (one_player, {"batch_size": 6}),
    "two-phases": (TwoPhases, {"batch_size": 6}),
}
"""Games whose loss is a mean over pictures, without dropout or batch statistics."""


def train_one(objective: Objective, run: Path, **changes: object) -> TrainResult:
    config = settings(checkpoint_every=6, **changes)
    return Trainer(objective, squares(objective.generator.resolution), config, run, device="cpu").fit()


def match(folder: Path, rank: int) -> None:
    """Train every game; record each process's batches and the files it writes."""
    for name, (make, changes) in MATCHING.items():
        torch.manual_seed(0)
        seen: list[tuple[int, ...]] = []
        watched = Watched(make(), lambda player, batch, seen=seen: seen.append(batch.noise.seeds))
        train_one(watched, folder / f"rank{rank}" / name, **changes)
        (folder / f"{name}.{rank}.json").write_text(json.dumps(seen))


def resume(folder: Path, rank: int) -> None:
    """Train with dropout and batch norm in two processes, once uninterrupted and once resumed from step 3."""
    for name in ("whole", "again"):
        torch.manual_seed(rank if name == "again" else 0)  # other initial weights: all must come from the checkpoint
        objective = TwoPhases(dropout=0.3, norm=True)
        drawn: list[float] = []
        watched = Watched(objective, lambda player, batch, drawn=drawn: drawn.append(torch.rand(()).item()))
        begun = "checkpoints/step-00000003"
        if name == "again" and rank == 0:
            shutil.copytree(folder / "whole" / begun, folder / "again" / begun)
        config = settings(checkpoint_every=1, keep_checkpoints=6)
        Trainer(watched, squares(8), config, folder / name, device="cpu").fit()
        buffers = {key: value.tolist() for key, value in objective.generator.named_buffers()}
        (folder / f"{name}.{rank}.json").write_text(json.dumps({"drawn": drawn, "buffers": buffers}))


def stop(folder: Path, rank: int) -> None:
    """Send Ctrl-C only to the second process."""

    def before(player: Player, batch: Batch) -> None:
        calls.append(player.name)
        if len(calls) == 3 and rank == 1:
            signal.raise_signal(signal.SIGINT)

    calls: list[str] = []
    torch.manual_seed(0)
    result = train_one(Watched(one_player(), before), folder / "run", steps=100)
    (folder / f"stopped.{rank}.json").write_text(json.dumps([result.step, result.finished]))


class Queueing(OnePlayer):
    """Keeps the newest sentences of its process, and whether there were any."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = nn.Module()
        self.queue.register_buffer("sentences", torch.zeros(3, 8))
        self.queue.register_buffer("filled", torch.tensor(False))
        self.keeps = {"queue": self.queue}

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        self.queue.sentences.copy_(batch.text.sentence)  # type: ignore[union-attr,operator]
        self.queue.filled.fill_(True)  # type: ignore[union-attr,operator]
        return super().loss(batch)


def keep(folder: Path, rank: int) -> None:
    """Train with a queue that each process fills with its own part of the step."""
    torch.manual_seed(0)
    seen: list[list[list[float]]] = []
    objective = Queueing()
    watched = Watched(objective, lambda player, batch: seen.append(batch.text.sentence.tolist()))
    train_one(watched, folder / f"rank{rank}" / "keep", batch_size=6)
    buffers = {name: buffer.tolist() for name, buffer in objective.queue.named_buffers()}
    (folder / f"kept.{rank}.json").write_text(json.dumps({"seen": seen[-1], **buffers}))


def exhaust(folder: Path, rank: int) -> None:
    """End early: the validation after step 4, which only the first process sees, is worse than that after step 2."""
    made = {"validate_every": 2, "patience": 1, "steps": 20}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            trainer.Validator, "__call__", lambda self, steps, step, generator: {"validation/error": float(step)}
        )
        torch.manual_seed(0)
        objective, data = one_player(), squares(8)
        result = Trainer(objective, data, settings(**made), folder / "early", device="cpu", validation=data).fit()
    (folder / f"early.{rank}.json").write_text(json.dumps([result.step, result.finished]))


def everything(folder: Path, rank: int) -> None:
    """All scenarios that succeed, in one start of the processes."""
    exhaust(folder, rank)
    keep(folder, rank)
    match(folder, rank)
    resume(folder, rank)
    stop(folder, rank)


def failing(act: Callable[[], None]) -> Callable[[Path, int], None]:
    """A run whose second process calls `act` in its fifth step, with a checkpoint every two steps."""

    def scenario(folder: Path, rank: int) -> None:
        def change(player: Player, terms: dict[str, Tensor]) -> dict[str, Tensor]:
            calls.append(player.name)
            if len(calls) == 5 and rank == 1:
                act()
            return terms

        calls: list[str] = []
        torch.manual_seed(0)
        config = settings(steps=50, checkpoint_every=2)
        Trainer(Watched(one_player(), change=change), squares(8), config, folder / "run", device="cpu").fit()

    return scenario


def _raise() -> None:
    raise MemoryError("injected")


SCENARIOS = {
    "everything": everything,
    "raises": failing(_raise),
    "killed": failing(lambda: os.kill(os.getpid(), signal.SIGKILL)),
}
