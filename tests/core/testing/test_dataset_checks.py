"""The checks find each of a set of datasets that are broken in one way, and pass a correct one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fakes.checking import caught, expect, failures
from fakes.training import ColouredSquares
from t2i.data.dataset import CaptionedDataset, Example
from t2i.testing.checks.datasets import DATASET_CHECKS


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


def logged(picture: Image.Image) -> Image.Image:
    Path(os.devnull).write_text("decoded")
    return picture


class Undocumented(Data):
    pass


def undocumented() -> dict[str, Callable[[], CaptionedDataset]]:
    return {"train": lambda: Undocumented("train")}


SPECIMENS: list[tuple[Callable[[], Any], dict[str, str]]] = [
    (splits(), {}),
    (
        splits(examples=lambda e: Example("x", e.captions, e.group)),
        {"examples_are_whole": "two examples of train have the same id"},
    ),
    (splits(examples=lambda e: Example(e.id, (), e.group)), {"examples_are_whole": "red has no caption"}),
    (
        splits(examples=lambda e: Example(e.id, ("", "a"), e.group)),
        {"examples_are_whole": "red has an empty caption"},
    ),
    (splits(examples=lambda e: Example(e.id, e.captions, "g")), {}),  # only some objectives need a second group
    (splits(picture=lambda p: p.convert("RGBA")), {"pictures_are_rgb_squares": "is RGBA, not RGB"}),
    (splits(picture=lambda p: p.crop((0, 0, 9, 16))), {"pictures_are_rgb_squares": "is (9, 16)"}),
    (splits(picture=noisy), {"pictures_are_the_same_in_threads": "decoded at once"}),
    (splits(picture=logged), {"decoding_reaches_nothing_and_writes_nothing": f"but did: {os.devnull}"}),
    (splits(fingerprint=lambda: str(np.random.rand())), {"opened_again_it_is_the_same": "another fingerprint"}),
    (splits(fingerprint=lambda: "0"), {"splits_are_distinguished": "train and test have the same fingerprint"}),
    (splits(name="squares"), {"splits_are_distinguished": "train and test have the same name, squares"}),
    (undocumented, {"is_documented": "Undocumented has none"}),
]


@pytest.mark.parametrize(("make", "reasons"), SPECIMENS)
def test_each_broken_dataset_fails_for_its_reason(make: Callable[[], Any], reasons: dict[str, str]) -> None:
    expect(failures(DATASET_CHECKS, make), reasons)


def test_every_check_catches_a_broken_dataset() -> None:
    assert caught(SPECIMENS) == {check.name for check in DATASET_CHECKS}
