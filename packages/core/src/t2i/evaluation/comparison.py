"""Several models under one protocol: who is better at what, in Markdown, in a chart and on a page of HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from html import escape

from PIL import Image

from t2i.drawing.pipeline import Pipeline
from t2i.drawing.provenance import png_bytes
from t2i.errors import InvalidInputError
from t2i.evaluation.scores import Scored
from t2i.evaluation.sheet import CELL, enlarged
from t2i.evaluator import Score
from t2i.hub.layout import WEIGHTS
from t2i.progress import Progress, silent

BOUNDS = ("ceiling", "chance")


@dataclass(frozen=True)
class Entry:
    """One model's part in a comparison.

    Attributes:
        model: its name.
        scores: by name.
        size_bytes: of model.safetensors.
        seconds_per_image: of drawing; None where it was not measured.
    """

    model: str
    scores: Mapping[str, Score]
    size_bytes: int
    seconds_per_image: float | None = None


def entry(pipe: Pipeline, name: str, scores: Mapping[str, Score], seconds_per_image: float | None = None) -> Entry:
    """A loaded model's part under `name`."""
    return Entry(name, scores, (pipe.snapshot.folder / WEIGHTS).stat().st_size, seconds_per_image)


def draw(
    pipes: Sequence[Pipeline], prompts: Sequence[str], seed: int, batch_size: int, progress: Progress = silent
) -> list[list[Image.Image]]:
    """For each prompt, one picture a model, all of one seed."""
    columns = []
    for pipe in pipes:
        column = []
        with progress(f"Drawing with {pipe.snapshot.name}", len(prompts)) as advance:
            for picture in pipe.stream([(prompt, seed) for prompt in prompts], batch_size=batch_size):
                column.append(picture.image)
                advance(1)
        columns.append(column)
    return [list(row) for row in zip(*columns, strict=True)]


def agreeing(known: Sequence[Sequence[Scored]], warn: Callable[[str], None]) -> list[dict[str, Score]]:
    """Of what is known of each model, the newest scores that all have under one protocol.

    Args:
        known: for each model its scores, oldest first.
        warn: told why a score that all have is left out.
    """
    found: list[dict[str, Score]] = [{} for _ in known]
    first, *others = known
    for metric in dict.fromkeys(row.metric for row in first):
        mine = [row.score for row in reversed(first) if row.metric == metric]
        theirs = [[row.score for row in reversed(rows) if row.metric == metric] for rows in others]
        for score in mine:
            same = [next((s for s in scores if s.protocol == score.protocol), None) for scores in theirs]
            if None not in same:
                for scores, agreed in zip(found, [score, *same], strict=True):
                    scores[metric] = agreed  # type: ignore[assignment]
                break
        else:
            if all(theirs) and not _is_bound(metric):
                differing = next(scores[0] for scores in theirs if scores[0].protocol != mine[0].protocol)
                try:
                    mine[0].better_than(differing)
                except InvalidInputError as error:
                    warn(f"{metric} is left out. {error}")
    return found


def common_scores(entries: Sequence[Entry]) -> list[str]:
    """The names of scores that every entry has, bounds such as "r_precision_ceiling" left out.

    Raises:
        InvalidInputError: two entries made one of them by different protocols; says which parts differ.
    """
    first, *others = entries
    names = [name for name in first.scores if all(name in other.scores for other in others) and not _is_bound(name)]
    for name in names:
        for other in others:
            try:
                first.scores[name].better_than(other.scores[name])
            except InvalidInputError as error:
                raise InvalidInputError(f"{name} of {first.model} and {other.model}: {error}") from None
    return names


def ranked(entries: Sequence[Entry], name: str) -> list[Entry]:
    """The best by the score `name` first."""

    def order(one: Entry, other: Entry) -> int:
        return other.scores[name].better_than(one.scores[name]) - one.scores[name].better_than(other.scores[name])

    return sorted(entries, key=cmp_to_key(order))


def cells(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """A table as text: the heads of its columns, and a row a model; the best scores end in an asterisk."""
    names = common_scores(entries)
    best = {name: ranked(entries, name)[0].scores[name].value for name in names}
    heads = [f"{name}, {'higher' if entries[0].scores[name].higher_is_better else 'lower'} is better" for name in names]
    rows = [
        [
            entry.model,
            *(f"{entry.scores[name]}{'*' * (entry.scores[name].value == best[name])}" for name in names),
            "" if entry.seconds_per_image is None else f"{entry.seconds_per_image:.3g}",
            f"{entry.size_bytes / 2**20:.1f}",
        ]
        for entry in entries
    ]
    return ["model", *heads, "s/image", "MiB"], rows


def under_columns(entries: Sequence[Entry]) -> list[tuple[str, list[str]]]:
    """The same table on its side: a row a score, a cell a model, for `t2i.evaluation.sheet.sheet`."""
    heads, rows = cells(entries)
    turned = [(head, list(column)) for head, column in zip(heads, zip(*rows, strict=True), strict=True)]
    return [(head, column) for head, column in turned[1:] if any(column)]


def notes(entries: Sequence[Entry]) -> list[str]:
    """Sentences under the table: each score's ceiling and chance, and the protocol all share."""
    said = []
    for name in common_scores(entries):
        scores = entries[0].scores
        bounds = "".join(f"; {bound} {scores[f'{name}_{bound}']}" for bound in BOUNDS if f"{name}_{bound}" in scores)
        protocol = "; ".join(f"{key}: {value}" for key, value in scores[name].protocol.items())
        said.append(f"{name}{bounds}; protocol: {protocol}")
    return said


def markdown(entries: Sequence[Entry]) -> str:
    """The table and its notes as Markdown."""
    heads, rows = cells(entries)
    table = [heads, ["---"] * len(heads), *rows]
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in table]
    return "\n".join([*lines, "", "\\* the best of its column.", "", *(f"- {note}" for note in notes(entries)), ""])


def chart(entries: Sequence[Entry]) -> bytes:
    """A PNG with a panel a score: its value against seconds per image, discs as large as the weights."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = common_scores(entries)
    timed = [entry for entry in entries if entry.seconds_per_image]
    figure = Figure(figsize=(9, 3.2 * len(names) + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, name in zip(figure.subplots(len(names), squeeze=False)[:, 0], names, strict=True):
        for entry in timed:
            score, mib = entry.scores[name], entry.size_bytes / 2**20
            where = (entry.seconds_per_image, score.value)
            label = f"{entry.model}, {mib:.1f} MiB"
            point = axes.errorbar(*where, yerr=score.standard_error, fmt="o", markersize=4, capsize=3, label=label)
            axes.scatter(*where, s=20 * mib, alpha=0.4, color=point[0].get_color())
        for bound in BOUNDS:
            if f"{name}_{bound}" in entries[0].scores:
                value = entries[0].scores[f"{name}_{bound}"].value
                axes.axhline(value, linestyle=":", color="grey")
                axes.annotate(
                    bound,
                    (0, value),
                    (4, 2),
                    ("axes fraction", "data"),
                    "offset points",
                    fontsize="small",
                    color="grey",
                )
        way = "higher" if entries[0].scores[name].higher_is_better else "lower"
        axes.set(xscale="log", xlabel="seconds per image", ylabel=f"{name} ({way} is better)")
        axes.margins(0.15, 0.15)
        if timed:
            axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def page(
    entries: Sequence[Entry], title: str, prompts: Sequence[str], rows: Sequence[Sequence[Image.Image]], plot: bytes
) -> str:
    """One HTML file that needs no other: the table, the chart, and a row of pictures a prompt."""
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
<p>* the best of its column.</p>
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


def _is_bound(name: str) -> bool:
    return name.endswith(tuple(f"_{bound}" for bound in BOUNDS))
