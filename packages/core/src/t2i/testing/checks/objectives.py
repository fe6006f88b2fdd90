"""What every Objective promises."""

from __future__ import annotations

import copy
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from t2i.data.pack.features import EncodedCaptions
from t2i.data.prepare import PreparedData
from t2i.generator import Generator
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.runs.checkpoints import latest_checkpoint
from t2i.testing.checks.check import Checks
from t2i.testing.checks.probes import captions, undocumented, watched
from t2i.training.config import TrainConfig
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i.training.trainer import Trainer

OBJECTIVE_CHECKS: Checks[Objective] = Checks()
STEPS = 4
MOVES = 30  # on one batch, to learn it
LEAST_LR = 1e-3  # what learns a tiny network's batch in so few moves


@OBJECTIVE_CHECKS.add(
    why="the Trainer finds players and checkpoints find modules by these names",
    remedy="make shares sum to 1, and names unique, without dot, slash, colon or space",
)
def phases_are_consistent(objective: Objective) -> None:
    total = sum(phase.share for phase in objective.phases)
    assert math.isclose(total, 1), f"the phases' shares sum to 1, not to {total}"
    names = [phase.name for phase in objective.phases]
    assert len(set(names)) == len(names), f"two phases have one name: {names}"
    known: dict[str, nn.Module] = {}
    for phase in objective.phases:
        players = [player.name for player in phase.players]
        assert players and len(set(players)) == len(players), f"{phase.name} has no player, or one twice: {players}"
        for player in phase.players:
            assert player.every >= 1, f"{player.name} moves at each {player.every}-th step"
            for name, module in player.modules.items():
                assert known.setdefault(name, module) is module, f"the name {name!r} stands for two modules"
                assert any(True for _ in module.parameters()), f"the module {name!r} has no parameter"
    used = [*names, *known, *(player.name for phase in objective.phases for player in phase.players)]
    dotted = [name for name in used if set(name) & set("./: ")]
    assert not dotted, f"names hold no dot, slash, colon or space, but {dotted} do"


@OBJECTIVE_CHECKS.add(
    why="optimisers hold on to the modules they were given at first",
    remedy="build the modules in __init__, and only name them in `phases`",
)
def phases_are_the_same_at_every_look(objective: Objective) -> None:
    first, second = ([player.modules for _, player in _players(objective)] for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys(), "asking for the phases twice gives other modules"
        assert all(one[name] is other[name] for name in one), "asking for the phases twice makes new modules"


@OBJECTIVE_CHECKS.add(
    why="the generator is what a run is for: its average is sampled, saved and published",
    remedy="give the generator, or a module of it, to one of the players",
)
def the_generator_is_trained(objective: Objective) -> None:
    assert isinstance(objective.generator, Generator), "generator is a Generator"
    trained = {id(p) for _, player in _players(objective) for p in _parameters(player)}
    assert trained & {id(p) for p in objective.generator.parameters()}, "no player updates the generator"


@OBJECTIVE_CHECKS.add(
    why="terms are summed, logged and plotted by name",
    remedy="reduce each term with mean() or sum(), and divide by nothing that can be 0",
)
def losses_are_finite_scalars(objective: Objective) -> None:
    for phase, player in _players(objective):
        for progress in (0.0, 0.5, 0.99):
            for name, value in _losses(objective, player, _batch(objective, progress=progress)).items():
                where = f"the term {name!r} of {phase.name}/{player.name} at progress {progress}"
                assert value.shape == (), f"{where} is no scalar but {list(value.shape)}"
                assert value.isfinite(), f"{where} is {value.item()}"


@OBJECTIVE_CHECKS.add(
    why="a player whose loss does not reach it trains nothing, and one that reaches others trains them twice",
    remedy="detach what the player does not own, leave requires_grad to the Trainer, and name what it does own",
)
def gradients_reach_the_players_own_modules_alone(objective: Objective) -> None:
    everything = {id(p): p for module in _modules(objective) for p in module.parameters()}
    for phase, player in _players(objective):
        for parameter in everything.values():
            parameter.grad = None
        terms = _losses(objective, player, _batch(objective))
        where = f"the loss of {phase.name}/{player.name}"
        assert any(value.requires_grad for value in terms.values()), f"{where} has no gradient"
        torch.autograd.backward(torch.stack([value.float() for value in terms.values()]).sum())
        own = {id(p) for p in _parameters(player)}
        strangers = [p for p in everything.values() if id(p) not in own and (p.requires_grad or p.grad is not None)]
        assert not strangers, f"{where} unfreezes or reaches {len(strangers)} parameters of other players"
        for name, module in player.modules.items():
            moved = any(p.grad is not None and bool(p.grad.any()) for p in module.parameters())
            assert moved, f"{where} does not reach its module {name!r}"


@OBJECTIVE_CHECKS.add(
    why="a run is a function of its seed, and a resumed one must see the same losses",
    remedy="draw from batch.noise or torch's global stream, never from NumPy's or Python's",
)
def same_seed_and_step_same_loss(objective: Objective) -> None:
    for phase, player in _players(objective):
        states = [copy.deepcopy(module.state_dict()) for module in _modules(objective)]
        seen = []
        for _ in range(2):
            for module, state in zip(_modules(objective), states, strict=True):
                module.load_state_dict(state)
            torch.manual_seed(7)  # the Trainer seeds it anew at every move
            seen.append({name: value.item() for name, value in _losses(objective, player, _batch(objective)).items()})
        assert seen[0] == seen[1], f"{phase.name}/{player.name} has another loss for the same batch: {seen}"


@OBJECTIVE_CHECKS.add(
    why="a run that was killed must lose nothing but time",
    remedy="keep all state in parameters and persistent buffers of the named modules",
)
def a_resumed_run_equals_an_uninterrupted_one(objective: Objective) -> None:
    with TemporaryDirectory() as scratch:
        runs = Path(scratch)
        whole = _trained(objective, runs / "whole")
        for step in range(1, STEPS):
            begun = f"checkpoints/step-{step:08d}"
            shutil.copytree(runs / "whole" / begun, runs / str(step) / begun)
            resumed = _trained(objective, runs / str(step))
            assert whole.keys() == resumed.keys(), "a resumed run's checkpoint holds other tensors"
            different = [name for name, tensor in whole.items() if not torch.equal(tensor, resumed[name])]
            assert not different, f"a run resumed at step {step} ends otherwise in {', '.join(different[:5])}"


@OBJECTIVE_CHECKS.add(
    why="what cannot learn one batch by heart learns nothing from many",
    remedy="look for a gradient of the wrong sign, a detached term, or a learning rate far too high",
)
def each_player_learns_one_batch(objective: Objective) -> None:
    for phase, player in _players(objective):
        settings = player.optimizer
        optimizer = torch.optim.Adam(
            _parameters(player), max(settings.lr, LEAST_LR), (settings.beta1, settings.beta2), settings.eps
        )
        losses = []
        for _ in range(MOVES + 1):
            torch.manual_seed(7)  # one batch, one dropout mask
            terms = _losses(objective, player, _batch(objective, progress=0.5))
            loss = torch.stack([value.float() for value in terms.values() if value.requires_grad]).sum()
            losses.append(loss.item())
            torch.autograd.backward(loss)
            optimizer.step()
        first, best = losses[0], min(losses[1:])
        assert first - best > 1e-3 * abs(first), (
            f"{MOVES} moves of {phase.name}/{player.name} on one batch lower its loss, but it went from {first:.5g} "
            f"to {best:.5g} at best"
        )


@OBJECTIVE_CHECKS.add(
    why="a run reads its data once and writes in its own folder; both are the core's to do",
    remedy="read what a loss needs when the objective is made, and leave logging to the returned terms",
)
def losses_open_no_file_and_no_socket(objective: Objective) -> None:
    for phase, player in _players(objective):
        _losses(objective, player, _batch(objective))  # torch imports parts of itself when they are first used
        with watched() as touched:
            _losses(objective, player, _batch(objective))
        opened = ", ".join(touched.everything)
        assert not opened, f"a loss opens no file and no socket, but {phase.name}/{player.name} did: {opened}"


@OBJECTIVE_CHECKS.add(
    why="people read what a technique optimises before they train it for a day",
    remedy="give the objective's class a docstring: the losses, and where they come from",
)
def is_documented(objective: Objective) -> None:
    missing = undocumented(type(objective))
    assert not missing, f"public classes have docstrings, but {', '.join(missing)} has none"


def tiny_data(generator: Generator, count: int = 6) -> PreparedData:
    """`count` plain squares of as many colours, each with a made-up caption."""
    text = captions(count, generator.text_dim)
    lengths = torch.tensor([0, *text.mask.sum(1).tolist()])
    colours = torch.randint(256, (count, 3, 1, 1), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return PreparedData(
        name="tiny",
        license="CC0-1.0",
        images=colours.expand(-1, -1, generator.resolution, generator.resolution).contiguous(),
        captions=EncodedCaptions(text.sentence, text.words[text.mask].half(), lengths.cumsum(0)),
        caption_texts=[f"colour {number}" for number in range(count)],
        captions_of=[[number] for number in range(count)],
        groups=np.arange(count),
        problems=(),
    )


def _trained(objective: Objective, run: Path) -> dict[str, Tensor]:
    config = TrainConfig(
        steps=STEPS,
        batch_size=4,
        checkpoint_every=1,
        keep_checkpoints=STEPS,
        sample_every=STEPS,
        ema_half_life_kimg=0.01,
        precision="no",
        tracker="none",
    )
    Trainer(objective, tiny_data(objective.generator), config, run, device="cpu").fit()
    return latest_checkpoint(run).tensors()


def _batch(objective: Objective, progress: float = 0.0, count: int = 4) -> Batch:
    generator = objective.generator
    text = captions(count, generator.text_dim)
    return Batch(
        images=from_uint8(tiny_data(generator, count).images),
        text=text,
        mismatched=text[[*range(1, count), 0]],
        noise=Noise(range(count)),
        progress=progress,
        pictures=torch.arange(count),
    )


def _players(objective: Objective) -> Iterator[tuple[Phase, Player]]:
    for phase in objective.phases:
        if phase.start is not None:
            phase.start(tiny_data(objective.generator).images)
        for player in phase.players:
            yield phase, player


def _modules(objective: Objective) -> list[nn.Module]:
    """Every player's modules and the generator."""
    named = {name: module for _, player in _players(objective) for name, module in player.modules.items()}
    return [objective.generator, *named.values()]


def _parameters(player: Player) -> list[nn.Parameter]:
    return [parameter for module in player.modules.values() for parameter in module.parameters()]


def _losses(objective: Objective, player: Player, batch: Batch) -> Mapping[str, Tensor]:
    """The player's terms when it is its turn: its own modules alone are trainable."""
    for module in _modules(objective):
        module.requires_grad_(False).train()
    for parameter in _parameters(player):
        parameter.requires_grad_(True)
        parameter.grad = None
    terms = player.loss(batch)
    assert terms, f"the loss of {player.name} has no term"
    return terms
