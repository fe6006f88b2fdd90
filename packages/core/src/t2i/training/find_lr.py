"""Find a learning rate: raise it step by step, and see where the losses fall and where they diverge (Smith 2017)."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from t2i.files import write_atomic
from t2i.training.steps import Steps

STEPS, WHOLE = 100, 100_000
FIRST = 1_000  # after the warm-up, where a cosine has hardly fallen
LOWEST, HIGHEST = 1e-2, 1e2  # factors of the settings' learning rates
SMOOTH = 0.9  # of the moving average of the losses
BROKEN = 2.0  # times the range of losses so far, above the lowest one


@dataclass(frozen=True)
class RateCurve:
    """The losses of a search.

    Attributes:
        factors: of the learning rates, one for each step.
        losses: for each player, its smoothed loss at each step.
    """

    factors: Sequence[float]
    losses: Mapping[str, Sequence[float]]

    @property
    def advice(self) -> str:
        """The setting to add."""
        return f"train.lr_factor={self.suggestion:g}"

    @property
    def suggestion(self) -> float:
        """A tenth of the factor at which the players' summed loss is lowest, rounded; at least the smallest one."""
        sums = [sum(values) for values in zip(*self.losses.values(), strict=True)]
        best = self.factors[min(range(len(sums)), key=sums.__getitem__)]
        return float(f"{max(LOWEST, best / 10):.1g}")


def find_rate(steps: Steps) -> RateCurve:
    """Take up to STEPS steps at rising rates, until the losses diverge; the networks are of no use afterwards."""
    count = STEPS
    factors: list[float] = []
    losses: dict[str, list[float]] = {}
    for step in range(count):
        steps.lr_scale = LOWEST * (HIGHEST / LOWEST) ** (step / max(1, count - 1))
        sums: dict[str, float] = {}
        for name, term in steps.take(FIRST + step).items():
            player = name.partition("/")[0]
            sums[player] = sums.get(player, 0.0) + float(term)
        if not all(map(math.isfinite, sums.values())):
            break
        factors.append(steps.lr_scale)
        for player, value in sums.items():
            history = losses.setdefault(player, [])
            history.append(SMOOTH * history[-1] + (1 - SMOOTH) * value if history else value)
        totals = [sum(values) for values in zip(*losses.values(), strict=True)]
        if step > count // 10 and totals[-1] > min(totals) + BROKEN * max(max(totals[:-1]) - min(totals), 1e-6):
            break
    return RateCurve(factors, losses)


def draw_rates(curve: RateCurve, path: Path) -> None:
    """Write the curve as a PNG, with the suggestion marked.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for player, values in curve.losses.items():
        axes.plot(curve.factors, values, label=player, linewidth=1)
    axes.axvline(curve.suggestion, color="grey", linestyle="dashed", label=curve.advice)
    axes.set(xscale="log", xlabel="factor of the learning rates", ylabel="loss, smoothed")
    axes.legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    write_atomic(path, buffer.getvalue())
