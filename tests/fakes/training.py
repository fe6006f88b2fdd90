"""Coloured squares to train on, and toy objectives to train."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from fakes.models import FakeTextEncoder
from t2i.config import Config
from t2i.data.dataset import CaptionedDataset, Example
from t2i.data.pack.features import EncodedCaptions
from t2i.data.prepare import PreparedData
from t2i.generator import Generator, NoOptions
from t2i.noise import Noise
from t2i.runs.checkpoints import latest_checkpoint
from t2i.text import TextEmbedding, TextEncoder
from t2i.training.config import OptimizerConfig, TrainConfig
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i.training.trainer import Trainer, TrainResult

COLOURS = {
    "red": (230, 30, 30),
    "green": (30, 180, 60),
    "blue": (40, 60, 220),
    "yellow": (240, 220, 40),
    "black": (20, 20, 20),
    "white": (240, 240, 240),
    "purple": (140, 40, 180),
    "orange": (250, 140, 20),
}


class ColouredSquares(CaptionedDataset):
    """One square per colour with a grey frame and two captions."""

    def __init__(self, split: str = "train") -> None:
        self._split = split
        self._examples = [Example(name, (f"{name} square", f"a {name} square"), name) for name in COLOURS]

    @property
    def name(self) -> str:
        return f"squares:{self._split}"

    @property
    def license(self) -> str:
        return "CC0-1.0"

    @property
    def examples(self) -> Sequence[Example]:
        return self._examples

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        picture = Image.new("RGB", (resolution, resolution), "grey")
        frame = resolution // 8
        picture.paste(list(COLOURS.values())[index], (frame, frame, resolution - frame, resolution - frame))
        return picture, ""


def squares(resolution: int, encoder: TextEncoder | None = None) -> PreparedData:
    """The squares, prepared without a cache."""
    dataset, encoder = ColouredSquares(), encoder or FakeTextEncoder()
    texts = sorted(caption for example in dataset.examples for caption in example.captions)
    text = encoder.encode(texts)
    pixels = [np.asarray(dataset.picture(index, resolution)[0]) for index in range(len(dataset))]
    lengths = torch.tensor([0, *text.mask.sum(1).tolist()])
    return PreparedData(
        name=dataset.name,
        license=dataset.license,
        images=torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous(),
        captions=EncodedCaptions(text.sentence, text.words[text.mask].half(), lengths.cumsum(0)),
        caption_texts=texts,
        captions_of=[[texts.index(caption) for caption in example.captions] for example in dataset.examples],
        groups=np.arange(len(dataset)),
        problems=(),
    )


def write_squares(folder: Path, resolution: int = 16) -> Path:
    """Write the squares as a user's folder: name.png and name.txt."""
    folder.mkdir(parents=True)
    dataset = ColouredSquares()
    for index, example in enumerate(dataset.examples):
        dataset.picture(index, resolution)[0].save(folder / f"{example.id}.png")
        (folder / f"{example.id}.txt").write_text("\n".join(example.captions))
    return folder


class ToyConfig(Config):
    """The shape of a ToyGenerator."""

    resolution: int = 8
    text_dim: int = 8
    noise_dim: int = 4
    width: int = 6
    dropout: float = 0.0
    norm: bool = False


@final
class ToyGenerator(Generator[NoOptions]):
    """A linear layer and a convolution, with optional dropout and batch norm."""

    technique: ClassVar[str] = "toy"
    config_type: ClassVar[type[ToyConfig]] = ToyConfig

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config: ToyConfig = config
        self.start = nn.Linear(config.text_dim + config.noise_dim, config.width * config.resolution**2)
        self.norm = nn.BatchNorm2d(config.width) if config.norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.to_rgb = nn.Conv2d(config.width, 3, 3, padding=1)

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    def forward(self, sentence: Float[Tensor, "b d"], z: Float[Tensor, "b z"]) -> Float[Tensor, "b 3 h w"]:
        side = self.resolution
        x = self.start(torch.cat([sentence, z], dim=1)).unflatten(1, (-1, side, side))
        return torch.tanh(self.to_rgb(self.dropout(F.leaky_relu(self.norm(x), 0.2))))

    def generate(self, text: TextEmbedding, noise: Noise, options: NoOptions) -> Float[Tensor, "b 3 h w"]:
        return self(text.sentence, noise.normal(self.config.noise_dim))


class Critic(nn.Module):
    """Picture and sentence to one number."""

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, config.width, 4, 2, 1)
        self.judge = nn.Linear(config.width * (config.resolution // 2) ** 2 + config.text_dim, 1)

    def forward(self, images: Tensor, sentence: Tensor) -> Tensor:
        seen = F.leaky_relu(self.conv(images), 0.2).flatten(1)
        return self.judge(torch.cat([seen, sentence], dim=1)).flatten()


class OnePlayer(Objective):
    """The generator copies the caption's picture."""

    def __init__(self, optimizer: OptimizerConfig | None = None, **shape: Any) -> None:
        self.generator: ToyGenerator = ToyGenerator(ToyConfig(**shape))
        self.optimizer = optimizer or OptimizerConfig(lr=1e-2)

    @property
    def phases(self) -> Sequence[Phase]:
        return [Phase("copy", [Player("generator", {"generator": self.generator}, self.loss, self.optimizer)])]

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        fakes = self.generator(batch.text.sentence, batch.noise.normal(self.generator.config.noise_dim))
        return {"squared_error": F.mse_loss(fakes, batch.images), "size": 0.01 * fakes.square().mean()}


class TwoPhases(OnePlayer):
    """The generator copies for half of the run, then plays against a critic that moves at every second step."""

    def __init__(self, optimizer: OptimizerConfig | None = None, **shape: Any) -> None:
        super().__init__(optimizer, **shape)
        self.critic = Critic(self.generator.config)

    @property
    def phases(self) -> Sequence[Phase]:
        (copying,) = super().phases
        critic = Player(
            "critic", {"critic": self.critic}, self.critic_loss, OptimizerConfig(lr=5e-3, weight_decay=0.1), every=2
        )
        generator = Player("generator", {"generator": self.generator}, self.generator_loss, self.optimizer)
        return [dataclasses.replace(copying, share=0.5), Phase("duel", [critic, generator], share=0.5)]

    def fakes(self, batch: Batch) -> Tensor:
        return self.generator(batch.text.sentence, batch.noise.normal(self.generator.config.noise_dim))

    def critic_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        with torch.no_grad():
            fakes = self.fakes(batch)
        real, fake = (self.critic(images, batch.text.sentence) for images in (batch.images, fakes))
        return {"real": F.softplus(-real).mean(), "fake": F.softplus(fake).mean()}

    def generator_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"adversarial": F.softplus(-self.critic(self.fakes(batch), batch.text.sentence)).mean()}


class Watched(Objective):
    """`inner`, with `before(player, batch)` called before every loss and `change` applied to its terms."""

    def __init__(
        self,
        inner: Objective,
        before: Callable[[Player, Batch], None] = lambda player, batch: None,
        change: Callable[[Player, dict[str, Tensor]], Mapping[str, Tensor]] = lambda player, terms: terms,
    ) -> None:
        self.inner, self.before, self.change = inner, before, change
        self.generator, self.keeps, self.needs_mismatched = inner.generator, inner.keeps, inner.needs_mismatched

    @property
    def phases(self) -> Sequence[Phase]:
        return [
            dataclasses.replace(phase, players=[self._watched(player) for player in phase.players])
            for phase in self.inner.phases
        ]

    def _watched(self, player: Player) -> Player:
        def loss(batch: Batch) -> Mapping[str, Tensor]:
            self.before(player, batch)
            return self.change(player, dict(player.loss(batch)))

        return dataclasses.replace(player, loss=loss)


def settings(**changes: Any) -> TrainConfig:
    """A run of 6 steps with 6 of the 8 squares each, so that epochs end within steps."""
    values = {
        "steps": 6,
        "batch_size": 6,
        "checkpoint_every": 100,
        "sample_every": 0,
        "log_every": 2,
        "ema_half_life_kimg": 0.02,
        "precision": "no",
        "tracker": "none",
    }
    return TrainConfig.model_validate(values | changes)


def train(objective: Objective, run: Path, **changes: Any) -> TrainResult:
    """Train on the squares, on the CPU."""
    data = squares(objective.generator.resolution)
    return Trainer(objective, data, settings(**changes), run, device="cpu").fit()


def state_of(run: Path) -> dict[str, Tensor]:
    """All tensors of the run's newest checkpoint, copied from the mapped file."""
    return {name: tensor.clone() for name, tensor in latest_checkpoint(run).tensors().items()}


def differing(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """The names of the tensors that differ between two states."""
    return [
        name
        for name in {**one, **other}
        if name not in one or name not in other or not torch.equal(one[name], other[name])
    ]
