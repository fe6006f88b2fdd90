"""`t2i check`: checks of everything that an installed plugin declares."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.cli.console import report, report_json

if TYPE_CHECKING:
    from t2i.testing.checks import Outcome
    from t2i.testing.checks.roles.role import Section

WORDS = {
    "passed": "pass",
    "failed": "FAIL",
    "expected failure": "known",
    "unexpected pass": "fixed",
}


def check(
    name: Annotated[str, typer.Argument(help='Any name that `t2i plugins` lists, "model.tag", or a distribution.')],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[bool, typer.Option(help="Also say why each check is made.")] = False,
) -> int:
    """Run the checks that NAME's own tests run; exits with 1 if one fails."""
    from t2i.testing.installed import sections

    found = sections(name)
    outcomes: list[Outcome] = []
    rows = []
    for section in found:
        if not as_json:
            report(section.title)
        for outcome in section.outcomes():
            outcomes.append(outcome)
            rows.append(_as_json(section, outcome))
            if not as_json:
                _print(outcome, verbose)
    if as_json:
        report_json(rows)
    else:
        counts: Counter[str] = Counter(outcome.state for outcome in outcomes)
        said = ", ".join(f"{counts[state]} {state}" for state in WORDS if counts[state])
        report(f"{name}: {said}, in {sum(outcome.seconds for outcome in outcomes):.1f} s")
    return 1 if any(outcome.is_bad for outcome in outcomes) else 0


def _print(outcome: Outcome, verbose: bool) -> None:
    report(f"  {WORDS[outcome.state]:<8}{outcome.check.replace('_', ' ')}")
    lines = [(f"{'':<10}", outcome.message)] if outcome.message else []
    if outcome.is_bad or verbose:
        lines.append((f"{'':<10}why: ", outcome.why))
    if outcome.is_bad:
        lines.append((f"{'':<10}fix it: ", outcome.remedy))
    for start, text in lines:
        report(start + " ".join(text.split()))


def _as_json(section: Section, outcome: Outcome) -> dict[str, object]:
    return {
        "section": section.title,
        "check": outcome.check,
        "outcome": outcome.state,
        "message": outcome.message,
        "why": outcome.why,
        "remedy": outcome.remedy,
        "seconds": round(outcome.seconds, 3),
    }
