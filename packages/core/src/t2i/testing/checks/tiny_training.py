"""Data and runs for the checks of objectives: plain squares, small batches, runs of a few steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2i.data.pack.features import EncodedCaptions
from t2i.data.prepare import PreparedData
from t2i.generator import Generator
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.runs.checkpoints import latest_checkpoint
from t2i.testing.checks.probes import captions
from t2i.text import TextEmbedding
from t2i.training.config import TrainConfig
from t2i.training.networks import Networks
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i.training.trainer import Trainer


def tiny_data(generator: Generator, count: int = 6) -> PreparedData:
    """`count` plain squares of different colours, each with a made-up caption."""
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


def batch_of(images: Float[Tensor, "b 3 h w"], text: TextEmbedding, **others: Any) -> Batch:
    """A batch for one loss at the start of a run; each picture has its own group and seed.

    Args:
        others: fields of Batch to override.
    """
    count = len(images)
    batch: dict[str, Any] = {
        "mismatched": None,
        "noise": Noise(range(count)),
        "progress": 0.0,
        "step": 0,
        "pictures": torch.arange(count),
        "groups": torch.arange(count),
        "captions": tuple(f"colour {number}" for number in range(count)),
    }
    return Batch(images=images, text=text, **(batch | others))


def tiny_batch(objective: Objective, count: int = 4, **others: Any) -> Batch:
    """The first `count` squares, with mismatched captions if the objective needs them."""
    text = captions(count, objective.generator.text_dim)
    wrong = text[[*range(1, count), 0]] if objective.needs_mismatched else None
    images = from_uint8(tiny_data(objective.generator, count).images)
    return batch_of(images, text, **({"mismatched": wrong} | others))


def tiny_run(objective: Objective, run: Path, steps: int, checkpoint_every: int) -> dict[str, Tensor]:
    """Train on the squares and keep every checkpoint; returns the last one's tensors."""
    config = TrainConfig(
        steps=steps,
        batch_size=4,
        checkpoint_every=checkpoint_every,
        keep_checkpoints=steps,
        sample_every=0,
        ema_half_life_kimg=0.01,
        precision="no",
        tracker="none",
    )
    Trainer(objective, tiny_data(objective.generator), config, run, device="cpu").fit()
    return latest_checkpoint(run).tensors()


def started(objective: Objective) -> Iterator[Phase]:
    """Each phase in turn, started as the Trainer starts it."""
    networks = Networks(objective, torch.device("cpu"), torch.contiguous_format)
    for phase in objective.phases:
        networks.begin(phase)
        if phase.start is not None:
            phase.start(tiny_data(objective.generator).images)
        yield phase


def players(objective: Objective) -> Iterator[tuple[Phase, Player]]:
    """Every player, with its phase started."""
    for phase in started(objective):
        for player in phase.players:
            yield phase, player


def parameters(player: Player) -> list[nn.Parameter]:
    """The parameters that the player updates."""
    return [parameter for module in player.modules.values() for parameter in module.parameters()]


def modules(objective: Objective) -> list[nn.Module]:
    """Every player's modules, the modules in `keeps`, and the generator."""
    named = {name: module for phase in objective.phases for p in phase.players for name, module in p.modules.items()}
    return [objective.generator, *named.values(), *objective.keeps.values()]


def losses(objective: Objective, player: Player, batch: Batch) -> Mapping[str, Tensor]:
    """The player's loss terms on its turn, when only its own modules are trainable."""
    for module in modules(objective):
        module.requires_grad_(False)
    for parameter in parameters(player):
        parameter.requires_grad_(True)
        parameter.grad = None
    terms = player.loss(batch)
    assert terms, f"the loss of {player.name} has no term"
    return terms


def reachable_modules(objective: Objective) -> dict[str, nn.Module]:
    """The networks in the objective's attributes, at any depth, by their location."""
    found: dict[str, nn.Module] = {}
    seen: set[int] = set()

    def look(value: object, where: str) -> None:
        if id(value) in seen or isinstance(value, str | bytes | Tensor | type):
            return
        seen.add(id(value))
        if isinstance(value, nn.Module):
            found[where] = value
        elif isinstance(value, Mapping):
            for key, part in value.items():
                look(part, f"{where}[{key!r}]")
        elif isinstance(value, list | tuple | set | frozenset):
            for number, part in enumerate(value):
                look(part, f"{where}[{number}]")
        elif hasattr(value, "__dict__") and not callable(value):
            for name, part in vars(value).items():
                look(part, f"{where}.{name}")

    look(objective, type(objective).__name__)
    return found
