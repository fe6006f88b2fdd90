"""`nox -s world-sheet` draws docs/pictures/world.webp: pictures of openmoji-world with their captions."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from t2i.files import write_atomic
from t2i.lettering.lettering import Lettering
from t2i_openmoji.world.dataset import OpenMojiWorld

SIDE, GAP, SIZE, LINE = 120, 10, 12, 14  # px; SIZE and LINE of letters


@dataclass(frozen=True)
class Cell:
    """A picture on a page.

    Attributes:
        picture: of any size.
        caption: written under it.
        frame: colour of the line around it, or "" for a thin grey one.
    """

    picture: Image.Image
    caption: str
    frame: str = ""


def page(rows: Sequence[Sequence[Cell]], headings: Sequence[str] = ()) -> Image.Image:
    """Cells in rows, captions broken into lines.

    Args:
        headings: a line above each row, or "" for none; no headings at all by default.
    """
    letters, large = Lettering(SIZE), Lettering(SIZE + 4)
    headings = headings or [""] * len(rows)
    lines = [[letters.lines(cell.caption, SIDE) for cell in row] for row in rows]
    heights = [
        SIDE + 2 * GAP + LINE * max((len(each) for each in row), default=0) + (2 * LINE if heading else 0)
        for row, heading in zip(lines, headings, strict=True)
    ]
    sheet = Image.new("RGB", (GAP + max(map(len, rows)) * (SIDE + GAP), GAP + sum(heights)), "white")
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for row, texts, heading, height in zip(rows, lines, headings, heights, strict=True):
        bottom = top + height
        if heading:
            large.write(draw, GAP, top, heading)
            top += 2 * LINE
        for number, (cell, text) in enumerate(zip(row, texts, strict=True)):
            left = GAP + number * (SIDE + GAP)
            sheet.paste(cell.picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC), (left, top))
            box = (left - 1, top - 1, left + SIDE, top + SIDE)
            draw.rectangle(box, outline=cell.frame or "lightgrey", width=3 if cell.frame else 1)
            for line, words in enumerate(text):
                letters.write(draw, left, top + SIDE + 3 + line * LINE, words)
        top = bottom
    return sheet


def write_page(path: Path, rows: Sequence[Sequence[Cell]], headings: Sequence[str] = ()) -> None:
    """Write the page as a lossless WebP of 256 colours, a third of a PNG; other arguments as in `page`.

    Raises:
        OutputError: the file cannot be written.
    """
    file = io.BytesIO()
    flat = page(rows, headings).quantize(256, dither=Image.Dither.NONE).convert("RGB")
    flat.save(file, "WEBP", lossless=True, quality=100, method=6)
    write_atomic(path, file.getvalue())


def world_sheet(path: Path, split: str = "train", columns: int = 8, rows: int = 5) -> None:
    """Write a WebP with pictures from all over a split of openmoji-world.

    Raises:
        InvalidInputError: there is no such split.
        DataError: OpenMoji's pictures are missing or incomplete.
        OutputError: the file cannot be written.
    """
    world = OpenMojiWorld(split)
    numbers = [number * len(world) // (columns * rows) for number in range(columns * rows)]
    cells = [Cell(world.picture(number, SIDE)[0], world.examples[number].captions[0]) for number in numbers]
    write_page(path, [cells[first : first + columns] for first in range(0, len(cells), columns)])
