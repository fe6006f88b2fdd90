"""A comparison as a table."""

from __future__ import annotations

from collections.abc import Sequence

from t2i.evaluation.comparison import BOUNDS, Entry, common_scores, ranked
from t2i.snapshots.markdown import plain, table


def cells(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """A comparison as text: the column heads, and a row per model; the best scores end in an asterisk."""
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
    """The same table transposed: a row per score, a cell per model, for `t2i.evaluation.sheet.sheet`."""
    heads, rows = cells(entries)
    turned = [(head, list(column)) for head, column in zip(heads, zip(*rows, strict=True), strict=True)]
    return [(head, column) for head, column in turned[1:] if any(column)]


def notes(entries: Sequence[Entry]) -> list[str]:
    """Lines under the table: each score's ceiling and chance, and the shared protocol."""
    said = []
    for name in common_scores(entries):
        scores = entries[0].scores
        bounds = "".join(f"; {bound} {scores[f'{name}_{bound}']}" for bound in BOUNDS if f"{name}_{bound}" in scores)
        protocol = "; ".join(f"{key}: {value}" for key, value in scores[name].protocol.items())
        said.append(f"{name}{bounds}; protocol: {protocol}")
    return said


def cautions(entries: Sequence[Entry]) -> list[str]:
    """The cautions of the scores in the table, each with its score and models."""
    said: dict[tuple[str, str], list[str]] = {}
    for name in common_scores(entries):
        for entry in entries:
            if caution := entry.scores[name].caution:
                said.setdefault((name, caution), []).append(entry.model)
    return [f"{name} of {', '.join(models)}: {caution}" for (name, caution), models in said.items()]


def markdown(entries: Sequence[Entry]) -> str:
    """The table, its cautions and its notes as Markdown."""
    listed = "".join(f"- {plain(line)}\n" for line in (*cautions(entries), *notes(entries)))
    return f"{table(*cells(entries))}\n\n\\* the best value of its column.\n\n{listed}"
