"""`t2i products`: draw a picture for each row of a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.arguments import check_whole_number
from t2i.cli.console import interruptible, progress, say, warn
from t2i.cli.options import (
    AcceptNewOption,
    DeviceOption,
    DrawnAtOnceOption,
    ForceOption,
    LoraOption,
    MemoryOption,
    ModelOption,
    OwnOption,
    PicturesSeedOption,
    YesOption,
    check_device,
    check_model,
    check_out_folder,
    open_artist,
    parse_options,
    picture_suffix,
)
from t2i.registry.describe import DEFAULT_MODEL


def products(
    catalog: Annotated[Path, typer.Argument(help="A .csv, .jsonl or .parquet file with a row per product.")],
    prompt: Annotated[str, typer.Option(help='What to draw, from the columns: "{title}, {colour}".')],
    name: Annotated[str, typer.Option(help='The name of each picture, from the columns: "{sku}" or "{type}/{sku}".')],
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder of the pictures.")] = Path("products"),
    model: ModelOption = DEFAULT_MODEL,
    seed: PicturesSeedOption = 0,
    suffix: Annotated[str, typer.Option("--format", metavar="png|jpg|webp", help="Format of the pictures.")] = "png",
    padding: Annotated[int, typer.Option(help="Pixels added on each side of a picture.")] = 0,
    background: Annotated[
        str, typer.Option(help="Colour of the padding, such as white or #f4f1ea; edge: that of the picture's edges.")
    ] = "edge",
    batch_size: DrawnAtOnceOption = 64,
    option: OwnOption = None,
    force: ForceOption = False,
    device: DeviceOption = None,
    memory: MemoryOption = "auto",
    lora: LoraOption = None,
    accept_new: AcceptNewOption = False,
    yes: YesOption = False,
) -> int:
    """Draw a picture for each row, list all in manifest.csv and .jsonl, and show them on contact.html. Pictures
    already there are kept. Exits with 1 if rows failed; failed.csv says why."""
    from t2i_apps.products.template import ColumnTemplate

    prompts, names = ColumnTemplate.parse(prompt, "--prompt"), ColumnTemplate.parse(name, "--name")
    suffix = picture_suffix(suffix)
    check_out_folder(out)
    check_whole_number(batch_size, "The batch size", 1)
    check_model(model)
    chosen = parse_options(option, model)
    check_device(device)
    from t2i_apps.products.catalog import Catalog
    from t2i_apps.products.naming import Naming

    table = Catalog(catalog)
    prompts.check(table.columns, str(table))
    names.check(table.columns, str(table))
    Naming(names)
    from t2i.drawing.frame import check_frame
    from t2i_apps.products.draw import draw_products
    from t2i_apps.products.record import CONTACT, FAILED

    frame = check_frame(padding, background)
    artist = open_artist(model, device, memory, lora, accept_new, yes)
    with interruptible("The same command draws the others."):
        done = draw_products(
            artist,
            table,
            prompts,
            names,
            out,
            artist.options(**chosen),
            seed=seed,
            suffix=suffix,
            batch_size=batch_size,
            frame=frame,
            force=force,
            progress=progress,
        )
    say(f"{out}/: {done.drawn} pictures{f', {done.kept} were there already' if done.kept else ''}")
    say(str(out / CONTACT))
    if done.failed:
        warn(f"{done.failed} rows have no picture; {out / FAILED} says why")
    return 1 if done.failed else 0
