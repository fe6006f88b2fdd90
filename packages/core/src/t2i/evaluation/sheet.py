"""A sheet of models: a row per prompt, a column per model, and the scores under the columns."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from t2i.lettering.lettering import Lettering

CELL = 128  # px, smallest side of a picture
GUTTER = 168  # px, width of the column of prompts and score names
GAP, LINE, SIZE = 6, 15, 12  # px


def sheet(
    rows: Sequence[Sequence[Image.Image]],
    prompts: Sequence[str],
    models: Sequence[str],
    scores: Sequence[tuple[str, Sequence[str]]] = (),
) -> Image.Image:
    """Lay pictures out on white, all of one size, at least the largest one's; smaller ones are enlarged, by whole
    pixels if possible.

    Args:
        rows: for each prompt, one square picture per model.
        prompts: text left of each row, broken into lines; ends in an ellipsis if the row is too low for it.
        models: text above each column.
        scores: rows of text under the columns: a name, and one cell per model.
    """
    letters = Lettering(SIZE)
    largest = max(picture.width for row in rows for picture in row)
    side = largest * max(1, -(-CELL // largest))
    headings = [letters.lines(model, side) for model in models]
    names = [letters.lines(name, GUTTER - 2 * GAP) for name, _ in scores]
    cells = [[letters.lines(cell, side) for cell in row] for _, row in scores]
    top = GAP + LINE * max(map(len, headings))
    heights = [LINE * max(map(len, [name, *row])) + GAP for name, row in zip(names, cells, strict=True)]
    foot = top + len(rows) * (side + GAP) + GAP
    page = Image.new("RGB", (GUTTER + len(models) * (side + GAP), foot + sum(heights)), "white")
    draw = ImageDraw.Draw(page)

    def write(lines: Sequence[str], x: int, y: int) -> None:
        for number, line in enumerate(lines):
            letters.write(draw, x, y + number * LINE, line)

    columns = [GUTTER + number * (side + GAP) for number in range(len(models))]
    for x, heading in zip(columns, headings, strict=True):
        write(heading, x, GAP // 2)
    for number, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
        y = top + number * (side + GAP)
        write(letters.lines(prompt, GUTTER - 2 * GAP, side // LINE), GAP, y)
        for x, picture in zip(columns, row, strict=True):
            page.paste(enlarged(picture, side), (x, y))
    y = foot
    for name, row_cells, height in zip(names, cells, heights, strict=True):
        draw.line([(GAP, y - GAP // 2), (page.width - GAP, y - GAP // 2)], fill="lightgrey")
        write(name, GAP, y)
        for x, cell in zip(columns, row_cells, strict=True):
            write(cell, x, y)
        y += height
    return page


def enlarged(picture: Image.Image, side: int) -> Image.Image:
    """The square picture at `side` pixels: by repeated pixels if `side` is a multiple of its width, else by Lanczos."""
    method = Image.Resampling.NEAREST if side % picture.width == 0 else Image.Resampling.LANCZOS
    return picture.resize((side, side), method)
