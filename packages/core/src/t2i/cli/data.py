"""`t2i data`: look at a dataset, check every picture of it, pack it for training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2i.cli.console import progress, report, report_json, say, warn
from t2i.cli.options import FitOption, PositionOption
from t2i.data.fit import Fitting
from t2i.errors import InvalidInputError, OfflineError, OutputError, PluginError
from t2i.registry.describe import DEFAULT_TEXT_ENCODER

if TYPE_CHECKING:
    from t2i.data.dataset import CaptionedDataset, Problem
    from t2i.text import TextEncoder

data = typer.Typer(help="Look at a dataset, check every picture of it, pack it for training.", no_args_is_help=True)

SHOWN_PROBLEMS = 20
Data = Annotated[str, typer.Argument(help="A dataset's name, READER:PATH[:SPLIT], or a folder (see docs/data.md).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Strict = Annotated[bool, typer.Option(help="Refuse data if anything in it is left out or changed.")]
Background = Annotated[
    str | None, typer.Option(help='The colour behind transparent pictures, such as "black" or "#8090a0".')
]
CaptionColumn = Annotated[
    str, typer.Option(help="The column of captions in a table or metadata, if it has an unusual name.")
]
ImageColumn = Annotated[
    str, typer.Option(help="The column of pictures, or of their file names, if it has an unusual name.")
]


@data.command()
def info(
    dataset: Data,
    as_json: Json = False,
    strict: Strict = False,
    caption_column: CaptionColumn = "",
    image_column: ImageColumn = "",
) -> None:
    """Count pictures, captions, classes and sizes, without decoding a picture."""
    from t2i.data.survey import describe

    opened = _open(dataset, None, caption_column, image_column)
    with progress("Reading sizes", len(opened)) as advance:
        facts = describe(opened, advance)
    _report(opened.name, facts, as_json, strict)


@data.command()
def check(
    dataset: Data,
    as_json: Json = False,
    strict: Strict = False,
    background: Background = None,
    caption_column: CaptionColumn = "",
    image_column: ImageColumn = "",
    text_encoder: Annotated[
        str, typer.Option(help='The text encoder to check the captions with, or "none".')
    ] = DEFAULT_TEXT_ENCODER,
) -> None:
    """Decode every picture and read every caption; list what is broken, duplicate or unreadable, and why."""
    from t2i.data.survey import check as check_pictures

    opened = _open(dataset, background, caption_column, image_column)
    encoder = _encoder(text_encoder)
    with progress("Decoding pictures", len(opened)) as advance:
        facts = check_pictures(opened, advance, encoder)
    _report(opened.name, facts, as_json, strict)


@data.command()
def show(
    dataset: Data,
    out: Annotated[Path, typer.Option("-o", "--out", help="The PNG file to write.")] = Path("sheet.png"),
    count: Annotated[int, typer.Option("-n", help="How many pictures, spread over the data.", min=1, max=400)] = 24,
    resolution: Annotated[int, typer.Option(help="Side of each picture, in pixels.", min=16, max=512)] = 128,
    fit: FitOption = "crop",
    position: PositionOption = "centre",
    background: Background = None,
    caption_column: CaptionColumn = "",
    image_column: ImageColumn = "",
) -> None:
    """Draw a contact sheet of the pictures as a model sees them, with their captions."""
    if out.suffix.lower() != ".png":
        raise OutputError(f"The sheet is written as .png, but {out} is not. Try {out.with_suffix('.png')}.")
    import io

    from t2i.data.survey import contact_sheet
    from t2i.files import write_atomic

    opened = _open(dataset, background, caption_column, image_column).fitted(Fitting(fit, position))
    sheet, shown = contact_sheet(opened, count, resolution)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    write_atomic(out, buffer.getvalue())
    say(f"{out}: {shown} pictures")
    _say_all(opened.remarks, ())


@data.command()
def split(
    dataset: Data,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The new folder, which gets train/ and test/; else NAME-parts.")
    ] = None,
    test: Annotated[float, typer.Option(help="The share of pictures for test/.", min=0.001, max=0.5)] = 0.1,
    caption_column: CaptionColumn = "",
    image_column: ImageColumn = "",
) -> None:
    """Copy a folder into train/ and test/, which share no group and no equal pictures; always in the same way."""
    from t2i.data.readers.files import FileDataset
    from t2i.data.split_folder import split_folder

    opened = _open(dataset, None, caption_column, image_column)
    if not isinstance(opened, FileDataset):
        raise InvalidInputError(
            f"Only picture files can be copied, but {opened.name} has none. Use its own splits if it has "
            f"any, or hold pictures out in training: train.validation=0.1"
        )
    out = out or Path(f"{Path(dataset.removeprefix('folder:')).resolve().name}-parts")
    counts = split_folder(opened, out, test)
    say(", ".join(f"{out / part}: {count:,} pictures" for part, count in counts.items()))
    say(f"train with --data {out}, evaluate with --data folder:{out}:test")


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
    fit: FitOption = "crop",
    position: PositionOption = "centre",
    strict: Strict = False,
    background: Background = None,
    caption_column: CaptionColumn = "",
    image_column: ImageColumn = "",
) -> None:
    """Decode, resize and encode once, into a folder that trains at memory speed; continues if it was interrupted."""
    from t2i.data.pack.pack import write_pack
    from t2i.data.prepare import own_features
    from t2i.data.remarks import shared_caption

    opened = _open(dataset, background, caption_column, image_column).fitted(Fitting(fit, position))
    unread: Sequence[str] = ()
    try:
        packed = write_pack(opened, out, resolution, strict=strict, progress=progress)
        if text_encoder != "none":
            from t2i.create import create_text_encoder
            from t2i.data.pack.features import encode_captions

            encoder = create_text_encoder(text_encoder)
            features = encode_captions(packed.captions, encoder, own_features(packed, encoder), progress=progress)
            unread = features.remarks
    except KeyboardInterrupt:
        say("Interrupted. The same command continues.")
        raise
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    say(
        f"{out}: {len(packed.ids):,} pictures of {resolution} px, {len(packed.captions):,} distinct captions, "
        f"{size / 2**20:,.1f} MiB; train with --data {out}"
    )
    _say_all([*opened.remarks, *shared_caption(packed.captions, len(packed.ids)), *unread], packed.problems)


def _open(dataset: str, background: str | None, caption_column: str, image_column: str) -> CaptionedDataset:
    from t2i.create import load_dataset

    opened = load_dataset(dataset, caption_column=caption_column, image_column=image_column)
    return opened if background is None else opened.on_background(background)


def _encoder(name: str) -> TextEncoder | None:
    """The text encoder; None, with a warning, if it is not on this machine."""
    if name == "none":
        return None
    from t2i.create import create_text_encoder

    try:
        return create_text_encoder(name)
    except (OfflineError, PluginError) as error:
        warn(f"The captions are not checked with the text encoder {name!r}: {error}")
        return None


def _report(name: str, facts: dict[str, Any], as_json: bool, strict: bool) -> None:
    """Facts on stdout; raises if the data is refused."""
    from t2i.data.dataset import Problem
    from t2i.data.pack.pack import refuse_problems

    problems = [Problem(**problem) for problem in facts["problems"]]
    if as_json:
        report_json({key.replace(" ", "_"): value for key, value in facts.items()})
    else:
        for key, value in facts.items():
            if key not in ("problems", "duplicates", "remarks"):
                parts = [f"{part} {_shown(each)}" for part, each in value.items()] if isinstance(value, dict) else []
                report(f"{key + ':':<22}{', '.join(parts) or value}")
        for key, kind in (("equal pictures", "pictures"), ("shared captions", "captions")):
            entries = facts.get("duplicates", {}).get(kind, [])
            for entry in entries[:SHOWN_PROBLEMS]:
                report(f"{key + ':':<22}{entry}")
            if len(entries) > SHOWN_PROBLEMS:
                report(f"{key + ':':<22}and {len(entries) - SHOWN_PROBLEMS:,} more (--json lists all)")
        _say_all(facts["remarks"], problems)
    if strict:
        refuse_problems(name, problems)


def _shown(value: Any) -> str:
    """A number, or a width and height as "64x48"."""
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)


def _say_all(remarks: Sequence[str], problems: Sequence[Problem]) -> None:
    """Print remarks and problems on stderr; problems of one kind are one line."""
    from t2i.data.dataset import summarised

    for remark in remarks:
        say(f"note: {remark}")
    for kind, skipped in (("left out", True), ("changed", False)):
        lines = summarised(problem for problem in problems if problem.skipped == skipped)
        for line in lines[:SHOWN_PROBLEMS]:
            say(f"{kind}: {line}")
        if len(lines) > SHOWN_PROBLEMS:
            say(f"{kind}: and {len(lines) - SHOWN_PROBLEMS} more kinds (data check --json lists all)")
