"""`t2i story`: make an illustrated book from a text."""

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
    check_new_file,
    open_artist,
    parse_options,
)
from t2i.registry.describe import DEFAULT_MODEL

LM_HELP = "A language model that writes a prompt for each paragraph: smollm2, hf:ORG/MODEL or openai:URL#MODEL."


def story(
    text: Annotated[Path, typer.Argument(help="A text file; an empty line ends a paragraph.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The book: .html or .pdf.")] = Path("book.html"),
    title: Annotated[str, typer.Option(help="Title. Default: the text's first line, if it begins with #.")] = "",
    model: ModelOption = DEFAULT_MODEL,
    seed: PicturesSeedOption = 0,
    style: Annotated[str, typer.Option(help='Added to every prompt, such as "watercolour".')] = "",
    lm: Annotated[str | None, typer.Option(help=f"{LM_HELP} Default: none, the first noun phrase is drawn.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the text, such as en.")] = "en",
    batch_size: DrawnAtOnceOption = 64,
    option: OwnOption = None,
    force: ForceOption = False,
    device: DeviceOption = None,
    memory: MemoryOption = "auto",
    lora: LoraOption = None,
    accept_new: AcceptNewOption = False,
    yes: YesOption = False,
) -> None:
    """Make a book: a page for each paragraph, with a picture. A line [picture: a red fox] in a paragraph says what to
    draw for it. The pictures are also in the folder of the book's name; those already there are kept."""
    check_new_file(out, (".html", ".pdf"), force)
    check_whole_number(batch_size, "The batch size", 1)
    check_model(model)
    chosen = parse_options(option, model)
    check_device(device)
    from t2i_apps.story.text import read_story

    read = read_story(text)
    title = title or read.title
    from t2i.create import create_language_model
    from t2i_apps.story.book import check_book, write_book
    from t2i_apps.story.draw import draw_leaves
    from t2i_apps.story.prompting import prompts_for

    check_book(out, title, read.paragraphs, lang)
    writer = create_language_model(lm) if lm is not None else None
    artist = open_artist(model, device, memory, lora, accept_new, yes)
    options = artist.options(**chosen)
    prompts = prompts_for(read.paragraphs, writer, seed=seed, style=style, progress=progress, warn=warn)
    folder = out.with_suffix("")
    with interruptible("The same command draws the others."):
        leaves = draw_leaves(
            artist,
            read.paragraphs,
            prompts,
            folder,
            options,
            seed=seed,
            batch_size=batch_size,
            force=force,
            progress=progress,
        )
    by = f", and {writer.identity.name} wrote the prompts" if writer is not None else ""
    made_by = f"The pictures were drawn by {artist.name} with the seed\u00a0{seed}{by}."
    write_book(out, title, leaves, made_by, lang)
    say(f"{out}: {len(leaves)} pages, each picture in {folder}/")
