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
"""For each split a function that opens it."""

DATASET_CHECKS: Checks[Splits] = Checks()


@DATASET_CHECKS.add(
    why="runs name pictures by id, draw by caption and mismatch by group",
    remedy="give each example an id of its own, a group and a caption or more, and the dataset a name and a licence",
)
def examples_are_whole(splits: Splits) -> None:
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


@DATASET_CHECKS.add(
    why="GANs and judges need captions of something else",
    remedy="set the group to what a picture shows; to its id where nothing is known",
)
def there_is_something_to_mismatch(splits: Splits) -> None:
    for name, load in splits.items():
        groups = {example.group for example in load()}
        assert len(groups) > 1, f"all pictures of {name} are of the group {groups}, so nothing can be mismatched"


@DATASET_CHECKS.add(
    why="the Trainer stacks them",
    remedy="crop or pad to a square, convert to RGB, and resize to the resolution asked for",
)
def pictures_are_rgb_squares(splits: Splits) -> None:
    for name, load in splits.items():
        dataset = load()
        for index, side in itertools.product(_some(dataset), (16, 40)):
            picture, note = dataset.picture(index, side)
            where = f"picture {index} of {name} at {side} px"
            assert isinstance(picture, Image.Image) and isinstance(note, str), f"{where} is no (Image, str)"
            assert picture.mode == "RGB", f"{where} is {picture.mode}, not RGB"
            assert picture.size == (side, side), f"{where} is {picture.size}"


@DATASET_CHECKS.add(
    why="pictures are decoded in a pool of threads",
    remedy="open files per call, and share no drawing state",
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
    why="what was prepared is cached under the fingerprint, and a resumed run must see the same order",
    remedy="sort what you list, and derive the fingerprint from contents",
)
def opened_again_it_is_the_same(splits: Splits) -> None:
    for name, load in splits.items():
        first, second = load(), load()
        assert list(first.examples) == list(second.examples), f"{name} opened again has other examples"
        assert first.fingerprint == second.fingerprint, f"{name} opened again has another fingerprint"


@DATASET_CHECKS.add(
    why="a split that passes for another leaks test pictures into training",
    remedy='put the split into the name, as in "shapes:train"',
)
def splits_are_told_apart(splits: Splits) -> None:
    datasets = {name: load() for name, load in splits.items()}
    for (one, first), (other, second) in itertools.combinations(datasets.items(), 2):
        assert first.name != second.name, f"{one} and {other} have one name, {first.name}"
        assert first.fingerprint != second.fingerprint, f"{one} and {other} have one fingerprint"


@DATASET_CHECKS.add(
    why="decoding runs in the middle of a run, perhaps without a network, on a disk that others share",
    remedy="fetch when the dataset is opened, and keep what can be made again under t2i.files.cache_home()",
)
def decoding_reaches_nothing_and_writes_nothing(splits: Splits) -> None:
    for name, load in splits.items():
        dataset = load()
        dataset.picture(0, 16)  # what is imported on first use
        with watched(unplugged=True) as touched:
            for index in _some(dataset):
                dataset.picture(index, 24)
        written = [path for path in touched.written if not path.startswith(str(cache_home()))]
        told = ", ".join([*touched.reached, *written])
        assert not told, f"decoding a picture of {name} reaches no address and writes no file, but did: {told}"


@DATASET_CHECKS.add(
    why="weights say what they were trained on, and somebody will look it up",
    remedy="give the class a docstring: what the pictures are, whose they are, and what the splits withhold",
)
def is_documented(splits: Splits) -> None:
    missing = undocumented(*{type(load()) for load in splits.values()})
    assert not missing, f"public classes have docstrings, but {', '.join(missing)} has none"


def _some(dataset: CaptionedDataset) -> list[int]:
    """The first, the last and two between."""
    last = len(dataset) - 1
    return sorted({0, last // 3, last * 2 // 3, last})
