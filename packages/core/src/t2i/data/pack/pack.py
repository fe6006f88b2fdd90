"""A pack: a dataset's pictures at one resolution, its captions and their features, as arrays mapped into memory.

pack/
    pack.json             manifest (see store.py)
    images.bin ...        pictures, captions, groups, ids
    text/<encoder>-<...>/ the captions encoded by one text encoder
"""

from __future__ import annotations

import hashlib
import json
import shutil
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from t2i.data.dataset import CaptionedDataset, Example, Problem, summarised
from t2i.data.fit import CROPPED, Fitting
from t2i.data.pack.partial_folder import PartialFolder, alone
from t2i.data.pack.store import (
    FORMAT,
    Ragged,
    Shapes,
    Texts,
    check_ragged,
    open_store,
    seal,
    starts_of,
    write_array,
    write_texts,
)
from t2i.errors import DataError, OutputError
from t2i.progress import Progress, silent

CHUNK = 256
KIND = "pack"
Decoded = tuple[np.ndarray | None, list[Problem]]


@dataclass(frozen=True)
class Pack:
    """An open pack of n pictures.

    Attributes:
        name, license, location, fitting: of the dataset it was made from.
        source: hash of that dataset and the resolution, which identifies the pack.
        sha256: of all its contents.
        images: [n, 3, r, r] of uint8.
        looks: [n]; equal for pictures with equal pixels.
        repeats: [n]; how often training sees each picture in one epoch.
        groups: [n], indices into `group_names`.
        captions: every distinct caption.
        captions_of: for each picture the positions of its captions.
        ids: the pictures' ids.
        problems: pictures left out or converted.
    """

    folder: Path
    name: str
    license: str
    source: str
    sha256: str
    images: np.ndarray
    looks: np.ndarray
    repeats: np.ndarray
    groups: np.ndarray
    group_names: Texts
    captions: Texts
    captions_of: Ragged
    ids: Texts
    problems: Sequence[Problem]
    location: str = ""
    fitting: Fitting = CROPPED

    @property
    def content(self) -> str:
        """A hash of everything that training uses: pictures, captions, groups and repeats; not of the source."""
        digest = hashlib.sha256(json.dumps([list(self.captions), list(self.group_names)]).encode())
        for values in (self.looks, self.repeats, self.groups, self.captions_of.values, self.captions_of.starts):
            digest.update(values.tobytes())
        return digest.hexdigest()

    @property
    def resolution(self) -> int:
        """Pixels per side."""
        return int(self.images.shape[-1])


def is_pack(folder: Path) -> bool:
    """Whether `folder` is a pack, even if damaged."""
    return (folder / f"{KIND}.json").is_file()


def open_pack(folder: Path) -> Pack:
    """Open a pack after checking every byte of it.

    Raises:
        DataError: it is damaged, inconsistent, or in another format.
    """
    store = open_store(folder, KIND)
    try:
        arrays, facts = store.arrays, store.facts
        pack = Pack(
            folder=folder,
            name=str(facts["name"]),
            license=str(facts["license"]),
            source=str(facts["source"]),
            sha256=store.sha256,
            images=arrays["images"],
            looks=arrays["looks"],
            repeats=arrays["repeats"],
            groups=arrays["groups"],
            group_names=store.texts("group_names"),
            captions=store.texts("captions"),
            captions_of=Ragged(arrays["caption_numbers"], arrays["caption_starts"]),
            ids=store.texts("ids"),
            problems=[Problem(*json.loads(entry)) for entry in store.texts("problems")],
            location=str(facts.get("location", "")),
            fitting=Fitting(**facts.get("fitting", {})),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder} is not a complete pack ({type(error).__name__}: {error})") from None
    _check(pack)
    return pack


def write_pack(
    dataset: CaptionedDataset,
    folder: Path,
    resolution: int,
    *,
    strict: bool = False,
    repair: bool = False,
    progress: Progress = silent,
) -> Pack:
    """Decode every picture of `dataset` at `resolution` into a new pack, or open the existing one.

    Holds a few hundred pictures in memory at a time. After Ctrl-C or kill -9, the next call continues.

    Args:
        strict: refuse a dataset with any problem.
        repair: regenerate a damaged pack instead of refusing it.

    Raises:
        DataError: no picture can be used, or one has a problem and `strict` is set.
        OutputError: `folder` exists and is something else, or cannot be written.
    """
    source = source_of(dataset, resolution)
    with alone(folder, progress):
        if folder.exists():
            pack = _found(folder, repair)
            if pack is not None and pack.source == source:
                refuse_problems(dataset.name, pack.problems if strict else ())
                return pack
        if folder.exists():
            raise OutputError(f"{folder} already exists and is not this pack. Remove it, or choose another name.")
        partial = PartialFolder(folder, source)
        _fill(partial, dataset, resolution, progress)
        left_out = {index for chunk in partial.chunks for index in chunk["left_out"]}
        problems = [*dataset.problems, *(Problem(*row) for chunk in partial.chunks for row in chunk["problems"])]
        refuse_problems(dataset.name, problems if strict else ())
        if len(left_out) == len(dataset):
            partial.discard()
            reasons = "; ".join(summarised(problems)[:5])
            raise DataError(f"None of the {len(dataset)} pictures of {dataset.name} can be used: {reasons}.")

        def kept() -> Iterator[Example]:
            return (example for index, example in enumerate(dataset.examples) if index not in left_out)

        count = len(dataset) - len(left_out)
        arrays: Shapes = {"images": ("uint8", (count, 3, resolution, resolution)), "looks": ("uint64", (count,))}
        arrays |= _write_examples(partial.scratch, kept)
        arrays |= write_texts(partial.scratch, "problems", [json.dumps(astuple(problem)) for problem in problems])
        facts: dict[str, Any] = {"name": dataset.name, "license": dataset.license, "source": source}
        facts |= {"location": dataset.location} if dataset.location else {}
        facts |= {"fitting": asdict(dataset.fitting)} if dataset.fitting != CROPPED else {}
        seal(partial.scratch, KIND, facts, arrays)
        partial.finish()
    return open_pack(folder)


def _found(folder: Path, repair: bool) -> Pack | None:
    """The existing pack; None if there is none, or a damaged one was removed."""
    try:
        return open_pack(folder) if is_pack(folder) or repair else None
    except DataError as error:
        if not repair:
            raise DataError(f"{error}. Remove {folder} and pack again.") from None
        shutil.rmtree(folder)
        return None


def source_of(dataset: CaptionedDataset, resolution: int) -> str:
    """The key of a pack of `dataset` at `resolution`."""
    return hashlib.sha256(f"{FORMAT} {dataset.fingerprint} {resolution}".encode()).hexdigest()


def refuse_problems(name: str, problems: Sequence[Problem]) -> None:
    """
    Raises:
        DataError: there are any.
    """
    if problems:
        raise DataError(
            f"With --strict, {name} must have no problems, but has {len(problems)}: "
            f"{'; '.join(summarised(problems)[:5])}. Fix or remove them, or leave --strict out."
        )


def decode(dataset: CaptionedDataset, index: int, resolution: int) -> Decoded:
    """Picture `index` as uint8 [3, r, r], or None if it cannot be used, and its problems."""
    name = dataset.examples[index].id
    try:
        picture, note = dataset.picture(index, resolution)
    except DataError as error:
        return None, [Problem(name, str(error))]
    pixels = np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
    return pixels, [Problem(name, note, skipped=False)] if note else []


def look(pixels: np.ndarray) -> int:
    """A hash of the picture's pixels."""
    return int.from_bytes(hashlib.blake2b(pixels.tobytes(), digest_size=8).digest(), "little")


def _fill(partial: PartialFolder, dataset: CaptionedDataset, resolution: int, progress: Progress) -> None:
    with progress("Decoding pictures", len(dataset)) as advance, ThreadPoolExecutor() as pool:
        advance(partial.done)
        while partial.done < len(dataset):
            chunk = range(partial.done, min(partial.done + CHUNK, len(dataset)))
            found = list(pool.map(lambda index: decode(dataset, index, resolution), chunk))
            pixels = [picture for picture, _ in found if picture is not None]
            looks = np.array([look(picture) for picture in pixels], "<u8")
            note = {
                "left_out": [index for index, (picture, _) in zip(chunk, found, strict=True) if picture is None],
                "problems": [astuple(problem) for _, problems in found for problem in problems],
            }
            content = {"images": b"".join(picture.tobytes() for picture in pixels), "looks": looks.tobytes()}
            partial.append(len(chunk), content, note)
            advance(len(chunk))


def _write_examples(folder: Path, examples: Callable[[], Iterable[Example]]) -> Shapes:
    """Write captions and groups, numbered in the order of their texts; each call of `examples` returns all examples."""
    captions: dict[str, int] = {}
    groups: dict[str, int] = {}
    numbers, lengths, group_of, repeats = array("q"), array("q"), array("q"), array("q")
    for example in examples():
        repeats.append(example.repeats)
        lengths.append(len(example.captions))
        numbers.extend(captions.setdefault(caption, len(captions)) for caption in example.captions)
        group_of.append(groups.setdefault(example.group, len(groups)))
    write_array(folder, "repeats", np.asarray(repeats).astype(np.int32))
    arrays = write_texts(folder, "ids", (example.id for example in examples()))
    arrays["repeats"] = ("int32", (len(repeats),))
    for name, texts, values in (("captions", captions, numbers), ("group_names", groups, group_of)):
        ordered = sorted(texts)
        arrays |= write_texts(folder, name, ordered)
        rank = np.empty(len(ordered), np.int32)
        rank[[texts[text] for text in ordered]] = np.arange(len(ordered))
        name = {"captions": "caption_numbers", "group_names": "groups"}[name]
        write_array(folder, name, rank[np.asarray(values)])
        arrays[name] = ("int32", (len(values),))
    starts = starts_of(np.asarray(lengths))
    write_array(folder, "caption_starts", starts)
    return arrays | {"caption_starts": ("int64", starts.shape)}


def _check(pack: Pack) -> None:
    """
    Raises:
        DataError: the arrays do not fit each other, although their checksums match.
    """
    where, count = pack.folder, len(pack.images)
    check_ragged(where, pack.captions_of.starts, len(pack.captions_of.values))
    for texts in (pack.captions, pack.group_names, pack.ids):
        check_ragged(where, texts.starts, len(texts.content))
    numbered = (
        (pack.captions_of.values, len(pack.captions)),
        (pack.groups, len(pack.group_names)),
    )
    rows = (pack.looks, pack.repeats, pack.groups, pack.captions_of, pack.ids)
    shapes = {len(values) for values in rows} == {count}
    square = pack.images.ndim == 4 and pack.images.shape[1] == 3 and pack.images.shape[2] == pack.images.shape[3]
    captioned = (np.diff(pack.captions_of.starts) > 0).all()
    in_range = all(values.size and 0 <= values.min() <= values.max() < limit for values, limit in numbered)
    seen = (pack.repeats > 0).all()
    if not (count and shapes and square and captioned and seen and in_range):
        raise DataError(f"{where} is inconsistent: its pictures, captions and groups do not fit each other")
