"""What every Objective promises."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from t2i.errors import TrainingError
from t2i.generator import Generator
from t2i.runs.folder import RunFolder
from t2i.testing.checks.check import Checks
from t2i.testing.checks.probes import captions, undocumented, watched
from t2i.testing.checks.tiny_training import (
    losses,
    modules,
    parameters,
    players,
    reachable_modules,
    started,
    tiny_batch,
    tiny_run,
)
from t2i.training.objective import Batch, Objective, Player
from t2i.training.validation import check_objective

OBJECTIVE_CHECKS: Checks[Objective] = Checks()
STEPS = 4
MOVES = 30  # on one batch, to learn it
LEAST_LR = 1e-3  # enough for a tiny network to learn a batch in so few updates


@OBJECTIVE_CHECKS.add(
    why="the Trainer finds players and checkpoints find modules by these names",
    remedy="make shares sum to 1; give each phase players, each player modules with parameters, and each a name",
)
def phases_are_consistent(objective: Objective) -> None:
    try:
        check_objective(objective)
    except TrainingError as error:
        raise AssertionError(str(error)) from None


@OBJECTIVE_CHECKS.add(
    why="optimisers keep the modules they were first given",
    remedy="build the modules in __init__, and only refer to them in `phases`",
)
def phases_do_not_change(objective: Objective) -> None:
    first, second = ([player.modules for _, player in players(objective)] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys(), "reading the phases twice gives different modules"
        assert all(one[name] is other[name] for name in one), "reading the phases twice makes new modules"


@OBJECTIVE_CHECKS.add(
    why="the generator is the result of a run: its average is sampled, saved and published",
    remedy="give the generator, or a module of it, to one of the players",
)
def the_generator_is_trained(objective: Objective) -> None:
    assert isinstance(objective.generator, Generator), "`generator` must be a Generator"
    trained = {id(p) for _, player in players(objective) for p in parameters(player)}
    assert trained & {id(p) for p in objective.generator.parameters()}, "no player updates the generator"


@OBJECTIVE_CHECKS.add(
    why="terms are summed, logged and plotted by name",
    remedy="reduce each term with mean() or sum(), and divide by nothing that can be 0",
)
def losses_are_finite_scalars(objective: Objective) -> None:
    for phase, player in players(objective):
        for progress in (0.0, 0.5, 0.99):
            for name, value in losses(objective, player, tiny_batch(objective, progress=progress)).items():
                where = f"the term {name!r} of {phase.name}/{player.name} at progress {progress}"
                assert value.shape == (), f"{where} must be a scalar, got {list(value.shape)}"
                assert value.isfinite(), f"{where} is {value.item()}"


@OBJECTIVE_CHECKS.add(
    why="train.precision=auto chooses bfloat16 where a machine computes it faster",
    remedy="call float() on what is read by an operation that knows no bfloat16",
)
def losses_can_be_computed_in_bfloat16(objective: Objective) -> None:
    for phase, player in players(objective):
        where = f"the loss of {phase.name}/{player.name} in bfloat16"
        try:
            with torch.autocast("cpu", torch.bfloat16):
                terms = losses(objective, player, tiny_batch(objective))
            torch.autograd.backward(torch.stack([value.float() for value in terms.values()]).sum())
        except RuntimeError as error:  # NotImplementedError is one
            raise AssertionError(f"{where} fails: {error}") from None
        for name, value in terms.items():
            assert value.isfinite(), f"the term {name!r} of {where} is {value.item()}"


@OBJECTIVE_CHECKS.add(
    why="a player whose loss does not reach it trains nothing, and one that reaches others trains them twice",
    remedy="detach what the player does not own, leave requires_grad to the Trainer, and name what it does own",
)
def gradients_reach_the_players_own_modules_alone(objective: Objective) -> None:
    everything = {id(p): p for module in modules(objective) for p in module.parameters()}
    for phase, player in players(objective):
        for parameter in everything.values():
            parameter.grad = None
        terms = losses(objective, player, tiny_batch(objective))
        where = f"the loss of {phase.name}/{player.name}"
        assert any(value.requires_grad for value in terms.values()), f"{where} has no gradient"
        torch.autograd.backward(torch.stack([value.float() for value in terms.values()]).sum())
        own = {id(p) for p in parameters(player)}
        strangers = [p for p in everything.values() if id(p) not in own and (p.requires_grad or p.grad is not None)]
        assert not strangers, f"{where} unfreezes or reaches {len(strangers)} parameters of other players"
        _assert_reached(player, where)


@OBJECTIVE_CHECKS.add(
    why="the other losses learn from what one loss shares",
    remedy="share values that still carry gradients, and detach them where they are read",
)
def shared_values_carry_gradients_to_every_player(objective: Objective) -> None:
    for phase in started(objective):
        if phase.sharing == "none":
            continue
        batch = tiny_batch(objective)
        for module in modules(objective):
            module.requires_grad_(False)
        for parameter in [p for player in phase.players for p in parameters(player)]:
            parameter.requires_grad_(True)
            parameter.grad = None
        for player in phase.players:
            loss = torch.stack([value.float() for value in player.loss(batch).values()]).sum()
            if loss.requires_grad:
                torch.autograd.backward(loss, inputs=parameters(player), retain_graph=True)
            _assert_reached(player, f"when losses share, the loss of {phase.name}/{player.name}")


def _assert_reached(player: Player, where: str) -> None:
    for name, module in player.modules.items():
        moved = any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())
        assert moved, f"{where} does not reach its module {name!r}"


@OBJECTIVE_CHECKS.add(
    why="mismatched captions are drawn only on request, and then a dataset needs two groups",
    remedy="set needs_mismatched = True on the class if, and only if, a loss reads batch.mismatched",
)
def mismatched_captions_are_asked_for(objective: Objective) -> None:
    heard: list[str] = []

    class Listening(Batch):
        def __getattribute__(self, name: str) -> object:
            if name == "mismatched":
                heard.append(name)
            return super().__getattribute__(name)

    for phase, player in players(objective):
        batch = tiny_batch(objective, mismatched=captions(4, objective.generator.text_dim, seed=1))
        heard.clear()
        losses(objective, player, Listening(**vars(batch)))
        assert objective.needs_mismatched or not heard, (
            f"needs_mismatched is False, but the loss of {phase.name}/{player.name} reads batch.mismatched"
        )
        if heard:
            return
    assert not objective.needs_mismatched, "needs_mismatched is True, but no loss reads batch.mismatched"


@OBJECTIVE_CHECKS.add(
    why="a network missing from the checkpoint is lost on resume: its random weights will differ",
    remedy="list networks that no player trains in `keeps`",
)
def every_network_is_in_the_checkpoint(objective: Objective) -> None:
    held = {id(part) for module in modules(objective) for part in module.modules()}
    for where, module in reachable_modules(objective).items():
        assert not module.state_dict() or id(module) in held, (
            f"{where} is neither in the generator, nor in a player's modules, nor in `keeps`"
        )


@OBJECTIVE_CHECKS.add(
    why="a run is a function of its seed, and a resumed one must see the same losses",
    remedy="draw from batch.noise or torch's global stream, never from NumPy's or Python's",
)
def same_seed_and_step_same_loss(objective: Objective) -> None:
    for phase, player in players(objective):
        states = [copy.deepcopy(module.state_dict()) for module in modules(objective)]
        seen = []
        for _ in range(2):
            for module, state in zip(modules(objective), states, strict=True):
                module.load_state_dict(state)
            torch.manual_seed(7)  # the Trainer reseeds it at every update
            seen.append(
                {name: value.item() for name, value in losses(objective, player, tiny_batch(objective)).items()}
            )
        assert seen[0] == seen[1], f"{phase.name}/{player.name} has different losses for the same batch: {seen}"


@OBJECTIVE_CHECKS.add(
    why="a run that was killed must lose nothing but time",
    remedy="keep all state in parameters and persistent buffers of the named modules",
)
def a_resumed_run_equals_an_uninterrupted_one(objective: Objective) -> None:
    with TemporaryDirectory() as scratch:
        runs = Path(scratch)
        whole = tiny_run(objective, runs / "whole", STEPS, checkpoint_every=1)
        for step in range(1, STEPS):
            begun = RunFolder(runs / "whole").checkpoint(step)
            shutil.copytree(begun, RunFolder(runs / str(step)).checkpoint(step))
            _reinitialise(objective)
            resumed = tiny_run(objective, runs / str(step), STEPS, checkpoint_every=STEPS)
            assert whole.keys() == resumed.keys(), "a resumed run's checkpoint has other tensors"
            different = [name for name, tensor in whole.items() if not torch.equal(tensor, resumed[name])]
            assert not different, f"a run resumed at step {step} ends differently in {', '.join(different[:5])}"


@torch.no_grad()
def _reinitialise(objective: Objective) -> None:
    """Simulate a new process with another initialisation; all weights must come from the checkpoint."""
    for module in reachable_modules(objective).values():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(1)


@OBJECTIVE_CHECKS.add(
    why="a player that cannot memorise one batch learns nothing from many",
    remedy="look for a gradient of the wrong sign, a detached term, or a learning rate far too high",
)
def each_player_learns_one_batch(objective: Objective) -> None:
    for phase, player in players(objective):
        settings = player.optimizer
        optimizer = torch.optim.Adam(
            parameters(player), max(settings.lr, LEAST_LR), (settings.beta1, settings.beta2), settings.eps
        )
        values = []
        for _ in range(MOVES + 1):
            torch.manual_seed(7)  # one batch, one dropout mask
            terms = losses(objective, player, tiny_batch(objective, progress=0.5))
            loss = torch.stack([value.float() for value in terms.values() if value.requires_grad]).sum()
            values.append(loss.item())
            if values[0] - values[-1] > 1e-3 * abs(values[0]):
                break
            torch.autograd.backward(loss)
            optimizer.step()
        else:
            first, best = values[0], min(values[1:])
            raise AssertionError(
                f"{MOVES} updates of {phase.name}/{player.name} on one batch must lower its loss, but it goes "
                f"from {first:.5g} to {best:.5g} at best"
            )


@OBJECTIVE_CHECKS.add(
    why="a run reads its data once and writes only in its own folder; the core does both",
    remedy="read what a loss needs when the objective is made, and leave logging to the returned terms",
)
def losses_open_no_file_and_no_socket(objective: Objective) -> None:
    for phase, player in players(objective):
        losses(objective, player, tiny_batch(objective))  # torch imports parts of itself when they are first used
        with watched() as touched:
            losses(objective, player, tiny_batch(objective))
        opened = ", ".join(touched.everything)
        assert not opened, f"a loss must open no file and no socket, but {phase.name}/{player.name} opened {opened}"


@OBJECTIVE_CHECKS.add(
    why="watching a run must not change it, and watching the same state twice must agree",
    remedy="draw from batch.noise, return scalars and pictures [n, 3, h, w] in [-1, 1], and change nothing",
)
def watching_changes_nothing(objective: Objective) -> None:
    for phase in started(objective):
        if phase.watch is None:
            continue
        for module in modules(objective):
            module.eval()
        before = [copy.deepcopy(module.state_dict()) for module in modules(objective)]
        with torch.no_grad():
            torch.manual_seed(7)
            first = phase.watch(tiny_batch(objective))
            torch.manual_seed(7)
            second = phase.watch(tiny_batch(objective))
        assert first.keys() == second.keys(), f"{phase.name} shows different names the second time"
        for name, value in first.items():
            where = f"{name!r}, which {phase.name} shows,"
            assert torch.equal(value, second[name]), f"{where} differs the second time"
            shaped = value.ndim == 0 or (value.ndim == 4 and value.shape[1] == 3 and bool((value.abs() <= 1).all()))
            assert shaped, f"{where} must be a scalar or pictures in [-1, 1], got {list(value.shape)}"
        for state, module in zip(before, modules(objective), strict=True):
            changed = [name for name, tensor in module.state_dict().items() if not torch.equal(tensor, state[name])]
            assert not changed, f"watching {phase.name} changes {', '.join(changed[:5])}"


@OBJECTIVE_CHECKS.add(
    why="people want to know what a technique optimises before they train it for a day",
    remedy="give the objective's class a docstring: the losses, and where they come from",
)
def is_documented(objective: Objective) -> None:
    missing = undocumented(type(objective))
    assert not missing, f"public classes must have docstrings, but {', '.join(missing)} has none"
