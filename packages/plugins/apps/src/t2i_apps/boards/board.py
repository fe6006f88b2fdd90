"""A board: variations of a prompt along two axes, as a labelled sheet and a page; each cell is also a picture file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from t2i.arguments import check_whole_number, shown
from t2i.config import Config, parse_value
from t2i.drawing.artist import Artist, Request
from t2i.drawing.picture import Picture, file_name
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import png_bytes
from t2i.errors import InvalidInputError
from t2i.evaluation.sheet import sheet
from t2i.files import write_atomic
from t2i.progress import Progress, silent
from t2i.seeds import MAX_SEED
from t2i_apps.boards.shown import NOTE, Shown
from t2i_apps.pages.render import write_page

MOST_CELLS = 400
RANGE = re.compile(r"(\d{1,19})\.\.(\d{1,19})")


@dataclass(frozen=True)
class Axis:
    """What changes along one side of the board.

    Attributes:
        name: "prompt", "seed", "model", or an option of the model.
        values: at least one.
    """

    name: str
    values: tuple[Any, ...]

    @classmethod
    def parse(cls, text: str) -> Axis:
        """An axis such as "guidance=1,3,5", "seed=1..4" or "model=cgan,flow".

        Raises:
            InvalidInputError: it has another form, or too many values.
        """
        name, equals, listed = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name.isidentifier() or not listed.strip():
            raise InvalidInputError(f"An axis must be written as name=1,3,5 or seed=1..4, got {shown(text)}.")
        values: list[Any] = []
        for part in listed.split(","):
            if span := RANGE.fullmatch(part.strip()):
                first, last = int(span[1]), int(span[2])
                if not 0 <= last - first < MOST_CELLS:
                    raise InvalidInputError(
                        f"A range must increase and have at most {MOST_CELLS} values, got {shown(part)}."
                    )
                values += range(first, last + 1)
            else:
                values.append(part.strip() if name in ("model", "prompt") else parse_value(part, f"the axis {name}"))
        return cls(name, tuple(values))

    @property
    def labels(self) -> list[str]:
        """The label of each value."""
        return [str(value) if self.name == "prompt" else f"{self.name} {value}" for value in self.values]


@dataclass(frozen=True)
class Cell:
    """One picture to draw."""

    model: str
    prompt: str
    seed: int
    options: tuple[tuple[str, Any], ...]


def board(
    prompts: Sequence[str],
    x: Axis | None,
    y: Axis | None,
    out: Path,
    *,
    model: str,
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
    title: str = "",
    note: str = "",
    opened: Mapping[str, Artist] | None = None,
    device: str | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Draw a board into `out` (.png), a page next to it (.html) and each cell into the folder of that name.

    Several prompts are a third axis: the columns if `x` is None, otherwise additional rows.

    Args:
        model, seed, options: of every cell whose axes do not say otherwise.
        title: of the page; by default the prompts.
        note: written on the page, and into NOTE in the folder, where `album` finds it.
        opened: models that are loaded already, by name.

    Returns:
        The cells' files, row by row.

    Raises:
        InvalidInputError: there are too many cells, or an axis does not fit the model; nothing is drawn.
        OutputError: a file cannot be written.
    """
    columns, rows = axes(prompts, x, y)
    cells = [
        [_cell({**dict(row), **dict(column)}, prompts[0], model, seed, options or {}) for column in columns]
        for row in rows
    ]
    drawn = _draw([cell for row in cells for cell in row], opened or {}, device, progress)
    folder = out.with_suffix("")
    paths = [
        picture.save(folder / file_name(number, picture.prompt, picture.seed))
        for number, picture in enumerate(drawn, 1)
    ]
    if note:
        write_atomic(folder / NOTE, f"{note}\n".encode())
    shown = [Shown.of(path, picture.png(), picture.provenance) for path, picture in zip(paths, drawn, strict=True)]
    starts = range(0, len(drawn), len(columns))
    tops, sides = [_label(column) for column in columns], [_label(row) for row in rows]
    images = [[picture.image for picture in drawn[start : start + len(columns)]] for start in starts]
    write_atomic(out, png_bytes(sheet(images, sides, tops)))
    write_page(
        out.with_suffix(".html"),
        "board.html",
        title=title or "; ".join(dict.fromkeys(prompts)),
        note=note,
        tops=tops,
        rows=[(side, shown[start : start + len(columns)]) for side, start in zip(sides, starts, strict=True)],
    )
    return paths


Setting = tuple[tuple[str, Any], ...]
"""The names and values that a row or a column stands for."""


def axes(prompts: Sequence[str], x: Axis | None, y: Axis | None) -> tuple[list[Setting], list[Setting]]:
    """The axes of the columns and the rows.

    Raises:
        InvalidInputError: both axes have one name, or there are too many cells.
    """
    if x is not None and y is not None and x.name == y.name:
        raise InvalidInputError(f"The two axes must change different things, got {x.name!r} for both.")
    across: list[Setting] = [((x.name, value),) for value in x.values] if x is not None else [()]
    down: list[Setting] = [((y.name, value),) for value in y.values] if y is not None else [()]
    if len(prompts) > 1:
        if "prompt" in [axis.name for axis in (x, y) if axis is not None]:
            raise InvalidInputError(
                f"If an axis changes the prompt, the board takes one prompt, got {len(prompts)} with the variations. "
                f"Leave out the variations or the axis."
            )
        if x is None:
            across = [(("prompt", prompt),) for prompt in prompts]
        else:
            down = [(("prompt", prompt), *rest) for prompt in prompts for rest in down]
    if len(across) * len(down) > MOST_CELLS:
        raise InvalidInputError(
            f"A board has at most {MOST_CELLS} cells, got {len(across)} x {len(down)}. Use fewer values."
        )
    return across, down


def _label(setting: Setting) -> str:
    return ", ".join(Axis(name, (value,)).labels[0] for name, value in setting)


def _cell(values: dict[str, Any], prompt: str, model: str, seed: int, options: Mapping[str, Any]) -> Cell:
    model, prompt = str(values.pop("model", model)), str(values.pop("prompt", prompt))
    seed = check_whole_number(values.pop("seed", seed), "A seed", 0, MAX_SEED)
    return Cell(model, prompt, seed, tuple({**options, **values}.items()))


def _draw(cells: Sequence[Cell], opened: Mapping[str, Artist], device: str | None, progress: Progress) -> list[Picture]:
    """The cells' pictures, in order; each model is loaded once, and cells with the same options are one batch."""
    artists = {
        name: opened[name] if name in opened else pipeline(name, device=device, record=True)
        for name in dict.fromkeys(cell.model for cell in cells)
    }
    batches: dict[tuple[str, Config], list[int]] = {}  # the cells' numbers by model and options
    for number, cell in enumerate(cells):
        options = artists[cell.model].options(**dict(cell.options))
        batches.setdefault((cell.model, options), []).append(number)
    drawn: dict[int, Picture] = {}
    with progress("Drawing", len(cells)) as advance:
        for (model, options), numbers in batches.items():
            requests = [Request(cells[number].prompt, cells[number].seed) for number in numbers]
            for number, picture in zip(numbers, artists[model].draw(requests, options), strict=True):
                drawn[number] = picture
                advance(1)
    return [drawn[number] for number in range(len(cells))]
