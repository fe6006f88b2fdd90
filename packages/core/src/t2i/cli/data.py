"""`t2i data`: look at a dataset, check every picture of it, pack it for training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2i.cli.console import progress, report, report_json, say
from t2i.errors import OutputError
from t2i.registry.describe import DEFAULT_TEXT_ENCODER

if TYPE_CHECKING:
    from t2i.data.dataset import CaptionedDataset

data = typer.Typer(help="Look at a dataset, check every picture of it, pack it for training.", no_args_is_help=True)

SHOWN_PROBLEMS = 20
Data = Annotated[str, typer.Argument(help="A dataset's name, READER:PATH[:SPLIT], or a folder (see docs/data.md).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Strict = Annotated[bool, typer.Option(help="Refuse data with any flaw.")]
Background = Annotated[
    str | None, typer.Option(help='The colour behind transparent pictures, such as "black" or "#8090a0".')
]


@data.command()
def info(dataset: Data, as_json: Json = False, strict: Strict = False) -> None:
    """Count pictures, captions, classes and sizes, without decoding a picture."""
    from t2i.data.survey import describe

    opened = _open(dataset, None)
    with progress("Reading sizes", len(opened)) as advance:
        facts = describe(opened, advance)
    _report(opened.name, facts, as_json, strict)


@data.command()
def check(dataset: Data, as_json: Json = False, strict: Strict = False, background: Background = None) -> None:
    """Decode every picture: which are broken or duplicates, and why."""
    from t2i.data.survey import check as check_pictures

    opened = _open(dataset, background)
    with progress("Decoding pictures", len(opened)) as advance:
        facts = check_pictures(opened, advance)
    _report(opened.name, facts, as_json, strict)


@data.command()
def show(
    dataset: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="The PNG file to write.")] = Path("sheet.png"),
    count: Annotated[int, typer.Option("-n", help="How many pictures, spread over the data.", min=1, max=400)] = 24,
    resolution: Annotated[int, typer.Option(help="Side of each picture, in pixels.", min=16, max=512)] = 128,
    background: Background = None,
) -> None:
    """Draw a contact sheet of the pictures as a model sees them, with their captions."""
    if out.suffix.lower() != ".png":
        raise OutputError(f"The sheet is written as .png, but {out} is not. Try {out.with_suffix('.png')}.")
    import io

    from t2i.data.survey import contact_sheet
    from t2i.files import write_atomic

    sheet, shown = contact_sheet(_open(dataset, background), count, resolution)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_atomic(out, buffer.getvalue())
    say(f"{out}: {shown} pictures")


@data.command()
def pack(
    dataset: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="The new folder.")],
    resolution: Annotated[
        int,
        typer.Option(
            help="Side of each picture, in pixels: the model's resolution plus train.crop_margin.", min=1, max=2048
        ),
    ],
    text_encoder: Annotated[
        str, typer.Option(help='The text encoder whose features are stored with the captions, or "none".')
    ] = DEFAULT_TEXT_ENCODER,
    strict: Strict = False,
    background: Background = None,
) -> None:
    """Decode, resize and encode once, into a folder that trains at memory speed; continues if it was interrupted."""
    from t2i.data.pack.pack import write_pack
    from t2i.data.prepare import own_features

    opened = _open(dataset, background)
    try:
        packed = write_pack(opened, out, resolution, strict=strict, progress=progress)
        if text_encoder != "none":
            from t2i.create import create_text_encoder
            from t2i.data.pack.features import encode_captions

            encoder = create_text_encoder(text_encoder)
            encode_captions(packed.captions, encoder, own_features(packed, encoder), progress=progress)
    except KeyboardInterrupt:
        say("Interrupted. The same command continues.")
        raise
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    say(
        f"{out}: {len(packed.ids):,} pictures of {resolution} px, {len(packed.captions):,} distinct captions, "
        f"{size / 2**20:,.1f} MiB; train with --data {out}"
    )
    _print_problems([str(problem) for problem in packed.problems])


def _open(dataset: str, background: str | None) -> CaptionedDataset:
    from t2i.create import load_dataset

    opened = load_dataset(dataset)
    return opened if background is None else opened.on_background(background)


def _report(name: str, facts: dict[str, Any], as_json: bool, strict: bool) -> None:
    """Facts on stdout; raises if the data is refused."""
    problems = facts["problems"]
    if as_json:
        report_json(facts)
    else:
        for key, value in facts.items():
            if key not in ("problems", "duplicates"):
                shown = (
                    ", ".join(f"{part} {each}" for part, each in value.items()) if isinstance(value, dict) else value
                )
                report(f"{key + ':':<22}{shown}")
        for key, kind in (("equal pictures", "pictures"), ("shared captions", "captions")):
            for entry in facts.get("duplicates", {}).get(kind, [])[:SHOWN_PROBLEMS]:
                report(f"{key + ':':<22}{entry}")
        _print_problems([f"{p['where']}: {p['reason']}" for p in problems])
    if strict and problems:
        from t2i.data.dataset import Problem
        from t2i.data.pack.pack import refuse_problems

        refuse_problems(name, [Problem(**problem) for problem in problems])


def _print_problems(problems: list[str]) -> None:
    for problem in problems[:SHOWN_PROBLEMS]:
        say(f"flaw: {problem}")
    if len(problems) > SHOWN_PROBLEMS:
        say(f"and {len(problems) - SHOWN_PROBLEMS} more flaws (--json lists all)")
