"""`t2i check`: checks of everything that an installed plugin declares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.cli.console import doing, report, report_json
from t2i.errors import UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from t2i.testing.checks import Outcome
    from t2i.testing.checks.roles.role import Section

WORDS = {
    "passed": "pass",
    "failed": "FAIL",
    "expected failure": "known",
    "unexpected pass": "fixed",
    "skipped": "skip",
}
SHOWN_SECONDS = 1.0  # slower checks show their time


def check(
    name: Annotated[str, typer.Argument(help='Any name that `t2i plugins` lists, "model.tag", or a distribution.')],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[bool, typer.Option(help="Also say why each check is made.")] = False,
    only: Annotated[list[str] | None, typer.Option(metavar="CHECK", help="Run only this check; repeatable.")] = None,
    skip: Annotated[list[str] | None, typer.Option(metavar="CHECK", help="Skip this check; repeatable.")] = None,
) -> int:
    """Run the checks that NAME's own tests run; exits with 1 if one fails.

    NAME is imported in another process first, so that a plugin that ends the process or never returns is reported.
    """
    from t2i.registry.discovery import examine
    from t2i.testing.installed import sections

    examine({name, name.partition(":")[0], name.partition(".")[0]})
    found = sections(name)
    chosen = _chosen({check.name for section in found for check in section.checks}, only or (), skip or ())
    outcomes: list[Outcome] = []
    rows = []
    for section in found:
        if not as_json:
            report(section.title)
        running = section.outcomes(chosen)
        while True:
            with doing(f"checking {section.title}"):
                outcome = next(running, None)
            if outcome is None:
                break
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


def _chosen(known: Collection[str], only: Sequence[str], skip: Sequence[str]) -> Callable[[str], bool]:
    """A function that says whether to run the check of a name.

    Raises:
        UnknownNameError: there is no such check.
    """
    wanted, unwanted = ({name.strip().replace(" ", "_") for name in names} for names in (only, skip))
    for name in sorted((wanted | unwanted) - set(known)):
        raise UnknownNameError(f"There is no check {name!r}.{did_you_mean(name, known)} There are: {', '.join(known)}.")
    return lambda name: name not in unwanted and (not wanted or name in wanted)


def _print(outcome: Outcome, verbose: bool) -> None:
    seconds = f" ({outcome.seconds:.1f} s)" if outcome.seconds >= SHOWN_SECONDS else ""
    report(f"  {WORDS[outcome.state]:<8}{outcome.check.replace('_', ' ')}{seconds}")
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
