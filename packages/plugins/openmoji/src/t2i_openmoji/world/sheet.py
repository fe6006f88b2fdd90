"""`python -m t2i_openmoji.world.sheet OUT.png`: some pictures of openmoji-world with their captions, on one page."""

from __future__ import annotations

import argparse
import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from t2i.files import write_atomic
from t2i_openmoji.world.dataset import SPLITS, OpenMojiWorld

SIDE, GAP, SIZE, LINE = 120, 10, 12, 14  # px
LETTERS = 19  # of a caption on a line


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


def page(rows: Sequence[Sequence[Cell]]) -> Image.Image:
    """Cells in rows, captions broken into lines."""
    font = ImageFont.load_default(size=SIZE)
    lines = [[textwrap.wrap(cell.caption, LETTERS) for cell in row] for row in rows]
    heights = [SIDE + 2 * GAP + LINE * max((len(each) for each in row), default=0) for row in lines]
    sheet = Image.new("RGB", (GAP + max(map(len, rows)) * (SIDE + GAP), GAP + sum(heights)), "white")
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for row, texts, height in zip(rows, lines, heights, strict=True):
        for number, (cell, text) in enumerate(zip(row, texts, strict=True)):
            left = GAP + number * (SIDE + GAP)
            sheet.paste(cell.picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC), (left, top))
            box = (left - 1, top - 1, left + SIDE, top + SIDE)
            draw.rectangle(box, outline=cell.frame or "lightgrey", width=3 if cell.frame else 1)
            for line, words in enumerate(text):
                draw.text((left, top + SIDE + 3 + line * LINE), words, fill="black", font=font)
        top += height
    return sheet


def write_page(path: Path, rows: Sequence[Sequence[Cell]]) -> None:
    """The page as a PNG.

    Raises:
        OutputError: the file cannot be written.
    """
    file = io.BytesIO()
    page(rows).save(file, "PNG", optimize=True)
    write_atomic(path, file.getvalue())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m t2i_openmoji.world.sheet", description="Pictures with captions.")
    parser.add_argument("out", type=Path, help="a PNG")
    parser.add_argument("--split", choices=SPLITS, default="train")
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--rows", type=int, default=5)
    options = parser.parse_args(arguments)
    world = OpenMojiWorld(options.split)
    count = options.columns * options.rows
    numbers = [number * len(world) // count for number in range(count)]
    cells = [Cell(world.picture(number, SIDE)[0], world.examples[number].captions[0]) for number in numbers]
    write_page(options.out, [cells[first : first + options.columns] for first in range(0, count, options.columns)])


if __name__ == "__main__":
    main()
