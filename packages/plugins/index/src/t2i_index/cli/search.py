"""`t2i search`: find pictures and texts made earlier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.cli.console import progress, report_json, say, table
from t2i.display import printable
from t2i.errors import InvalidInputError, OutputError
from t2i_index.facts import facts
from t2i_index.filters import KINDS, Filters, parse_since

if TYPE_CHECKING:
    from t2i_index.index import By, Hit

MOST_CHARACTERS = 300  # of a prompt in the table


def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY...", help='Words (all must occur), "phrases", prefix*, AND, OR, NOT. Default: the newest.'
        ),
    ] = None,
    meaning: Annotated[bool, typer.Option("--meaning", help="Search by meaning.")] = False,
    both: Annotated[bool, typer.Option("--both", help="By words and by meaning, merged.")] = False,
    like: Annotated[Path | None, typer.Option(help="A picture; finds similar ones.")] = None,
    model: Annotated[str, typer.Option(help="Only pictures and texts of this model or technique.")] = "",
    seed: Annotated[int | None, typer.Option(help="Only with this seed.")] = None,
    since: Annotated[str | None, typer.Option(help="Only since a date (2026-11-26) or an age (12h, 3d, 2w).")] = None,
    run: Annotated[str, typer.Option(help="Only results of one command; --json shows the name of its run.")] = "",
    kind: Annotated[str | None, typer.Option(help="Only pictures, or only texts: picture or text.")] = None,
    min_score: Annotated[float | None, typer.Option(help="Only with at least this score.")] = None,
    count: Annotated[int, typer.Option("-n", help="Maximum number of hits.")] = 20,
    flat: Annotated[bool, typer.Option("--flat", help="Do not group pictures that differ only by seed.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Write a sheet (.png) or a page (.html); with --again the picture."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Draw the best hit again.")] = False,
    fetch: Annotated[bool, typer.Option("--fetch", help="With --again, download the model if it is not here.")] = False,
) -> int:
    """Find pictures and texts in the index; exits with 1 if nothing is found."""
    query = " ".join(words or [])
    check_request(query, meaning, both, again, out, kind)
    when = parse_since(since) if since is not None else None
    filters = Filters(model, seed, when, run, kind, min_score)  # type: ignore[arg-type]  # checked above
    from t2i_index.index import index

    by: By = "both" if both else "meaning" if meaning else "words"
    hits = index().search(query, by=by, like=like, filters=filters, n=count, stacked=not flat, progress=progress)
    if again:
        return draw_again(hits, out or Path("again.png"), fetch)
    if as_json:
        report_json([_as_json(hit) for hit in hits])
    elif out is None:
        _print(hits)
    if out is not None and hits:
        _write(hits, out, query or (f"like {like}" if like else "the newest"))
    if not hits:
        say("nothing found")
    return 0 if hits else 1


def check_request(query: str, meaning: bool, both: bool, again: bool, out: Path | None, kind: str | None) -> None:
    """
    Raises:
        InvalidInputError, OutputError: one sentence each.
    """
    if meaning and both:
        raise InvalidInputError("A search is by meaning or by both, got --meaning and --both. Leave one out.")
    if (meaning or both) and not query.strip():
        raise InvalidInputError("A search by meaning needs words, got none. For example: t2i search love --meaning")
    if kind is not None and kind not in KINDS:
        raise InvalidInputError(f"--kind must be {' or '.join(KINDS)}, got {kind!r}.")
    wanted = (".png",) if again else (".png", ".html")
    if out is not None and out.suffix.lower() not in wanted:
        raise OutputError(
            f"The result is written as {' or '.join(wanted)}, but {out} is not. Try {out.with_suffix('.png')}."
        )


def draw_again(hits: list[Hit], out: Path, fetch: bool) -> int:
    """Draw the best hit that is a picture."""
    hit = next((hit for hit in hits if hit.record.kind == "picture"), None)
    if hit is None:
        say("no picture found")
        return 1
    picture = hit.again(fetch=fetch)
    picture.save(out)
    say(f"{out}: {picture.prompt} (seed {picture.seed}, {picture.provenance.artist.name})")
    return 0


def _print(hits: list[Hit]) -> None:
    rows = []
    for hit in hits:
        count = f" x{len(hit.stack)}" if len(hit.stack) > 1 else ""
        what = " ".join(filter(None, (f"{printable(hit.record.meaning, MOST_CHARACTERS)}{count}", hit.record.path)))
        rows.append([facts(hit), what])
    table(["made by", "what"], rows)


def _as_json(hit: Hit) -> dict[str, object]:
    from t2i_index.export import as_json

    return as_json(hit.record) | {
        "seeds": [each.seed for each in hit.stack],
        "paths": [each.path for each in hit.stack],
    }


def _write(hits: list[Hit], out: Path, title: str) -> None:
    from t2i.files import write_atomic
    from t2i_index.page import page, sheet

    write_atomic(out, sheet(hits) if out.suffix.lower() == ".png" else page(hits, title))
    say(f"{out}: {len(hits)} hits")
