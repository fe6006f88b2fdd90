"""A recipe's reference curve: the losses of its authors' run, to compare other runs with.

recipes/NAME.reference.jsonl, next to recipes/NAME.yaml
    {"settings": {"model": ..., "objective": ..., "train": ...}}     settings of the reference run
    {"step": 80, "generator/adversarial": 0.71, ...}                 means of a window of rows, in five digits

`t2i reference write` makes it from a run, and `t2i reference compare` compares a run with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from t2i.errors import TrainingError
from t2i.files import MAX_JSON_BYTES, read_text, write_atomic
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.runs.folder import RunFolder
from t2i.training.report.curves import Row, plot_curves, read_rows
from t2i.training.settings import SECTIONS, RunConfig, read_run, recipe_path

POINTS = 200  # lines of a reference
TAIL = 0.1  # share of the common steps, at their end, that is compared
MEASURES = ("speed", "waiting", "gradient", "fp16")  # these depend on the machine, not on the recipe
COSMETIC = (
    *("log_every", "sample_every", "sample_prompts", "sample_options"),
    *("checkpoint_every", "keep_checkpoints", "tracker", "steps"),
)


def write_reference(run: Path, path: Path) -> None:
    """Write the run's rows as the reference curve `path`.

    Raises:
        TrainingError: `run` is not a run folder, or has logged nothing yet.
        OutputError: `path` cannot be written.
    """
    config, rows = read_run(run), _rows(run)
    size = -(-len(rows) // POINTS)
    windows = [rows[start : start + size] for start in range(0, len(rows), size)]
    lines: list[Mapping[str, Any]] = [{"settings": _settings(config)}]
    for window in windows:
        means = {name: float(f"{mean:.5g}") for name, mean in _means(window).items()}
        lines.append({"step": window[-1]["step"], **means})
    write_atomic(path, "".join(json.dumps(line) + "\n" for line in lines).encode())


def compare(run: Path) -> str:
    """Compare the run's losses with its recipe's reference in a table; the curves are written to RUN/reference.png.

    Raises:
        TrainingError: `run` is not a run folder, began without a shipped recipe, has logged nothing yet, or its recipe
            ships no reference.
    """
    config, rows = read_run(run), _rows(run)
    if not config.recipe:
        raise TrainingError(
            f"Only a run of a shipped recipe has a reference, but {run} began without a recipe. Start one with "
            f"--recipe NAME."
        )
    spec, _ = registry().get(ModelSpec, config.technique)
    if config.recipe not in spec.recipes:
        raise TrainingError(
            f"Only a run of a shipped recipe has a reference, but {run} began with the file {config.recipe}. "
            f"Start one with --recipe NAME."
        )
    path = recipe_path(spec, config.recipe).with_suffix(".reference.jsonl")
    if not path.is_file():
        raise TrainingError(
            f"The recipe {config.recipe!r} of {config.technique} ships no reference curve. Write one from a finished "
            f"run: t2i reference write RUN {path}"
        )
    settings, reference = _read(path)
    write_atomic(RunFolder(run).reference, plot_curves(rows, reference))
    return "\n".join([*_table(rows, reference), *_differences(_settings(config), settings)])


def _table(rows: Sequence[Row], reference: Sequence[Row]) -> Iterator[str]:
    end = min(rows[-1]["step"], reference[-1]["step"])
    mine, theirs = (
        _means([row for row in each if end * (1 - TAIL) <= row["step"] <= end] or each[-1:])
        for each in (rows, reference)
    )
    names = sorted(mine.keys() & theirs.keys())
    if not names:
        raise TrainingError(f"The run and its reference log no loss in common before step {end:,.0f}.")
    width = max(map(len, names))
    yield f"{f'around step {end * (1 - TAIL / 2):,.0f}':<{width}}  {'run':>10}  {'reference':>10}  {'run / ref.':>10}"
    for name in names:
        ratio = f"{mine[name] / theirs[name]:.3f}" if theirs[name] else "-"
        yield f"{name:<{width}}  {mine[name]:>10.4g}  {theirs[name]:>10.4g}  {ratio:>10}"


def _differences(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    for section in SECTIONS:
        ours, wanted = mine[section], theirs[section]
        for field in sorted({*ours, *wanted} - set(COSMETIC)):
            if ours.get(field) != wanted.get(field):
                yield f"differs: {section}.{field} is {ours.get(field)!r}, the reference's {wanted.get(field)!r}"


def _settings(config: RunConfig) -> dict[str, Any]:
    return {section: config.model_dump(mode="json")[section] for section in SECTIONS}


def _rows(run: Path) -> list[Row]:
    rows: list[Row] = [row for row in read_rows(RunFolder(run).metrics) if _means([row])]
    if not rows:
        raise TrainingError(f"{run} has logged no loss yet, so it has no curve. Let it train longer.")
    return rows


def _means(rows: Sequence[Row]) -> dict[str, float]:
    """Each loss's mean over the rows that have it."""
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if "/" in name and name.partition("/")[0] not in MEASURES:
                values.setdefault(name, []).append(value)
    return {name: sum(each) / len(each) for name, each in values.items()}


def _read(path: Path) -> tuple[Mapping[str, Any], list[Row]]:
    first, *rows = [json.loads(line) for line in read_text(path, MAX_JSON_BYTES).splitlines()]
    return first["settings"], rows
