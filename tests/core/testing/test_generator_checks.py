"""The checks find each of a set of generators that are broken in one way, and pass a correct one."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float
from pydantic import field_serializer
from torch import Tensor, nn

from fakes.checking import caught, expect, failures
from fakes.models import FakeConfig, FakeGenerator, FakeOptions
from t2i.drawing.abilities import Attended
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.testing.checks import Check
from t2i.testing.checks.generators import GENERATOR_CHECKS
from t2i.text import TextEmbedding

Pictures = Float[Tensor, "b 3 h w"]


class NeedyOptions(FakeOptions):
    """An option without a default."""

    mood: str


class LossyOptions(FakeOptions):
    """An option that is not serialised as it is parsed."""

    word: str = "a"

    @field_serializer("word")
    def _twice(self, word: str) -> str:
        return 2 * word


class Sane(Generator[FakeOptions]):
    """A correct generator; the others derive from it and break one promise each."""

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

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        return self.inner.generate(text, noise, options)


class GlobalNoise(Sane):
    """Draws from torch's global stream."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        return self.inner(text.sentence, torch.randn(len(text), self.config.noise_dim))


class SeedsGlobally(Sane):
    """Seeds NumPy's global generator."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        np.random.seed(noise.seeds[0] % 2**32)
        return super().generate(text, noise, options)


class LooksAtNeighbours(Sane):
    """Subtracts the batch's mean."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        return super().generate(text, noise, options) - text.sentence.mean() / 10


class BatchStatistics(Sane):
    """A batch norm without running statistics, which uses the batch's in eval mode too."""

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config)
        self.norm = nn.BatchNorm2d(3, track_running_stats=False)

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        return torch.tanh(self.norm(super().generate(text, noise, options)))


class LooksAtPlace(Sane):
    """Darkens the first pictures of a batch."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        place = torch.linspace(0.9, 1, 8)[: len(text), None, None, None]
        return super().generate(text, noise, options) * place


class UnequalStages(Sane):
    """Its first stage has another size than declared."""

    @property
    def stage_resolutions(self) -> tuple[int, ...]:
        return (2, 8)

    def stages(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Iterator[Pictures]:
        images = self.generate(text, noise, options)
        yield nn.functional.avg_pool2d(images, 2)
        yield images


class MiscountedStages(Sane):
    """It gives one stage and says two."""

    def stage_count(self, options: FakeOptions) -> int:
        return 2


class FalseTwin(Sane):
    """The copy for drawing draws paler pictures."""

    def for_drawing(self) -> Generator:
        twin = copy.deepcopy(self)
        twin.inner.to_pixels.weight.data.mul_(0.5)
        return twin


class TooBright(Sane):
    """Pictures in 0..127."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        return super().generate(text, noise, options) * 127.5


class Double(Sane):
    """Pictures in double precision."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Tensor:
        return super().generate(text, noise, options).double()


class WrongSize(Sane):
    """Declares twice the resolution that it draws."""

    @property
    def resolution(self) -> int:
        return 2 * self.config.resolution


class WrongTextDim(Sane):
    """Declares a text width that is too large by one."""

    @property
    def text_dim(self) -> int:
        return self.config.text_dim + 1

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        dim = self.config.text_dim
        cut = TextEmbedding(text.sentence[:, :dim], text.words[..., :dim], text.mask)
        return super().generate(cut, noise, options)


class FewPositions(Sane):
    """Has positions for 64 words and does not truncate."""

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config)
        self.positions = nn.Parameter(torch.zeros(64, self.config.text_dim))

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        placed = (text.words + self.positions[: text.words.shape[1]]) * text.mask[..., None]
        return self.inner(text.sentence + 0 * placed.sum(1), noise.normal(self.config.noise_dim))


class ReadsPadding(Sane):
    """Divides by the number of columns."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        return super().generate(text, noise, options) / text.words.shape[1]


class KeepsCount(Sane):
    """Counts its calls in a buffer."""

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config)
        self.register_buffer("count", torch.zeros(()))

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        self.count += 1
        return super().generate(text, noise, options)


class OpensFile(Sane):
    """Reads a file while drawing."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        Path(__file__).read_bytes()
        return super().generate(text, noise, options)


class SecondDefault(Sane):
    """An option that is not a field of options_type."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions, blur: float = 0.0) -> Pictures:
        return super().generate(text, noise, options)


class LeavesOptionsOut(Sane):
    """Its generate takes no options."""

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions | None = None) -> Pictures:
        return super().generate(text, noise, options or FakeOptions())


class NeedsOption(Sane):
    """An option that has no default."""

    options_type = NeedyOptions


class LossyOption(Sane):
    """Has an option that JSON cannot store."""

    options_type = LossyOptions


class OtherConfig(Sane):
    """Its config has another type than declared."""

    config_type = FakeOptions


class IgnoresConfig(Sane):
    """Has an argument that shapes the network and is not in the config."""

    def __init__(self, config: FakeConfig | None = None, width: int = 3) -> None:
        super().__init__(config)
        self.extra = nn.Linear(width, width)


class Forgets(Sane):
    """Some of its weights are not in the state dict."""

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config)
        self.hidden = torch.rand(()) / 2 + 0.5

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Pictures:
        return super().generate(text, noise, options) * self.hidden


class Lenient(Sane):
    """Loads the weights that fit and ignores the rest."""

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        return super().load_state_dict(state, strict=False, assign=assign)


class WritesElsewhere(Sane):
    """Writes a log outside the snapshot's folder."""

    log = os.devnull

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        Path(self.log).write_text("saved")
        return super().state_dict(*args, **kwargs)


class SharesItself(Sane):
    """Draws with a network that a deep copy does not copy."""

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__(config)
        self.scale = nn.Parameter(torch.tensor(0.5))

    def __deepcopy__(self, memo: dict[int, Any]) -> SharesItself:
        return SharesItself(self.config)


class Attentive(Sane):
    """Attends to all words equally at every place."""

    def attend(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Attended:
        weights = (text.mask / text.mask.sum(1, keepdim=True))[..., None, None].expand(-1, -1, 2, 3)
        return Attended(self.generate(text, noise, options), weights)


class AttendsToPadding(Attentive):
    """Its weights ignore the mask."""

    def attend(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Attended:
        length = text.mask.shape[1]
        return Attended(self.generate(text, noise, options), torch.full((len(text), length, 2, 3), 1 / length))


class AttendsByHalf(Attentive):
    """Its weights do not sum to 1."""

    def attend(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Attended:
        attended = super().attend(text, noise, options)
        return Attended(attended.images, attended.maps / 2)


class AttendsElsewhere(Attentive):
    """Its maps are those of another picture."""

    def attend(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Attended:
        attended = super().attend(text, noise, options)
        return Attended(-attended.images, attended.maps)


class Undocumented(Sane):
    pass


SAVED = "saved_and_loaded_it_draws_the_same_bits"
GOLDEN = "golden_pictures_are_drawn_again"
PLACE = "a_picture_does_not_depend_on_its_place_in_the_batch"
NEIGHBOURS = "a_picture_does_not_depend_on_its_neighbours"
SPECIMENS: list[tuple[Callable[[], Generator], dict[str, str]]] = [
    (Sane, {}),
    (
        GlobalNoise,
        {
            "noise_is_the_only_randomness": "generate touches the global random generator of torch",
            PLACE: "a picture depends on its place",
            NEIGHBOURS: "4 pictures alone differ",
            "padding_words_change_nothing": "masked words change",
            "stages_end_in_the_picture": "the last stage is not what generate draws",
            SAVED: "draw different pictures",
            GOLDEN: "differs from its golden pictures",
            "a_copy_draws_the_same_bits": "deep copy",
        },
    ),
    (SeedsGlobally, {"noise_is_the_only_randomness": "the global random generator of NumPy"}),
    (LooksAtNeighbours, {NEIGHBOURS: "4 pictures alone differ"}),
    (BatchStatistics, {NEIGHBOURS: "4 pictures alone differ"}),
    (
        LooksAtPlace,
        {
            PLACE: "a picture depends on its place",
            NEIGHBOURS: "bits depend on its place among four",
        },
    ),
    (TooBright, {"pictures_are_rgb_in_range": "pixels must be in [-1, 1]"}),
    (Double, {"pictures_are_rgb_in_range": "pictures must be float32, got torch.float64"}),
    (WrongSize, {"pictures_are_rgb_in_range": "must give [1, 3, 16, 16], got [1, 3, 8, 8]"}),
    (WrongTextDim, {"text_dim_is_correct": "text_dim is 9, but text of width 10"}),
    (FewPositions, {"captions_of_one_word_and_of_500_are_drawn": "must match the size"}),
    (ReadsPadding, {"padding_words_change_nothing": "masked words change the picture"}),
    (KeepsCount, {"drawing_leaves_the_generator_as_it_was": "drawing changes count"}),
    (OpensFile, {"opens_no_file_and_no_socket": "test_generator_checks.py"}),
    (SecondDefault, {"options_are_declared": "generate must take (text, noise, options), but takes (text: "}),
    (LeavesOptionsOut, {"options_are_declared": "generate must take (text, noise, options), but takes (text: "}),
    (LossyOption, {"options_are_declared": "the options do not survive JSON"}),
    (Forgets, {SAVED: "loaded weights draw different pictures", GOLDEN: "differs from its golden pictures"}),
    (Lenient, {"weights_load_key_by_key": "weights that lack 'inner.to_pixels.weight' are loaded without an error"}),
    (WritesElsewhere, {"saving_writes_in_the_given_folder_alone": f"but also wrote {os.devnull}"}),
    (SharesItself, {"a_copy_draws_the_same_bits": "a deep copy draws different pictures"}),
    (UnequalStages, {"stages_end_in_the_picture": "stages have (4, 8) px, but stage_resolutions are (2, 8)"}),
    (MiscountedStages, {"stages_end_in_the_picture": "stages gives 1, but stage_count says 2"}),
    (FalseTwin, {"the_drawing_twin_draws_the_same": "the copy for drawing draws different pictures"}),
    (Attentive, {}),
    (AttendsToPadding, {"attention_is_shared_among_the_words": "a masked word has weight"}),
    (AttendsByHalf, {"attention_is_shared_among_the_words": "sum to 1, but do not"}),
    (AttendsElsewhere, {"attention_is_shared_among_the_words": "attend and generate draw different pictures"}),
    (Undocumented, {"is_documented": "Undocumented has none"}),
    (
        lambda: IgnoresConfig(width=4),
        {
            "config_rebuilds_it": "the config builds another network",
            SAVED: "size mismatch for extra.weight",
            GOLDEN: "size mismatch for extra.weight",
        },
    ),
]
UNREGISTERED = {"is_registered_under_its_name": "'fake' is registered as"}


def test_an_unregistered_generator_is_reported() -> None:
    (check,) = [check for check in GENERATOR_CHECKS if check.name == "is_registered_under_its_name"]
    expect(failures([check], FakeGenerator), {check.name: "There is no model 'fake'"})


@pytest.mark.usefixtures("fakes_installed_for_module")
def test_a_correct_generator_passes() -> None:
    assert failures(GENERATOR_CHECKS, FakeGenerator) == {}


@pytest.mark.usefixtures("fakes_installed_for_module")
@pytest.mark.parametrize(("make", "reasons"), SPECIMENS)
def test_each_broken_generator_fails_for_its_reason(make: Callable[[], Generator], reasons: dict[str, str]) -> None:
    expect(failures(GENERATOR_CHECKS, make), reasons | UNREGISTERED)


def test_every_check_catches_a_broken_generator() -> None:
    assert caught(SPECIMENS) | set(UNREGISTERED) == {check.name for check in GENERATOR_CHECKS}


@pytest.mark.usefixtures("fakes_installed_for_module")
def test_an_option_without_a_default_is_reported() -> None:
    (check,) = [check for check in GENERATOR_CHECKS if check.name == "options_are_declared"]
    reasons = {check.name: "every option must have a default, but mood of NeedyOptions has none"}
    expect(failures([check], NeedsOption), reasons)


@pytest.mark.usefixtures("fakes_installed_for_module")
def test_a_config_of_another_type_is_reported() -> None:
    (check,) = [check for check in GENERATOR_CHECKS if check.name == "config_rebuilds_it"]
    assert "config is a FakeConfig, but config_type is FakeOptions" in failures([check], OtherConfig)[check.name]


@pytest.mark.parametrize("check", GENERATOR_CHECKS, ids=lambda check: check.name)
def test_every_check_says_why_and_how_to_fix(check: Check[Generator]) -> None:
    assert len(check.why) > 20 and len(check.remedy) > 10
