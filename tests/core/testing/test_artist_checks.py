"""The checks find each of a set of artists that are broken in one way, and pass correct ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from fakes.artist import BrushOptions, ShardedArtist, write_artist
from fakes.checking import caught, expect, failures
from fakes.models import FakeGenerator, FakeTextEncoder
from t2i.config import Config
from t2i.drawing.artist import Artist, Request
from t2i.drawing.picture import Picture
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import ArtistIdentity
from t2i.publishing.pretrained import save_pretrained
from t2i.testing.artists import ArtistSuite
from t2i.testing.checks.artists import ARTIST_CHECKS

DRAWN = count()
Spoil = Callable[[Picture, int], Picture]


class Spoilt(ShardedArtist):
    """A ShardedArtist whose pictures are changed by `spoil`, a function of picture and place in the batch."""

    spoil: Spoil = staticmethod(lambda picture, place: picture)

    def _draw(self, todo: Iterator[Request], options: Config, batch_size: int) -> Iterator[Picture]:
        for place, picture in enumerate(super()._draw(todo, options, batch_size)):
            yield self.spoil(picture, place)


def spoilt(spoil: Spoil) -> type[Spoilt]:
    return type("Spoilt", (Spoilt,), {"spoil": staticmethod(spoil)})


def brighter(picture: Picture, place: int) -> Picture:
    """Make the picture depend on its place in the batch."""
    return replace(picture, image=picture.image.point(lambda value: min(255, value + 9 * place)))


def noisy(picture: Picture, place: int) -> Picture:
    return replace(picture, image=picture.image.point(lambda value: int(torch.randint(256, ()))))


def drifting(picture: Picture, place: int) -> Picture:
    """Make every picture different."""
    shift = 9 * next(DRAWN)
    return replace(picture, image=picture.image.point(lambda value: (value + shift) % 256))


def one(picture: Picture, place: int) -> Picture:
    return replace(picture, image=Image.new("RGB", (8, 8), "red"))


def large(picture: Picture, place: int) -> Picture:
    return replace(picture, image=picture.image.resize((9, 9)))


def lies(picture: Picture, place: int) -> Picture:
    return replace(picture, provenance=replace(picture.provenance, seed=3))


def recorded(picture: Picture, place: int) -> Picture:
    return replace(picture, record=True)


def as_typed(picture: Picture, place: int) -> Picture:
    return replace(picture, provenance=replace(picture.provenance, widened=None))


class Eager(ShardedArtist):
    """Reads everything before it draws."""

    def draw(self, requests: Iterable[Request], *arguments: Any, **how: Any) -> Iterator[Picture]:
        return super().draw(list(requests), *arguments, **how)


class Late(ShardedArtist):
    """Checks its arguments only when the first picture is drawn."""

    def draw(self, *arguments: Any, **how: Any) -> Iterator[Picture]:
        yield from super().draw(*arguments, **how)


class Tolerant(ShardedArtist):
    """Ignores options it does not know."""

    def options(self, /, **values: Any) -> BrushOptions:
        return BrushOptions(**{name: value for name, value in values.items() if name == "wildness"})


class Careless(ShardedArtist):
    """Draws an empty prompt."""

    def draw(self, requests: Iterable[Request], *arguments: Any, **how: Any) -> Iterator[Picture]:
        tidy = (replace(each, prompt=each.prompt.strip()[:99] or "a", seed=abs(each.seed) % 2**60) for each in requests)
        return super().draw(tidy, *arguments, **how)


class Nameless(ShardedArtist):
    @property
    def identity(self) -> ArtistIdentity:
        return replace(super().identity, weights={"model.safetensors": "?"})


NEIGHBOURS, DECIDES = "a_picture_does_not_depend_on_its_neighbours", "prompt_and_seed_decide_the_picture"
AGAIN, SIZE = "provenance_draws_the_picture_again", "pictures_are_rgb_squares_of_the_resolution"
PASSED_ON = "pictures_pass_on_widened_and_record"
LAZY, OPTIONS, REQUESTS = "draws_as_requests_arrive", "options_are_checked", "requests_are_checked"
SPECIMENS: list[tuple[type[ShardedArtist], dict[str, str]]] = [
    (ShardedArtist, {}),
    (spoilt(brighter), {NEIGHBOURS: "differs by", AGAIN: "drawn from its own provenance differs"}),
    (
        spoilt(noisy),
        {NEIGHBOURS: "differs by", DECIDES: "touches the global random generator of torch", AGAIN: "differs"},
    ),
    (spoilt(drifting), {DECIDES: "gives a different picture every time", NEIGHBOURS: "differs", AGAIN: "differs"}),
    (spoilt(one), {DECIDES: "two seeds give the same picture"}),
    (spoilt(large), {SIZE: "a picture must be RGB of 8 x 8 pixels, got ('RGB', (9, 9))"}),
    (spoilt(lies), {AGAIN: "records Provenance"}),
    (spoilt(recorded), {PASSED_ON: "with record=False a picture has record=True"}),
    (spoilt(as_typed), {PASSED_ON: "widened must be Widened"}),
    (Eager, {LAZY: "at most 2 requests, but 9 were read"}),
    (Late, {OPTIONS: "another artist's options must be refused"}),
    (Tolerant, {OPTIONS: "an unknown option must be refused with InvalidConfigError, but was accepted"}),
    (Careless, {REQUESTS: "must be refused with InvalidInputError"}),
    (Nameless, {"identity_names_every_weights_file": "64 hex digits, but model.safetensors has none"}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artist(tmp_path_factory.mktemp("artist") / "a")


@pytest.mark.parametrize(("kind", "reasons"), SPECIMENS)
def test_each_broken_artist_fails_for_its_reason(folder: Path, kind: type[ShardedArtist], reasons: dict[str, str]):
    expect(failures(ARTIST_CHECKS, lambda: kind(folder, "a", "cpu")), reasons)


def test_every_check_catches_a_broken_artist():
    assert caught(SPECIMENS) == {check.name for check in ARTIST_CHECKS}


@pytest.mark.usefixtures("fakes_installed_for_module")
class TestPipeline(ArtistSuite):
    """The usual artist."""

    @pytest.fixture
    def artist(self, tmp_path: Path) -> Artist:
        torch.manual_seed(0)
        save_pretrained(FakeGenerator(), tmp_path / "m", text_encoder=FakeTextEncoder().identity)
        return pipeline(str(tmp_path / "m"), device="cpu")
