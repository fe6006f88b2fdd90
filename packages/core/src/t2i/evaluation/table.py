"""Scores as tables: of one model, and of several in a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from t2i.evaluation.comparison import BOUNDS, Entry, common_scores, is_bound, ranked
from t2i.evaluator import Score
from t2i.snapshots.markdown import plain, table

STAR = "*"


def cells(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """A comparison as text: the column heads, and a row per model; the best of several scores end in an asterisk."""
    names = common_scores(entries)
    best = {name: ranked(entries, name)[0].scores[name].value for name in names if len(entries) > 1}
    heads = [f"{name}, {'higher' if entries[0].scores[name].higher_is_better else 'lower'} is better" for name in names]
    rows = [
        [
            entry.model,
            *(f"{entry.scores[name]}{STAR * (entry.scores[name].value == best.get(name))}" for name in names),
            "" if entry.seconds_per_image is None else f"{entry.seconds_per_image:.3g}",
            f"{entry.size_bytes / 2**20:.1f}",
        ]
        for entry in entries
    ]
    return ["model", *heads, "s/image", "MiB"], rows


def legend(entries: Sequence[Entry]) -> str:
    """What the asterisk in `cells` means; "" if no cell has one."""
    starred = any(cell.endswith(STAR) for _, *row in cells(entries)[1] for cell in row)
    return f"{STAR} the best value of its column." if starred else ""


def under_columns(entries: Sequence[Entry]) -> list[tuple[str, list[str]]]:
    """The same table transposed: a row per score, a cell per model, for `t2i.evaluation.sheet.sheet`."""
    heads, rows = cells(entries)
    turned = [(head, list(column)) for head, column in zip(heads, zip(*rows, strict=True), strict=True)]
    return [(head, column) for head, column in turned[1:] if any(column)]


def score_cells(scores: Mapping[str, Score]) -> tuple[list[str], list[list[str]]]:
    """One model's scores as text: the column heads, and a row per score; a score's bounds are in its row."""
    heads = ["score", "value", "95 % interval", *BOUNDS, "better"]
    rows = []
    for name, score in scores.items():
        if is_bound(name) and name.rpartition("_")[0] in scores:
            continue
        bounds = [scores.get(f"{name}_{bound}") for bound in BOUNDS]
        interval = "{:.3g} to {:.3g}".format(*score.interval) if score.interval else ""
        better = "higher" if score.higher_is_better else "lower"
        rows.append([name, str(score), interval, *(f"{each.value:.3g}" if each else "" for each in bounds), better])
    filled = [position for position in range(len(heads)) if any(row[position] for row in rows)]
    return [heads[position] for position in filled], [[row[position] for position in filled] for row in rows]


def notes(entries: Sequence[Entry], *, whole: bool = True) -> list[str]:
    """Lines under the table: each score's ceiling and chance, and its protocol; the last line is the common part.

    Args:
        whole: show complete protocols instead of `Score.short_protocol`.
    """
    names, scores = common_scores(entries), entries[0].scores
    protocols = {name: scores[name].protocol if whole else scores[name].short_protocol for name in names}
    shared = set.intersection(*(set(each.items()) for each in protocols.values())) if len(names) > 1 else set()
    said = []
    for name in names:
        bounds = "".join(f"; {bound} {scores[f'{name}_{bound}']}" for bound in BOUNDS if f"{name}_{bound}" in scores)
        own = [f"{key}: {value}" for key, value in protocols[name].items() if (key, value) not in shared]
        said.append("; ".join([f"{name}{bounds}", *own]))
    if shared:
        common = [f"{key}: {value}" for key, value in protocols[names[0]].items() if (key, value) in shared]
        said.append("; ".join(["protocol of all", *common]))
    return said


def cautions(entries: Sequence[Entry]) -> list[str]:
    """The cautions of the scores in the table, each with its scores and models."""
    said: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        for caution, names in cautions_of({name: entry.scores[name] for name in common_scores(entries)}).items():
            said.setdefault((names, caution), []).append(entry.model)
    return [f"{names} of {', '.join(models)}: {caution}" for (names, caution), models in said.items()]


def cautions_of(scores: Mapping[str, Score]) -> dict[str, str]:
    """The cautions of one model's scores, each with the names of its scores as text."""
    said: dict[str, list[str]] = {}
    for name, score in scores.items():
        if score.caution:
            said.setdefault(score.caution, []).append(name)
    return {caution: ", ".join(names) for caution, names in said.items()}


def markdown(entries: Sequence[Entry], *, whole: bool = True) -> str:
    """The table, its cautions and its notes as Markdown.

    Args:
        whole: show complete protocols instead of short ones.
    """
    listed = "".join(f"- {plain(line)}\n" for line in (*cautions(entries), *notes(entries, whole=whole)))
    said = f"\\{text}\n\n" if (text := legend(entries)) else ""
    return f"{table(*cells(entries))}\n\n{said}{listed}"
