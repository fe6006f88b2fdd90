"""What every CaptionedDataset promises."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from PIL import Image

from t2i.data.dataset import CaptionedDataset
from t2i.files import cache_home
from t2i.testing.checks.check import Checks
from t2i.testing.checks.probes import undocumented, watched

Splits = Mapping[str, Callable[[], CaptionedDataset]]
"""For each split, a function that opens it."""

DATASET_CHECKS: Checks[Splits] = Checks()


@DATASET_CHECKS.add(
    why="runs refer to pictures by id, draw by caption and choose mismatches by group",
    remedy="give each example a unique id, a group and at least one caption, and the dataset a name and a licence",
)
def examples_are_whole(splits: Splits) -> None:
    for name, load in splits.items():
        dataset = load()
        assert len(dataset) == len(dataset.examples) > 0, f"{name} is empty, or len() is not the number of its examples"
        ids = [example.id for example in dataset]
        assert len(set(ids)) == len(ids), f"two examples of {name} have the same id"
        for example in dataset.examples:
            assert example.id and example.group, f"{example} has an empty id or group"
            assert example.captions, f"{example.id} has no caption"
            assert all(caption.strip() for caption in example.captions), f"{example.id} has an empty caption"
        assert dataset.name and dataset.license, f"{name} has an empty name or licence"


@DATASET_CHECKS.add(
    why="the Trainer stacks them",
    remedy="crop or pad to a square, convert to RGB, and resize to the requested resolution",
)
def pictures_are_rgb_squares(splits: Splits) -> None:
    for name, load in splits.items():
        dataset = load()
        for index, side in itertools.product(_some(dataset), (16, 40)):
            picture, note = dataset.picture(index, side)
            where = f"picture {index} of {name} at {side} px"
            assert isinstance(picture, Image.Image) and isinstance(note, str), f"{where} is not an (Image, str)"
            assert picture.mode == "RGB", f"{where} is {picture.mode}, not RGB"
            assert picture.size == (side, side), f"{where} is {picture.size}"


@DATASET_CHECKS.add(
    why="pictures are decoded in a pool of threads",
    remedy="open files in each call, and share no mutable state",
)
def pictures_are_the_same_in_threads(splits: Splits) -> None:
    for name, load in splits.items():
        dataset = load()
        indices = _some(dataset) * 4
        one_by_one = [picture.tobytes() for picture, _ in map(dataset.picture, indices, repeat(16))]
        with ThreadPoolExecutor(4) as pool:
            at_once = [picture.tobytes() for picture, _ in pool.map(dataset.picture, indices, repeat(16))]
        assert one_by_one == at_once, f"a picture of {name} differs when several are decoded at once"


@DATASET_CHECKS.add(
    why="prepared data is cached under the fingerprint, and a resumed run must see the same order",
    remedy="sort directory listings, and compute the fingerprint from the contents",
)
def opened_again_it_is_the_same(splits: Splits) -> None:
    for name, load in splits.items():
        first, second = load(), load()
        assert list(first.examples) == list(second.examples), f"{name} opened again has other examples"
        assert first.fingerprint == second.fingerprint, f"{name} opened again has another fingerprint"


@DATASET_CHECKS.add(
    why="if two splits are confused, test pictures leak into training",
    remedy='include the split in the name, as in "shapes:train"',
)
def splits_are_distinguished(splits: Splits) -> None:
    datasets = {name: load() for name, load in splits.items()}
    for (one, first), (other, second) in itertools.combinations(datasets.items(), 2):
        assert first.name != second.name, f"{one} and {other} have the same name, {first.name}"
        assert first.fingerprint != second.fingerprint, f"{one} and {other} have the same fingerprint"


@DATASET_CHECKS.add(
    why="pictures are decoded during a run, perhaps without a network, on a shared disk",
    remedy="fetch when the dataset is opened, and keep files that can be recreated under t2i.files.cache_home()",
)
def decoding_reaches_nothing_and_writes_nothing(splits: Splits) -> None:
    for name, load in splits.items():
        dataset = load()
        dataset.picture(0, 16)  # triggers imports on first use
        with watched(unplugged=True) as touched:
            for index in _some(dataset):
                dataset.picture(index, 24)
        written = [path for path in touched.written if not path.startswith(str(cache_home()))]
        found = ", ".join([*touched.reached, *written])
        assert not found, f"decoding a picture of {name} must use no network and write no file, but did: {found}"


@DATASET_CHECKS.add(
    why="weights name their training data, and people will look it up",
    remedy="give the class a docstring: what the pictures are, who made them, and how the splits differ",
)
def is_documented(splits: Splits) -> None:
    missing = undocumented(*{type(load()) for load in splits.values()})
    assert not missing, f"public classes must have docstrings, but {', '.join(missing)} has none"


def _some(dataset: CaptionedDataset) -> list[int]:
    """The first index, the last and two in between."""
    last = len(dataset) - 1
    return sorted({0, last // 3, last * 2 // 3, last})
