"""A plot of how a model's scores depend on one of its options, such as the number of steps.

`nox -s option-plot` draws it; t2i-flow's page shows the steps of its sampler.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2i.create import load_dataset
from t2i.evaluation.evaluate import Evaluation, evaluate
from t2i.evaluation.plan import Plan
from t2i.evaluation.processes import load_artist
from t2i.files import write_atomic
from t2i.progress import Progress, silent
from t2i_metrics.skills.evaluator import score_name
from t2i_openmoji.world.scene import SKILLS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def option_plot(
    model: str,
    option: str,
    values: Sequence[str],
    out: Path,
    progress: Progress = silent,
    *,
    data: str = "openmoji-world:everyday-test",
    n: int = 600,
) -> dict[str, Evaluation]:
    """Evaluate a model once for each value of an option, and write the plot.

    Args:
        model: its name or run folder.
        option: its name, such as "steps"; all others keep their defaults.
        values: on the horizontal axis, in this order.
        out: the WebP file.
        data: a split of openmoji-world.
        n: pictures drawn for each value, for the same captions with the same seeds.

    Returns:
        `skills` and `kid` for each value.

    Raises:
        T2IError: no such model or option, a value outside its range, or the file cannot be written.
    """
    artist, dataset = load_artist(model, None), load_dataset(data)
    plan = Plan(metrics=("skills", "kid"), n=n)
    options = {value: artist.options(**{option: value}) for value in values}
    found = {value: evaluate(artist, dataset, plan, each, progress=progress) for value, each in options.items()}
    write_atomic(out, plot(found, option, f"{model}, {dataset.name}, {n} pictures for each value"))
    return found


def plot(found: Mapping[str, Evaluation], label: str, title: str) -> bytes:
    """A WebP: `skills`, KID and seconds per picture for each value, the scores with their standard errors."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3), layout="constrained")
    FigureCanvasAgg(figure)
    skills, kid, seconds = figure.subplots(1, 3)
    for skill in SKILLS:
        _line(skills, found, score_name(skill), label=skill, linewidth=1)
    _line(skills, found, "skills", label="mean", color="black", linewidth=2)
    _line(kid, found, "kid", color="black", linewidth=2)
    seconds.plot([each.seconds_per_image for each in found.values()], color="black", linewidth=2)
    skills.set(title="skills (higher is better)", ylim=(0, 1))
    kid.set(title="KID (lower is better)")
    seconds.set(title="seconds per picture", ylim=(0, None))
    for axes in (skills, kid, seconds):
        axes.set_xticks(range(len(found)), labels=list(found))
        axes.set_xlabel(label)
    skills.legend(fontsize="small", frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.suptitle(title, fontsize="small")
    file = io.BytesIO()
    lossless = {"lossless": True, "quality": 100, "method": 6}  # a third of a PNG's size
    figure.savefig(file, format="webp", dpi=80, pil_kwargs=lossless)
    return file.getvalue()


def _line(axes: Axes, found: Mapping[str, Evaluation], name: str, **style: Any) -> None:
    scores = [each.scores[name] for each in found.values()]
    errors = [score.standard_error or 0.0 for score in scores]
    axes.errorbar(range(len(scores)), [score.value for score in scores], yerr=errors, capsize=2, **style)
