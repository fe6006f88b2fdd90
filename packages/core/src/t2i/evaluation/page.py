"""A comparison as one HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from PIL import Image

from t2i.drawing.provenance import png_bytes
from t2i.evaluation.comparison import Entry
from t2i.evaluation.sheet import CELL, enlarged
from t2i.evaluation.table import cautions, cells, legend, notes


def page(
    entries: Sequence[Entry], title: str, prompts: Sequence[str], rows: Sequence[Sequence[Image.Image]], plot: bytes
) -> str:
    """One self-contained HTML file: the table, the chart, and a row of pictures per prompt."""
    heads, table = cells(entries)

    def line(tag: str, texts: Sequence[str]) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(text)}</{tag}>' for text in texts)}</tr>"

    def image(png: bytes, text: str) -> str:
        return f'<img alt="{escape(text)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'

    def picture(drawn: Image.Image, prompt: str, model: str) -> str:
        side = drawn.width * max(1, CELL // drawn.width)
        return f"<td>{image(png_bytes(enlarged(drawn, side)), f'{prompt}, by {model}')}</td>"

    models = [entry.model for entry in entries]
    samples = "\n".join(
        f"<tr><th>{escape(prompt)}</th>"
        f"{''.join(picture(drawn, prompt, model) for drawn, model in zip(row, models, strict=True))}</tr>"
        for prompt, row in zip(prompts, rows, strict=True)
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{escape(title)}</title>
<style>
body {{ font: 15px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse; margin: 1em 0 }}
th, td {{ padding: .3em .8em; border-bottom: 1px solid #ddd; text-align: left }}
img {{ max-width: 100%; display: block }}
small {{ color: #555; overflow-wrap: anywhere }}
</style>
</head>
<body>
<h1>{escape(title)}</h1>
<table>
{line("th", heads)}
{chr(10).join(line("td", row) for row in table)}
</table>
{chr(10).join(f"<p>{escape(said)}</p>" for said in (legend(entries), *cautions(entries)) if said)}
{image(plot, "each score against seconds per image")}
<h2>The same prompts, the same seeds</h2>
<table>
{line("th", ["", *models])}
{samples}
</table>
<h2>Protocol</h2>
{chr(10).join(f"<p><small>{escape(note)}</small></p>" for note in notes(entries))}
</body>
</html>
"""
