"""A comparison as a chart: each score against drawing time and model size."""

from __future__ import annotations

import io
from collections.abc import Sequence

from t2i.evaluation.comparison import BOUNDS, Entry, common_scores


def chart(entries: Sequence[Entry]) -> bytes:
    """A PNG with a panel per score: value against seconds per image; the discs' areas show the weights' sizes."""
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
