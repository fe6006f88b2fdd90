"""What every CaptionedDataset promises. Needs pytest (pip install pytest)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import pytest
from PIL import Image

from t2i.data.dataset import CaptionedDataset

Splits = Mapping[str, Callable[[], CaptionedDataset]]


class DatasetSuite:
    """Inherit, name the class Test..., and override `splits`."""

    @pytest.fixture
    def splits(self) -> Splits:
        """For each split a function that opens it, such as {"train": lambda: MyData("train")}."""
        raise NotImplementedError("A DatasetSuite overrides the fixture `splits`.")

    def test_examples_are_whole(self, splits: Splits) -> None:
        for name, load in splits.items():
            dataset = load()
            assert len(dataset) == len(dataset.examples) > 0, f"{name} is empty, or len() is not its examples' number"
            ids = [example.id for example in dataset]
            assert len(set(ids)) == len(ids), f"two examples of {name} have one id"
            for example in dataset.examples:
                assert example.id and example.group, f"{example} has an empty id or group"
                assert example.captions, f"{example.id} has no caption"
                assert all(caption.strip() for caption in example.captions), f"{example.id} has an empty caption"
            assert dataset.name and dataset.license, f"{name} has an empty name or licence"

    def test_there_is_something_to_mismatch(self, splits: Splits) -> None:
        for name, load in splits.items():
            groups = {example.group for example in load()}
            assert len(groups) > 1, f"all pictures of {name} are of the group {groups}, so nothing can be mismatched"

    def test_pictures_are_rgb_squares(self, splits: Splits) -> None:
        for name, load in splits.items():
            dataset = load()
            for index, side in itertools.product(_some(dataset), (16, 40)):
                picture, note = dataset.picture(index, side)
                where = f"picture {index} of {name} at {side} px"
                assert isinstance(picture, Image.Image) and isinstance(note, str), f"{where} is no (Image, str)"
                assert picture.mode == "RGB", f"{where} is {picture.mode}, not RGB"
                assert picture.size == (side, side), f"{where} is {picture.size}"

    def test_pictures_are_the_same_in_threads(self, splits: Splits) -> None:
        for name, load in splits.items():
            dataset = load()
            indices = _some(dataset) * 4
            one_by_one = [picture.tobytes() for picture, _ in map(dataset.picture, indices, repeat(16))]
            with ThreadPoolExecutor(4) as pool:
                at_once = [picture.tobytes() for picture, _ in pool.map(dataset.picture, indices, repeat(16))]
            assert one_by_one == at_once, f"a picture of {name} differs when several are decoded at once"

    def test_opened_again_it_is_the_same(self, splits: Splits) -> None:
        for name, load in splits.items():
            first, second = load(), load()
            assert list(first.examples) == list(second.examples), f"{name} opened again has other examples"
            assert first.fingerprint == second.fingerprint, f"{name} opened again has another fingerprint"

    def test_splits_are_told_apart(self, splits: Splits) -> None:
        datasets = {name: load() for name, load in splits.items()}
        for (one, first), (other, second) in itertools.combinations(datasets.items(), 2):
            assert first.name != second.name, f"{one} and {other} have one name, {first.name}"
            assert first.fingerprint != second.fingerprint, f"{one} and {other} have one fingerprint"


def _some(dataset: CaptionedDataset) -> list[int]:
    """The first, the last and two between."""
    last = len(dataset) - 1
    return sorted({0, last // 3, last * 2 // 3, last})
