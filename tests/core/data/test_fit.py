"""Pictures that are not square become one: cut, padded or squashed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakes.training import write_squares
from t2i.create import load_dataset
from t2i.data.fit import Fit, Fitting, Position
from t2i.errors import InvalidInputError
from t2i.training import run
from t2i.training.config import DataConfig
from t2i.training.run_data import open_data, warn_of_cuts

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def portrait() -> Image.Image:
    """20 x 60: red above green above blue."""
    rows = np.repeat(np.array([RED, GREEN, BLUE], np.uint8), 20, axis=0)
    return Image.fromarray(np.repeat(rows[:, None], 20, axis=1))


@pytest.mark.parametrize(("position", "colour"), [("start", RED), ("centre", GREEN), ("end", BLUE)])
def test_a_crop_keeps_the_chosen_part(position: Position, colour: tuple[int, int, int]) -> None:
    for picture in (portrait(), portrait().transpose(Image.Transpose.TRANSPOSE)):
        assert Fitting("crop", position)(picture, 20).getcolors() == [(400, colour)]


def test_squashing_keeps_everything() -> None:
    pixels = np.asarray(Fitting("squash")(portrait(), 30))
    assert [tuple(pixels[row, 15]) for row in (4, 15, 25)] == [RED, GREEN, BLUE]


@pytest.mark.parametrize(("position", "left"), [("start", 0), ("centre", 20), ("end", 40)])
def test_padding_adds_stripes_in_the_colour_of_the_edges(position: Position, left: int) -> None:
    picture = Image.new("RGB", (20, 60), (250, 240, 230))
    picture.paste((0, 0, 0), (5, 20, 15, 40))  # the thing, away from the left and right edges
    pixels = np.asarray(Fitting("pad", position)(picture, 60))
    stripes = np.delete(pixels, slice(left, left + 20), axis=1)
    assert (stripes == (250, 240, 230)).all()
    assert (pixels[21:39, left + 6 : left + 14] == 0).all()


def test_a_landscape_is_padded_above_and_below() -> None:
    picture = Image.new("RGB", (60, 20), GREEN)
    picture.paste(RED, (0, 5, 60, 15))  # its top and bottom edges are green, its left edge is mixed
    pixels = np.asarray(Fitting("pad")(picture, 60))
    assert (pixels[:20] == GREEN).all() and (pixels[40:] == GREEN).all() and (pixels[30] == RED).all()


def test_a_folder_is_read_as_chosen_and_cached_apart(tmp_path: Path) -> None:
    portrait().save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("a flag\n")
    dataset = load_dataset(str(tmp_path))
    squashed = dataset.fitted(Fitting("squash"))
    assert (np.abs(np.asarray(dataset.picture(0, 8)[0]).astype(int) - GREEN) < 20).all()
    assert np.asarray(squashed.picture(0, 8)[0])[0, 4, 0] > 180  # still red at the top
    assert squashed.fingerprint != dataset.fingerprint == dataset.fitted(Fitting()).fingerprint
    assert squashed.on_background("black").picture(0, 8) != dataset.picture(0, 8)


@pytest.mark.parametrize("fit", ["pad", "squash"])
def test_data_without_files_of_any_shape_refuses(fit: Fit) -> None:
    with pytest.raises(InvalidInputError, match="Leave them out"):
        load_dataset("openmoji").fitted(Fitting(fit))


@pytest.mark.parametrize(
    ("settings", "long", "warned"),
    [
        ({}, 2, True),
        ({}, 1, False),
        ({"fit": "crop"}, 3, False),
        ({"fit": "pad"}, 3, False),
        ({"position": "end"}, 3, True),
    ],
)
def test_a_crop_that_nobody_chose_is_said(settings: dict[str, Any], long: int, warned: bool, tmp_path: Path) -> None:
    """Above a third of the pictures, as recommended settings pad them from there on."""
    for number in range(4):
        Image.new("RGB", (20, 40 if number < long else 20)).save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(f"flag {number}")
    config, said = DataConfig(source=str(tmp_path), **settings), list[str]()
    warn_of_cuts(config, open_data(config), said.append)
    assert bool(said) == warned
    if warned:
        assert len(said) == 1 and said[0].startswith(f"{long / 4:.0%} of the pictures are longer than 1.5 to 1")


def test_a_recipe_that_crops_says_so_once(fakes_installed: None, tmp_path: Path) -> None:
    data = write_squares(tmp_path / "tall")
    for path in data.glob("*.png"):
        Image.open(path).resize((16, 40)).save(path)
    recipe = run.read_recipe("cgan", "tiny") | {"technique": "cgan", "text_encoder": "fake", "data": str(data)}
    train = {"steps": 1, "batch_size": 4, "tracker": "none", "checkpoint_every": 1, "sample_every": 0}
    said: list[str] = []
    run.start(recipe | {"train": train}, tmp_path / "run", device="cpu", warn=said.append)
    assert [line for line in said if "100% of the pictures are longer" in line] == said
    run.resume(tmp_path / "run", steps=2, device="cpu", warn=said.append)
    assert sum("of the pictures are longer" in line for line in said) == 1
