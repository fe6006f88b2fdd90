"""Detects silent problems of a run in its rows; each warning says what is seen and how to fix it.

Pure functions of the rows, so a resumed run knows its earlier warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Row = Mapping[str, float]

LAST = 5  # consecutive rows that must show a problem before it is reported
SATURATED = 0.02  # share of a discriminator's first loss
COLLAPSED = 0.2  # share of a codebook's highest perplexity
VANISHED = 1e-5  # share of a player's largest gradient
STARVING = 1 / 3  # share of the time spent waiting
UNREACHED = 2.0  # perplexity of a codebook that never used more than two of its codes
DISCRIMINATORS = ("discriminator", "critic")


def diagnose(rows: Sequence[Row]) -> dict[str, str]:
    """The problems that the newest rows show, by subject, each a sentence; empty for a healthy run."""
    if len(rows) <= LAST:
        return {}
    problems = {}
    for name in sorted({name for name in rows[-1] if "/" in name}):
        history = [row[name] for row in rows if name in row]
        if len(history) > LAST and (sentence := _of_one(name, history)):
            problems[name] = sentence
    return problems | _saturated(rows)


def _of_one(name: str, history: Sequence[float]) -> str:
    player, _, term = name.partition("/")
    newest, best = history[-LAST:], max(history)
    if player == "gradient" and max(newest) <= VANISHED * best:
        return (
            f"The gradient of {term} has vanished: its norm is {newest[-1]:.2g}, down from {best:.2g}. {term} no "
            f"longer learns. Look for a saturated opponent, a dead activation or a loss weight of 0, or lower the "
            f"learning rate of {term}."
        )
    if "perplexity" in term and max(newest) <= max(COLLAPSED * best, UNREACHED):
        return (
            f"The codebook of {player} has collapsed: {term} is {newest[-1]:.3g}, down from {best:.3g}. Nearly every "
            f"position uses the same few codes. Lower the learning rate (objective.tokenizer.lr) when you "
            f"resume, or start a new run with a larger objective.commitment or objective.restart_below."
        )
    if name == "waiting/for_data" and min(newest) >= STARVING:
        return (
            f"The device waits for data {newest[-1]:.0%} of the time. Pack the dataset or keep it on a faster disk; "
            f"a new run can also have a larger train.batch_size."
        )
    if name == "fp16/loss_scale" and max(newest) < 1:
        return (
            f"Gradients overflow in fp16 (its loss scale has fallen to {newest[-1]:.2g}), so steps are skipped. Start "
            f"a new run with train.precision=bf16, or no (float32)."
        )
    return ""


def _saturated(rows: Sequence[Row]) -> dict[str, str]:
    """Discriminators whose loss is almost zero compared with their first one: they recognise every fake."""
    problems = {}
    for player in {name.partition("/")[0] for name in rows[-1]}:
        if not any(word in player for word in DISCRIMINATORS):
            continue
        losses = [
            [value for name, value in row.items() if name.startswith(f"{player}/")]
            for row in rows
            if any(name.startswith(f"{player}/") for name in row)
        ]
        first, newest = sum(losses[0]), losses[-LAST:]
        if len(losses) <= LAST or min(min(values) for values in newest) < 0:  # a Wasserstein critic has no lower bound
            continue
        if max(sum(values) for values in newest) <= SATURATED * first:
            problems[player] = (
                f"The {player} is saturated: its loss is {sum(newest[-1]):.2g}, down from {first:.2g}. It tells "
                f"real from fake without error, so the generator learns nothing from it. Lower its learning rate, make "
                f"it smaller, or regularise it (R1, spectral norm)."
            )
    return problems
