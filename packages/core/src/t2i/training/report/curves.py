"""Reads the rows of metrics.jsonl and draws them as curves. Imports no torch."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from t2i.errors import TrainingError
from t2i.files import open_regular
from t2i.training.report.import_beside import import_beside

MOST_ROW_BYTES = 1_000_000
MOST_POINTS = 500  # per line; more cannot be seen and would slow down the page
PANEL = 3  # inches high

Row = Mapping[str, float]


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of metrics.jsonl; damaged ones, such as a last row cut off by kill -9, are skipped.

    Raises:
        TrainingError: it is not a regular file, or cannot be read.
    """
    try:
        file = open_regular(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TrainingError(f"The losses in {path} cannot be read: {error.strerror}.") from None
    with file:
        for line in iter(partial(file.readline, MOST_ROW_BYTES), b""):
            with suppress(ValueError, RecursionError):
                row = json.loads(line)
                if isinstance(row, dict) and type(row.get("step")) is int:
                    yield row


def import_plotting() -> None:
    """Begin to import what `plot_curves` needs."""
    import_beside("matplotlib.backends.backend_agg", "matplotlib.figure")


def plot_curves(rows: Sequence[Row], reference: Sequence[Row] = (), only: str = "") -> bytes:
    """A PNG with one panel per player and one line per term, over steps.

    Args:
        rows: {"step": ..., "player/term": ...}.
        reference: rows to draw for comparison, dashed and in the same colours.
        only: draw only players whose name starts with this.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = sorted({name for row in rows for name in row if "/" in name and name.startswith(only)})
    players = sorted({name.partition("/")[0] for name in names})
    height = PANEL * max(1, len(players))  # inches
    figure = Figure(figsize=(8, height))
    figure.subplots_adjust(left=0.1, right=0.98, bottom=0.5 / height, top=1 - 0.35 / height, hspace=0.35)
    FigureCanvasAgg(figure)
    for axes, player in zip(
        figure.subplots(len(players), squeeze=False)[:, 0] if players else (), players, strict=True
    ):
        for name in (name for name in names if name.startswith(f"{player}/")):
            (line,) = axes.plot(*_points(rows, name), label=name.partition("/")[2], linewidth=1)
            if beside := _points(reference, name):
                axes.plot(*beside, color=line.get_color(), linewidth=1, linestyle="dashed", alpha=0.7)
        axes.set(title=player, xlabel="step")
        axes.legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _points(rows: Sequence[Row], name: str) -> tuple[list[float], list[float]] | tuple[()]:
    """Steps and values of one term, thinned evenly; empty if no row has it."""
    found = [(row["step"], row[name]) for row in rows if name in row]
    if not found:
        return ()
    kept = found[:: -(-len(found) // MOST_POINTS)]
    return [step for step, _ in kept], [value for _, value in kept]
