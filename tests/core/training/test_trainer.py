"""The training loop against a hand-written one, interruptions and resumes, and errors that must stop it."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from fakes.training import (
    OnePlayer,
    TwoPhases,
    Watched,
    differing,
    settings,
    squares,
    state_of,
    train,
)
from t2i.errors import CheckpointError, DivergedError, InvalidConfigError, TrainingError
from t2i.runs.checkpoints import latest_checkpoint
from t2i.training.batches import BatchMaker
from t2i.training.config import OptimizerConfig
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i.training.sampling import Sampler
from t2i.training.trainer import Trainer
from t2i_cgan.config import CGANConfig, CGANObjectiveConfig
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.training import CGANObjective


def cgan() -> CGANObjective:
    shape = {"resolution": 16, "widths": (16, 8), "condition_dim": 16, "hidden_dim": 16, "noise_dim": 8, "text_dim": 8}
    game = {"discriminator_widths": (8, 8), "reconstruct_first": 0.5, "squared_error": 1, "r1_gamma": 1, "shift": 2}
    return CGANObjective(
        ConditionalGAN(CGANConfig.model_validate(shape)), CGANObjectiveConfig.model_validate(game | {"text_noise": 0.1})
    )


OBJECTIVES: dict[str, Callable[[], Objective]] = {
    "one-player": lambda: OnePlayer(
        OptimizerConfig(lr=1e-2, warmup_steps=3, schedule="cosine"), dropout=0.3, norm=True
    ),
    "two-phases": lambda: TwoPhases(dropout=0.3),
    "cgan": cgan,
}


# --- semantics, compared with a plain loop -------------------------------------------------------------------------


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_equals_a_hand_written_loop(tmp_path: Path, accumulate: int, clip_norm: float | None) -> None:
    """Two players in turn, five steps: every parameter, buffer and moving average, bit for bit."""
    shape = {"norm": True, "resolution": 8}
    torch.manual_seed(0)
    mine, data = Duel(**shape), squares(8)
    torch.manual_seed(0)
    plain = Duel(**shape)
    config = settings(steps=5, batch_size=6, accumulate=accumulate, clip_norm=clip_norm, checkpoint_every=5)
    Trainer(mine, data, config, tmp_path / "run", device="cpu").fit()

    generator, critic = (m.to(memory_format=torch.channels_last) for m in (plain.generator, plain.critic))
    average = [p.detach().clone() for p in generator.parameters()]
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2, betas=(0.5, 0.999), fused=True)
    c_optimizer = torch.optim.AdamW(critic.parameters(), lr=5e-3, betas=(0.5, 0.999), weight_decay=0.1, fused=True)
    sampler, batches = Sampler(data, 6, config.seed, mismatch=False), BatchMaker(data, 8, False, torch.device("cpu"))
    for step in range(5):
        turns = [(plain.generator_loss, generator, g_optimizer)]
        if step % 2 == 0:
            turns.insert(0, (plain.critic_loss, critic, c_optimizer))
        for loss, network, optimizer in turns:
            optimizer.zero_grad()
            for batch in batches.make(sampler.draw(step), accumulate, 0.0):
                terms = loss(batch)
                (torch.stack(list(terms.values())).sum() / accumulate).backward(inputs=list(network.parameters()))
            if clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
            optimizer.step()
        half_life = min(20.0, (step + 1) * 6 * 0.05)
        for kept, now in zip(average, generator.parameters(), strict=True):
            kept.lerp_(now.detach(), 1 - 0.5 ** (6 / half_life))

    state = state_of(tmp_path / "run")
    for name, network in (("generator", generator), ("critic", critic)):
        for key, tensor in network.state_dict().items():
            assert torch.equal(state[f"module.{name}.{key}"], tensor), (name, key)
    for (key, _), kept in zip(generator.named_parameters(), average, strict=True):
        assert torch.equal(state[f"ema.{key}"], kept), key
    assert torch.equal(
        state["optimizer.duel.critic.critic.judge.weight:exp_avg_sq"],
        c_optimizer.state[critic.judge.weight]["exp_avg_sq"],
    )


class Duel(TwoPhases):
    """Only the second phase."""

    @property
    def phases(self) -> list[Phase]:
        (_, duel) = super().phases
        return [Phase("duel", duel.players)]


def test_micro_batches_add_up_to_the_whole_batch(tmp_path: Path) -> None:
    """Without batch statistics, 2 x 4 pictures give the gradient of 1 x 8."""
    runs = {}
    for accumulate in (1, 2, 4):
        torch.manual_seed(0)
        train(OnePlayer(), tmp_path / str(accumulate), batch_size=8, accumulate=accumulate, steps=3)
        runs[accumulate] = state_of(tmp_path / str(accumulate))
    for accumulate in (2, 4):
        for name, tensor in runs[1].items():
            torch.testing.assert_close(runs[accumulate][name], tensor, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_gradients_only_reach_the_player(tmp_path: Path, objective: Callable[[], Objective]) -> None:
    reached: set[str] = set()
    watched = objective()
    modules = {name: m for phase in watched.phases for player in phase.players for name, m in player.modules.items()}
    shared = {name for phase in watched.phases if phase.sharing != "none" for p in phase.players for name in p.modules}

    def before(player: Player, batch: Batch) -> None:
        found = {name for name, m in modules.items() if any(p.requires_grad for p in m.parameters())}
        own = set(player.modules)
        assert own <= found <= own | shared  # players that share a forward pass need its graph
        assert all(p.grad is None for m in modules.values() for p in m.parameters()), (
            "the last move reached other players"
        )
        reached.update(player.modules)

    train(Watched(watched, before), tmp_path / "run", steps=4)
    assert reached == set(modules)


def test_players_move_at_every_kth_step(tmp_path: Path) -> None:
    moves: list[str] = []
    train(Watched(TwoPhases(), lambda player, batch: moves.append(player.name)), tmp_path / "run", steps=8)
    duel = ["critic", "generator", "generator"]  # steps 4 and 5: the critic moves at every second one
    assert moves == ["generator"] * 4 + duel * 2


def test_progress_runs_through_each_phase(tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    before = lambda player, batch: seen.append((player.name, batch.progress))  # noqa: E731
    train(Watched(TwoPhases(), before), tmp_path / "run", steps=8)
    assert [progress for name, progress in seen if name == "generator"] == [0, 0.25, 0.5, 0.75] * 2


@pytest.fixture
def fresh_accelerate() -> Iterator[None]:
    """Reset Accelerate's state, as in a new process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.usefixtures("fresh_accelerate")
def test_trains_in_bf16_on_a_cpu(tmp_path: Path) -> None:
    def change(player: Player, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        dtypes.add(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32)
        return terms

    dtypes: set[torch.dtype] = set()
    code = cgan()
    result = train(Watched(code, change=change), tmp_path / "run", precision="bf16", steps=4)
    assert result.finished and dtypes == {torch.bfloat16}
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in code.generator.parameters())


@pytest.mark.usefixtures("fresh_accelerate")
def test_a_refusal_of_accelerate_is_a_one_sentence_error(tmp_path: Path) -> None:
    """Accelerate has one state per process."""
    train(OnePlayer(), tmp_path / "first", steps=1)
    with pytest.raises(TrainingError, match="One process has one device and one precision"):
        train(OnePlayer(), tmp_path / "second", steps=1, precision="bf16")
    with pytest.raises(InvalidConfigError, match="got 'tensorbored'"):
        train(OnePlayer(), tmp_path / "second", steps=1, tracker="tensorbored")
    assert not (tmp_path / "second").exists()


# --- k steps, a stop, and k more -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [{}, {"accumulate": 2}, {"channels_last": False, "clip_norm": 0.1, "balance": "group", "horizontal_flip": True}],
    ids=["plain", "accumulate", "contiguous-clipped"],
)
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_a_run_resumed_from_any_step_has_the_same_bits(
    tmp_path: Path, objective: Callable[[], Objective], changes: dict[str, object]
) -> None:
    """Steps 1 to 5 of 6: before, at and after a phase's end; with 6 of 8 pictures per step, epochs end within steps."""
    torch.manual_seed(0)
    train(objective(), tmp_path / "whole", checkpoint_every=1, keep_checkpoints=6, **changes)
    whole = state_of(tmp_path / "whole")
    assert {name.partition(".")[0] for name in whole} == {"ema", "module", "optimizer"}
    for step in (1, 3, 5):
        begun = f"checkpoints/step-{step:08d}"
        shutil.copytree(tmp_path / "whole" / begun, tmp_path / str(step) / begun)
        torch.manual_seed(100 + step)  # other initial weights: all must come from the checkpoint
        train(objective(), tmp_path / str(step), checkpoint_every=1, keep_checkpoints=6, **changes)
        assert differing(whole, state_of(tmp_path / str(step))) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_step_saves_and_resumes(tmp_path: Path, number: signal.Signals) -> None:
    torch.manual_seed(0)
    train(TwoPhases(dropout=0.3), tmp_path / "whole")
    torch.manual_seed(0)
    handler = signal.getsignal(number)
    result = train(Watched(TwoPhases(dropout=0.3), at_call(5, lambda: signal.raise_signal(number))), tmp_path / "run")
    assert (result.step, result.finished) == (5, False)  # call 5 is the critic's loss in step 4
    assert signal.getsignal(number) is handler
    assert latest_checkpoint(tmp_path / "run").step == 5
    assert train(TwoPhases(dropout=0.3), tmp_path / "run").finished
    assert differing(state_of(tmp_path / "whole"), state_of(tmp_path / "run")) == []


def test_ctrl_c_twice_interrupts_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("t2i.interrupts.SAME_SECONDS", 0.0)  # so that two signals in a row are two

    def twice() -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    torch.manual_seed(0)
    train(OnePlayer(), tmp_path / "whole", checkpoint_every=2)
    torch.manual_seed(0)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(Watched(OnePlayer(), at_call(4, twice)), tmp_path / "run", checkpoint_every=2)
    assert signal.getsignal(signal.SIGINT) is handler
    assert latest_checkpoint(tmp_path / "run").step == 2
    assert train(OnePlayer(), tmp_path / "run", checkpoint_every=2).finished
    assert differing(state_of(tmp_path / "whole"), state_of(tmp_path / "run")) == []


def at_call(number: int, act: Callable[[], None]) -> Callable[[Player, Batch], None]:
    """Call `act` at the `number`-th loss of the run."""
    calls = []

    def before(player: Player, batch: Batch) -> None:
        calls.append(player.name)
        if len(calls) == number:
            act()

    return before


def test_a_run_killed_before_its_first_checkpoint_starts_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    train(OnePlayer(), tmp_path / "whole")
    (tmp_path / "run" / "checkpoints" / ".step-00000003.abc").mkdir(parents=True)
    torch.manual_seed(0)
    train(OnePlayer(), tmp_path / "run")
    assert differing(state_of(tmp_path / "whole"), state_of(tmp_path / "run")) == []
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000006"]


# --- what stops a run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run_with_player_and_term(tmp_path: Path, value: float) -> None:
    calls: list[str] = []

    def change(player: Player, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        calls.append(player.name)
        if player.name == "critic" and len(calls) > 6:
            terms["fake"] = terms["fake"] * value
        return terms

    with pytest.raises(DivergedError, match=r"the critic's term 'fake' became (nan|inf).*last checkpoint"):
        train(Watched(TwoPhases(), change=change), tmp_path / "run", steps=10, checkpoint_every=2)
    checkpoint = latest_checkpoint(tmp_path / "run")
    assert checkpoint.step == 6
    assert all(tensor.isfinite().all() for tensor in checkpoint.tensors().values())


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    """The loss is finite but its gradient is not, so the step before the checkpoint makes the weights infinite."""

    def change(player: Player, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        calls.append(1)
        if len(calls) == 4:
            terms["squared_error"] = terms["squared_error"] + (0 * terms["squared_error"]).sqrt()
        return terms

    calls: list[int] = []
    with pytest.raises(DivergedError, match="generator"):
        train(Watched(OnePlayer(), change=change), tmp_path / "run", checkpoint_every=2)
    checkpoint = latest_checkpoint(tmp_path / "run")
    assert checkpoint.step == 2
    assert all(tensor.isfinite().all() for tensor in checkpoint.tensors().values())


def test_a_checkpoint_of_other_networks_is_refused(tmp_path: Path) -> None:
    train(OnePlayer(width=6), tmp_path / "run")
    with pytest.raises(CheckpointError, match="does not fit"):
        train(OnePlayer(width=8), tmp_path / "run", steps=12)


def test_a_checkpoint_with_other_modules_per_player_is_refused(tmp_path: Path) -> None:
    class Merged(TwoPhases):
        @property
        def phases(self) -> list[Phase]:
            modules = {"generator": self.generator, "critic": self.critic}
            return [
                Phase("copy", [Player("generator", modules, self.loss, self.optimizer)], 0.5),
                Phase("duel", [Player("critic", {"generator": self.generator}, self.loss, self.optimizer)], 0.5),
            ]

    train(TwoPhases(), tmp_path / "run")
    with pytest.raises(CheckpointError, match="does not fit"):
        train(Merged(), tmp_path / "run", steps=12)


class Misdeclared(OnePlayer):
    def __init__(self, make: Callable[[OnePlayer], list[Phase]]) -> None:
        super().__init__()
        self._make = make

    @property
    def phases(self) -> list[Phase]:
        return self._make(self)


def player(of: OnePlayer, name: str = "p", module: nn.Module | None = None) -> Player:
    return Player(name, {"generator": module or of.generator}, of.loss, of.optimizer)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda of: [], "sum to 1, got 0"),
        (lambda of: [Phase("a", [player(of)], 0.5)], "sum to 1, got 0.5"),
        (lambda of: [Phase("a", [player(of), player(of, "q", nn.Linear(1, 1))])], "'generator' names two modules"),
        (lambda of: [Phase("a", [player(of), player(of)])], "'p' is used 2 times"),
        (lambda of: [Phase("a", [player(of)], 0.5), Phase("a", [player(of)], 0.5)], "'a' is used 2 times"),
        (lambda of: [Phase("a", [player(of, "p.q")])], "contain a dot"),
    ],
)
def test_inconsistent_phases_are_refused(
    tmp_path: Path, make: Callable[[OnePlayer], list[Phase]], sentence: str
) -> None:
    with pytest.raises(TrainingError, match=sentence):
        Trainer(Misdeclared(make), squares(8), settings(), tmp_path / "run", device="cpu")


def test_clipping_is_torchs(tmp_path: Path) -> None:
    """After one step Adam's first slot is (1 - beta1) times the clipped gradient."""
    torch.manual_seed(0)
    mine = OnePlayer()
    train(mine, tmp_path / "run", steps=1, clip_norm=1e-3)
    torch.manual_seed(0)
    plain, data = OnePlayer(), squares(8)
    (batch,) = BatchMaker(data, 8, False, torch.device("cpu")).make(Sampler(data, 6, 0, mismatch=False).draw(0), 1, 0.0)
    generator = plain.generator.to(memory_format=torch.channels_last)
    sum(plain.loss(batch).values()).backward()
    norm = torch.nn.utils.clip_grad_norm_(generator.parameters(), 1e-3)
    assert norm > 1e-3
    state = state_of(tmp_path / "run")
    for name, parameter in generator.named_parameters():
        slot = state[f"optimizer.copy.generator.generator.{name}:exp_avg"]
        torch.testing.assert_close(slot, 0.5 * parameter.grad)
