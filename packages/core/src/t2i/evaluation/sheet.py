"""A sheet of models: a row per prompt, a column per model, and the scores under the columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw, ImageFont

CELL = 128  # px, smallest side of a picture
GUTTER = 168  # px, width of the column of prompts and score names
GAP, LINE, SIZE = 6, 15, 12  # px


def sheet(
    rows: Sequence[Sequence[Image.Image]],
    prompts: Sequence[str],
    models: Sequence[str],
    scores: Sequence[tuple[str, Sequence[str]]] = (),
) -> Image.Image:
    """Lay pictures out on white, all at the largest one's size; smaller ones are enlarged, by whole pixels if possible.

    Args:
        rows: for each prompt, one square picture per model.
        prompts: text left of each row, broken into lines.
        models: text above each column.
        scores: rows of text under the columns: a name, and one cell per model.
    """
    font = ImageFont.load_default(size=SIZE)
    largest = max(picture.width for row in rows for picture in row)
    side = largest * max(1, -(-CELL // largest))
    headings = [_wrapped(model, side, font.getlength) for model in models]
    names = [_wrapped(name, GUTTER - 2 * GAP, font.getlength) for name, _ in scores]
    cells = [[_wrapped(cell, side, font.getlength) for cell in row] for _, row in scores]
    top = GAP + LINE * max(map(len, headings))
    heights = [LINE * max(map(len, [name, *row])) + GAP for name, row in zip(names, cells, strict=True)]
    foot = top + len(rows) * (side + GAP) + GAP
    page = Image.new("RGB", (GUTTER + len(models) * (side + GAP), foot + sum(heights)), "white")
    draw = ImageDraw.Draw(page)

    def write(lines: Sequence[str], x: int, y: int) -> None:
        for number, line in enumerate(lines):
            draw.text((x, y + number * LINE), line, fill="black", font=font)

    columns = [GUTTER + number * (side + GAP) for number in range(len(models))]
    for x, heading in zip(columns, headings, strict=True):
        write(heading, x, GAP // 2)
    for number, (row, prompt) in enumerate(zip(rows, prompts, strict=True)):
        y = top + number * (side + GAP)
        write(_wrapped(prompt, GUTTER - 2 * GAP, font.getlength)[: side // LINE], GAP, y)
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


def _wrapped(text: str, width: float, length: Callable[[str], float]) -> list[str]:
    """The text broken between words, and inside words longer than `width`; at least one line."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if length(longer) <= width:
            lines[-1] = longer
            continue
        lines += [""] * bool(lines[-1])
        for character in word:
            if length(lines[-1] + character) > width and lines[-1]:
                lines.append("")
            lines[-1] += character
    return lines
