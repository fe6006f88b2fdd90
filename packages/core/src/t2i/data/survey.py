"""Statistics, a contact sheet and the problems of a dataset."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image, ImageDraw

from t2i.data.dataset import CaptionedDataset, Problem
from t2i.data.pack.pack import decode, look
from t2i.data.remarks import shared_caption, unread_captions
from t2i.data.spread import spread
from t2i.errors import DataError
from t2i.lettering.lettering import Lettering

if TYPE_CHECKING:
    from t2i.text import TextEncoder

CHUNK = 256
CHECK_RESOLUTION = 64  # pixels; pictures are compared at this size
TOP = 5
Advance = Callable[[int], None]
T = TypeVar("T")


def describe(dataset: CaptionedDataset, advance: Advance = lambda steps: None) -> dict[str, Any]:
    """Counts, caption lengths, class balance and sizes; pictures are not decoded, only their headers read.

    Returns:
        JSON-like facts by name; "problems" lists each problem with where, reason and whether the picture is left out.
    """
    problems = list(dataset.problems)
    sizes = []
    for index, size in enumerate(_in_threads(lambda index: _size(dataset, index), len(dataset), advance)):
        if isinstance(size, DataError):
            problems.append(Problem(dataset.examples[index].id, str(size)))
        elif size is not None:
            sizes.append(size)
    facts = _captions(dataset) | _groups(dataset)
    if sizes:
        by_area = sorted(sizes, key=lambda size: size[0] * size[1])
        smallest, median, largest = (by_area[place] for place in (0, len(by_area) // 2, -1))
        facts["sizes"] = {
            "smallest": list(smallest),
            "median": list(median),
            "largest": list(largest),
        }
    return facts | _remarks(dataset) | _flaws(problems)


def check(
    dataset: CaptionedDataset, advance: Advance = lambda steps: None, encoder: TextEncoder | None = None
) -> dict[str, Any]:
    """Decode every picture at CHECK_RESOLUTION: count usable pictures, find duplicates, and report problems.

    Args:
        encoder: the text encoder to check the captions with.

    Returns:
        Counts of pictures and captions and, as "duplicates", pictures whose middle squares have equal pixels at
        CHECK_RESOLUTION, although their files may differ, and captions shared by several pictures.
    """
    problems = list(dataset.problems)
    first: dict[int, str] = {}
    equal: list[str] = []
    usable = 0
    results = _in_threads(lambda index: _decoded(dataset, index), len(dataset), advance)
    for index, (seen, found) in enumerate(results):
        problems += found
        if seen is None:
            continue
        usable += 1
        name = dataset.examples[index].id
        if first.setdefault(seen, name) != name:
            equal.append(f"{name} = {first[seen]}")
    holders = Counter(caption for example in dataset.examples for caption in set(example.captions))
    shared = [f"{caption!r} ({count} pictures)" for caption, count in holders.most_common() if count > 1]
    facts = {
        "dataset": dataset.name,
        "pictures": len(dataset),
        "usable pictures": usable,
        f"equal at {CHECK_RESOLUTION} px": len(equal),
        "captions shared": len(shared),
    }
    return (
        facts | _remarks(dataset, encoder) | _flaws(problems) | {"duplicates": {"pictures": equal, "captions": shared}}
    )


def contact_sheet(dataset: CaptionedDataset, count: int, resolution: int) -> tuple[Image.Image, int]:
    """`count` pictures spread over the dataset, each with its first caption; for a broken one, the reason in red.

    Returns:
        The sheet, and how many pictures it shows.
    """
    indices = spread(len(dataset), count).tolist()
    count = len(indices)
    columns = min(count, max(1, round((count * 1.5) ** 0.5)))
    letters = Lettering(size=11)
    lines, line, gap = 3, 14, 8
    cell_w, cell_h = resolution + gap, resolution + lines * line + gap
    sheet = Image.new("RGB", (columns * cell_w + gap, -(-count // columns) * cell_h + gap), "white")
    draw = ImageDraw.Draw(sheet)
    for place, index in enumerate(indices):
        left, top = gap + place % columns * cell_w, gap + place // columns * cell_h
        example = dataset.examples[index]
        said, ink = example.captions[0], "black"
        try:
            sheet.paste(dataset.picture(index, resolution)[0], (left, top))
        except DataError as error:
            draw.rectangle((left, top, left + resolution - 1, top + resolution - 1), fill="#eeeeee")
            said, ink = f"{example.id}: {error}", "#b00000"
        for number, text in enumerate(letters.lines(said, resolution, lines)):
            letters.write(draw, left, top + resolution + number * line, text, ink)
    return sheet, count


def _captions(dataset: CaptionedDataset) -> dict[str, Any]:
    per_picture = [len(example.captions) for example in dataset.examples]
    words = [len(caption.split()) for example in dataset.examples for caption in example.captions]
    letters = [len(caption) for example in dataset.examples for caption in example.captions]
    return {
        "dataset": dataset.name,
        "licence": dataset.license,
        "pictures": len(dataset),
        "captions": len(words),
        "distinct captions": len({caption for example in dataset.examples for caption in example.captions}),
        "captions per picture": _spread(per_picture),
        "words per caption": _spread(words),
        "letters per caption": _spread(letters),
    }


def _groups(dataset: CaptionedDataset) -> dict[str, Any]:
    groups = Counter(example.group for example in dataset.examples)
    facts: dict[str, Any] = {"classes": len(groups), "pictures per class": _spread(list(groups.values()))}
    if len(groups) < len(dataset):
        ordered = groups.most_common()
        facts["largest classes"] = dict(ordered[:TOP])
        facts["smallest classes"] = dict(ordered[: -TOP - 1 : -1])
    return facts


def _remarks(dataset: CaptionedDataset, encoder: TextEncoder | None = None) -> dict[str, Any]:
    distinct = list(dict.fromkeys(caption for example in dataset.examples for caption in example.captions))
    remarks = [*dataset.remarks, *shared_caption(distinct, len(dataset))]
    return {"remarks": remarks if encoder is None else [*remarks, *unread_captions(distinct, encoder)]}


def _flaws(problems: Sequence[Problem]) -> dict[str, Any]:
    left_out = sum(problem.skipped for problem in problems)
    return {
        "left out": left_out,
        "converted": len(problems) - left_out,
        "problems": [asdict(problem) for problem in problems],
    }


def _spread(values: Sequence[int]) -> dict[str, float]:
    return {"smallest": min(values), "median": statistics.median(values), "largest": max(values)}


def _size(dataset: CaptionedDataset, index: int) -> tuple[int, int] | DataError | None:
    try:
        return dataset.size(index)
    except DataError as error:
        return error


def _decoded(dataset: CaptionedDataset, index: int) -> tuple[int | None, list[Problem]]:
    pixels, problems = decode(dataset, index, CHECK_RESOLUTION)
    return None if pixels is None else look(pixels), problems


def _in_threads(work: Callable[[int], T], count: int, advance: Advance) -> Iterator[T]:
    """The results of `work` on 0, 1, ..., in order, one chunk at a time."""
    with ThreadPoolExecutor() as pool:
        for start in range(0, count, CHUNK):
            chunk = range(start, min(start + CHUNK, count))
            yield from pool.map(work, chunk)
            advance(len(chunk))
