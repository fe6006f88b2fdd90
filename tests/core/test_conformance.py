"""The suites shipped to authors: what keeps its contract passes, and each broken promise fails for its own reason."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from fakes.models import FakeConfig, FakeGenerator, FakeOptions, FakeTextEncoder
from fakes.training import ColouredSquares, OnePlayer, TwoPhases
from t2i.data.dataset import CaptionedDataset, Example
from t2i.errors import InvalidInputError
from t2i.generator import Generator, Noise
from t2i.testing.datasets import DatasetSuite
from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i.testing.text_encoders import TextEncoderSuite
from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder
from t2i.training.objective import Batch, Phase, Player

pytest_plugins = ["pytester"]


def failures(suite: type, tmp_path: Path, **fixtures: Callable[[], Any]) -> dict[str, str]:
    """What each failing check of `suite` says, by its name without "test_"."""
    found = {}
    for name, check in inspect.getmembers(suite, inspect.isfunction):
        if not name.startswith("test_"):
            continue
        folder = tmp_path / name
        folder.mkdir()
        asked = set(inspect.signature(check).parameters) - {"self"}
        given = {key: folder if key == "tmp_path" else fixtures[key]() for key in asked}
        try:
            check(suite(), **given)
        except (Exception, pytest.fail.Exception) as error:
            found[name.removeprefix("test_")] = f"{type(error).__name__}: {error}"
    return found


def expect(found: dict[str, str], **reasons: str) -> None:
    """Exactly these checks failed, each saying so."""
    assert found.keys() == reasons.keys(), found
    for name, reason in reasons.items():
        assert reason in found[name], found[name]


# --- generators ----------------------------------------------------------------------------------------------------


class Sane(Generator):
    """A FakeGenerator, for others to spoil."""

    technique = "fake"
    config_type = FakeConfig
    options_type = FakeOptions

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__()
        self.config: FakeConfig = config or FakeConfig()
        self.inner = FakeGenerator(self.config)

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        return self.inner.generate(text, noise, **options)


class GlobalNoise(Sane):
    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        z = torch.randn(len(text), self.config.noise_dim)
        return self.inner(text.sentence, z)


class SeedsGlobally(Sane):
    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        np.random.seed(noise.seeds[0] % 2**32)
        return super().generate(text, noise, **options)


class LooksAtNeighbours(Sane):
    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        return super().generate(text, noise, **options) - text.sentence.mean() / 10


class LooksAtPlace(Sane):
    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        place = torch.linspace(0.9, 1, 8)[: len(text), None, None, None]
        return super().generate(text, noise, **options) * place


class TooBright(Sane):
    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        return super().generate(text, noise, **options) * 127.5


class Double(Sane):
    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Tensor:
        return super().generate(text, noise, **options).double()


class WrongSize(Sane):
    @property
    def resolution(self) -> int:
        return 2 * self.config.resolution


class WrongTextDim(Sane):
    @property
    def text_dim(self) -> int:
        return self.config.text_dim + 1

    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        dim = self.config.text_dim
        cut = TextEmbedding(text.sentence[:, :dim], text.words[..., :dim], text.mask)
        return super().generate(cut, noise, **options)


class ReadsPadding(Sane):
    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        return super().generate(text, noise, **options) / text.words.shape[1]


class KeepsCount(Sane):
    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config)
        self.register_buffer("count", torch.zeros(()))

    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        self.count += 1
        return super().generate(text, noise, **options)


class OpensFile(Sane):
    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        Path(__file__).read_bytes()
        return super().generate(text, noise, **options)


class OtherDefaults(Sane):
    def generate(self, text: TextEmbedding, noise: Noise, *, gain: float = 2.0, **_: Any) -> Float[Tensor, "b 3 h w"]:
        return self.inner.generate(text, noise, gain=gain)


class Forgets(Sane):
    """Some weights are in no state_dict."""

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config)
        self.hidden = torch.rand(()) / 2 + 0.5

    def generate(self, text: TextEmbedding, noise: Noise, **options: Any) -> Float[Tensor, "b 3 h w"]:
        return super().generate(text, noise, **options) * self.hidden


class IgnoresConfig(Sane):
    def __init__(self, config: FakeConfig | None = None, width: int = 3) -> None:
        super().__init__(config)
        self.extra = nn.Linear(width, width)


UNREGISTERED = {"is_registered_under_its_name": "'fake' is registered as"}


@pytest.mark.usefixtures("fakes_installed")
def test_an_honest_generator_passes(tmp_path: Path) -> None:
    expect(failures(GeneratorSuite, tmp_path, generator=FakeGenerator))


@pytest.mark.usefixtures("fakes_installed")
@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        (Sane, {}),
        (
            GlobalNoise,
            {
                "noise_is_the_only_randomness": "generate touches the global random generator of torch",
                "a_picture_does_not_depend_on_its_place_in_the_batch": "a picture depends on its place",
                "a_picture_does_not_depend_on_its_neighbours": "4 pictures alone differ",
                "padding_words_change_nothing": "the mask leaves out",
                "options_are_declared": "defaults",
                "saved_and_loaded_it_draws_the_same_bits": "draw otherwise",
                "a_copy_draws_the_same_bits": "deep copy",
            },
        ),
        (SeedsGlobally, {"noise_is_the_only_randomness": "the global random generator of NumPy"}),
        (LooksAtNeighbours, {"a_picture_does_not_depend_on_its_neighbours": "4 pictures alone differ"}),
        (
            LooksAtPlace,
            {
                "a_picture_does_not_depend_on_its_place_in_the_batch": "a picture depends on its place",
                "a_picture_does_not_depend_on_its_neighbours": "bits in a batch of 4 differ from those in a batch of 8",
            },
        ),
        (TooBright, {"pictures_are_rgb_in_range": "pixels lie in [-1, 1]"}),
        (Double, {"pictures_are_rgb_in_range": "pictures are float32, not torch.float64"}),
        (WrongSize, {"pictures_are_rgb_in_range": "make [1, 3, 16, 16], not [1, 3, 8, 8]"}),
        (WrongTextDim, {"text_dim_is_honest": "text_dim is 9, but text one number wider"}),
        (ReadsPadding, {"padding_words_change_nothing": "words that the mask leaves out change the picture"}),
        (KeepsCount, {"drawing_leaves_the_generator_as_it_was": "drawing changes count"}),
        (OpensFile, {"opens_no_file_and_no_socket": "test_conformance.py"}),
        (OtherDefaults, {"options_are_declared": "the defaults of FakeOptions are not the defaults of generate"}),
        (Forgets, {"saved_and_loaded_it_draws_the_same_bits": "loaded weights draw otherwise"}),
        (lambda: IgnoresConfig(width=4), {"config_makes_it_again": "the config makes another network"}),
    ],
)
def test_a_generator_fails_for_what_it_breaks(
    tmp_path: Path, kind: Callable[[], Generator], reasons: dict[str, str]
) -> None:
    found = failures(GeneratorSuite, tmp_path, generator=kind)
    if not isinstance(kind, type):
        found.pop("saved_and_loaded_it_draws_the_same_bits")  # whose weights fit no network the config makes
    expect(found, **reasons, **UNREGISTERED)


def test_a_generator_nobody_registered_is_told(tmp_path: Path) -> None:
    found = failures(GeneratorSuite, tmp_path, generator=FakeGenerator)
    expect(found, is_registered_under_its_name="There is no model 'fake'")


# --- text encoders -------------------------------------------------------------------------------------------------


class Encoder(TextEncoder):
    """A FakeTextEncoder that refuses nothing to read, with its embedding changed by `spoil`."""

    def __init__(self, spoil: Callable[[TextEmbedding], TextEmbedding] = lambda text: text, **changes: Any) -> None:
        self._inner, self._spoil, self._changes = FakeTextEncoder(), spoil, changes

    @property
    def identity(self) -> EncoderIdentity:
        return EncoderIdentity(**{"name": "fake", "revision": "", "sha256": "0" * 64, "dim": 8} | self._changes)

    @property
    def max_words(self) -> int:
        return 4 if self._spoil is long else 6

    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        if self._spoil is not reads_anything and (not captions or not all(map(str.strip, captions))):
            raise InvalidInputError("nothing to read")
        return self._spoil(self._inner.encode(captions))

    def to(self, device: torch.device | str) -> TextEncoder:
        return Encoder() if self._spoil is moves_away else self


def nonzero(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence, text.words + 1, text.mask)


def all_true(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence, text.words, torch.ones_like(text.mask))


def centred(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence - text.sentence.mean(0), text.words, text.mask)


def dropped_out(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence + 1e-7 * torch.randn(()), text.words, text.mask)


def longer(text: TextEmbedding) -> TextEmbedding:
    pad = nn.functional.pad
    return TextEmbedding(text.sentence, pad(text.words, (0, 0, 0, 1)), pad(text.mask, (0, 1)))


def constant(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(torch.ones_like(text.sentence), text.words, text.mask)


def trainable(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence.clone().requires_grad_(), text.words, text.mask)


def long(text: TextEmbedding) -> TextEmbedding:
    return text


def reads_anything(text: TextEmbedding) -> TextEmbedding:
    return text


def moves_away(text: TextEmbedding) -> TextEmbedding:
    return text


NEIGHBOURS = "an_embedding_does_not_depend_on_its_neighbours"


@pytest.mark.parametrize(
    ("make", "reasons"),
    [
        (Encoder, {}),
        (lambda: Encoder(nonzero), {"mask_tells_real_words": "words that the mask leaves out are not zero"}),
        (
            lambda: Encoder(all_true),
            {NEIGHBOURS: "the words of 'heart' depend on their neighbours"},
        ),
        (
            lambda: Encoder(longer),
            {"mask_tells_real_words": "the longest caption's number of tokens", NEIGHBOURS: "the words of 'heart'",
             "long_captions_are_cut": "max_words is 6"},
        ),
        (
            lambda: Encoder(centred),
            {NEIGHBOURS: "the sentence of 'heart' depends on its neighbours"},
        ),
        (
            lambda: Encoder(dropped_out),
            {"nothing_is_random": "encode touches the global random generator of torch",
             "what_it_returns_may_be_changed": "changing a result"},
        ),
        (lambda: Encoder(constant), {"captions_are_told_apart": "two different captions have the same sentence"}),
        (lambda: Encoder(trainable), {"shapes": "an encoder is frozen"}),
        (lambda: Encoder(long), {"long_captions_are_cut": "max_words is 4, but a caption kept 6 tokens"}),
        (lambda: Encoder(reads_anything), {"refuses_nothing_to_read": "not InvalidInputError"}),
        (lambda: Encoder(moves_away), {"moving_returns_the_encoder": "to(device) returns the encoder itself"}),
        (lambda: Encoder(dim=9), {"shapes": "at dim 9"}),
        (lambda: Encoder(sha256="abc"), {"identity": "64 hex digits, not 'abc'"}),
        (lambda: Encoder(name=""), {"identity": "an encoder has a name"}),
    ],
)  # fmt: skip
def test_an_encoder_fails_for_what_it_breaks(
    tmp_path: Path, make: Callable[[], TextEncoder], reasons: dict[str, str]
) -> None:
    found = failures(TextEncoderSuite, tmp_path, encoder=make)
    if reasons == {"shapes": "an encoder is frozen"}:
        found.pop("what_it_returns_may_be_changed")  # torch itself refuses to
    expect(found, **reasons)


# --- datasets ------------------------------------------------------------------------------------------------------


class Data(ColouredSquares):
    """The squares, with one thing changed."""

    def __init__(self, split: str = "train", **changes: Any) -> None:
        super().__init__(split)
        self._changes = changes
        if "examples" in changes:
            self._examples = [changes["examples"](example) for example in self._examples]

    @property
    def name(self) -> str:
        return self._changes.get("name") or super().name

    @property
    def fingerprint(self) -> str:
        return self._changes["fingerprint"]() if "fingerprint" in self._changes else super().fingerprint

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        picture, note = super().picture(index, resolution)
        return self._changes.get("picture", lambda picture: picture)(picture), note


def splits(**changes: Any) -> Callable[[], dict[str, Callable[[], CaptionedDataset]]]:
    return lambda: {split: lambda split=split: Data(split, **changes) for split in ("train", "test")}


def noisy(picture: Image.Image) -> Image.Image:
    return Image.fromarray(np.random.randint(0, 255, (*picture.size, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, {}),
        (
            {"examples": lambda e: Example("x", e.captions, e.group)},
            {"examples_are_whole": "two examples of train have one id"},
        ),
        ({"examples": lambda e: Example(e.id, (), e.group)}, {"examples_are_whole": "red has no caption"}),
        ({"examples": lambda e: Example(e.id, ("", "a"), e.group)}, {"examples_are_whole": "red has an empty caption"}),
        (
            {"examples": lambda e: Example(e.id, e.captions, "g")},
            {"there_is_something_to_mismatch": "of the group {'g'}"},
        ),
        ({"picture": lambda p: p.convert("RGBA")}, {"pictures_are_rgb_squares": "is RGBA, not RGB"}),
        ({"picture": lambda p: p.crop((0, 0, 9, 16))}, {"pictures_are_rgb_squares": "is (9, 16)"}),
        ({"picture": noisy}, {"pictures_are_the_same_in_threads": "decoded at once"}),
        ({"fingerprint": lambda: str(np.random.rand())}, {"opened_again_it_is_the_same": "another fingerprint"}),
        ({"fingerprint": lambda: "0"}, {"splits_are_told_apart": "train and test have one fingerprint"}),
        ({"name": "squares"}, {"splits_are_told_apart": "train and test have one name, squares"}),
    ],
)
def test_a_dataset_fails_for_what_it_breaks(tmp_path: Path, changes: dict[str, Any], reasons: dict[str, str]) -> None:
    expect(failures(DatasetSuite, tmp_path, splits=splits(**changes)), **reasons)


# --- objectives ----------------------------------------------------------------------------------------------------


class Shares(TwoPhases):
    @property
    def phases(self) -> Sequence[Phase]:
        return [Phase(phase.name, phase.players, 0.6) for phase in super().phases]


class TwoModulesOneName(TwoPhases):
    @property
    def phases(self) -> Sequence[Phase]:
        copying, _ = super().phases
        critic = Player("critic", {"generator": self.critic}, self.critic_loss, self.optimizer)
        return [copying, Phase("duel", [critic], 0.5)]


class NewModules(OnePlayer):
    @property
    def phases(self) -> Sequence[Phase]:
        extra = nn.Linear(1, 1)

        def loss(batch: Batch) -> dict[str, Tensor]:
            return {**self.loss(batch), "extra": extra(torch.ones(1, 1)).sum()}

        return [
            Phase("copy", [Player("generator", {"generator": self.generator, "extra": extra}, loss, self.optimizer)])
        ]


class TrainsTheCriticOnly(TwoPhases):
    @property
    def phases(self) -> Sequence[Phase]:
        return [Phase("duel", [Player("critic", {"critic": self.critic}, self.critic_loss, self.optimizer)])]


class Vector(OnePlayer):
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {name: value.expand(2) for name, value in super().loss(batch).items()}


class NotANumber(OnePlayer):
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {name: value / batch.progress for name, value in super().loss(batch).items()}


class Unfreezes(TwoPhases):
    def critic_loss(self, batch: Batch) -> dict[str, Tensor]:
        self.generator.requires_grad_(True)
        return dict(super().critic_loss(batch))


class OwnsTooMuch(TwoPhases):
    @property
    def phases(self) -> Sequence[Phase]:
        player = Player("generator", {"generator": self.generator, "critic": self.critic}, self.loss, self.optimizer)
        return [Phase("copy", [player])]


class OwnRandomness(OnePlayer):
    def loss(self, batch: Batch) -> dict[str, Tensor]:
        return {name: value * np.random.rand() for name, value in super().loss(batch).items()}


class RemembersOutside(OnePlayer):
    """Weighs its loss by a number no checkpoint holds."""

    calls = 0

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        self.calls += 1
        moves = self.calls > 3
        return {name: value if moves else value.square() for name, value in super().loss(batch).items()}


RESUMED = "a_resumed_run_equals_an_uninterrupted_one"
LOSSES = "losses_are_finite_scalars"


@pytest.mark.parametrize(
    ("make", "reasons"),
    [
        (lambda: OnePlayer(dropout=0.3, norm=True), {}),
        (lambda: TwoPhases(dropout=0.3), {}),
        (Shares, {"phases_are_consistent": "the phases' shares sum to 1, not to 1.2", RESUMED: "1.2 here"}),
        (TwoModulesOneName, {"phases_are_consistent": "'generator' stands for two modules", RESUMED: "two modules"}),
        (
            NewModules,
            {"phases_are_the_same_at_every_look": "makes new modules"},
        ),
        (TrainsTheCriticOnly, {"the_generator_is_trained": "no player updates the generator"}),
        (Vector, {LOSSES: "is no scalar but [2]"}),
        (NotANumber, {LOSSES: "progress 0.0 is inf", RESUMED: "DivergedError"}),
        (
            Unfreezes,
            {"gradients_reach_the_players_own_modules_alone": "duel/critic unfreezes or reaches 4 parameters"},
        ),
        (
            OwnsTooMuch,
            {"gradients_reach_the_players_own_modules_alone": "copy/generator does not reach its module 'critic'"},
        ),
        (OwnRandomness, {"same_seed_and_step_same_loss": "another loss for the same batch", RESUMED: "ends otherwise"}),
        (RemembersOutside, {RESUMED: "a run resumed at step 1 ends otherwise in"}),
    ],
)  # fmt: skip
def test_an_objective_fails_for_what_it_breaks(
    tmp_path: Path, make: Callable[[], OnePlayer], reasons: dict[str, str]
) -> None:
    found = failures(ObjectiveSuite, tmp_path, objective=make)
    for name in set(found) - set(reasons):  # what else cannot run when this is broken
        assert reasons, found
        if name in ("same_seed_and_step_same_loss", "gradients_reach_the_players_own_modules_alone", RESUMED):
            found.pop(name)
    expect(found, **reasons)


# --- through pytest itself -----------------------------------------------------------------------------------------


def test_an_authors_class_is_a_fixture_and_nothing_more(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        from fakes.models import FakeGenerator
        from fakes.training import ColouredSquares
        from t2i.testing.datasets import DatasetSuite
        from t2i.testing.generators import GeneratorSuite

        class TestFake(GeneratorSuite):
            @pytest.fixture
            def generator(self):
                return FakeGenerator()

        class TestSquares(DatasetSuite):
            @pytest.fixture
            def splits(self):
                return {split: lambda split=split: ColouredSquares(split) for split in ("train", "test")}

        class TestNothing(DatasetSuite):
            pass
        """
    )
    checks = {suite: sum(name.startswith("test_") for name in dir(suite)) for suite in (GeneratorSuite, DatasetSuite)}
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    result.assert_outcomes(
        passed=checks[GeneratorSuite] - 1 + checks[DatasetSuite],  # FakeGenerator is not registered here
        failed=1,
        errors=checks[DatasetSuite],
    )
    result.stdout.fnmatch_lines(["*A DatasetSuite overrides the fixture `splits`.*", "*There is no model 'fake'*"])
