"""`t2i generate`: draw prompts into picture files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.arguments import check_whole_number, is_address
from t2i.cli.console import interruptible, progress, say
from t2i.cli.options import (
    PICTURES,
    AcceptNewOption,
    DeviceOption,
    DrawnAtOnceOption,
    EngineOption,
    ForceOption,
    LoraOption,
    MemoryOption,
    ModelOption,
    OwnOption,
    YesOption,
    check_engine,
    check_model,
    check_new_file,
    check_out_folder,
    distinct,
    open_artist,
    parse_options,
    picture_suffix,
)
from t2i.errors import InvalidInputError, OutputError
from t2i.registry.describe import DEFAULT_LANGUAGE_MODEL, DEFAULT_MODEL
from t2i.registry.discovery import registry
from t2i.registry.specs import CommandSpec, load_target
from t2i.seeds import choose_seeds
from t2i.uncollected import uncollected

if TYPE_CHECKING:
    from t2i.drawing.folder import DrawnFolder
    from t2i.drawing.provenance import Widened

STDOUT = Path("-")


def generate(
    prompts: Annotated[list[str] | None, typer.Argument(metavar="PROMPT...", help="What to draw.")] = None,
    prompts_file: Annotated[
        Path | None,
        typer.Option(
            "--prompts",
            help="A text, one prompt per line; a .csv, .jsonl or .parquet with a column prompt; - for standard input.",
        ),
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    count: Annotated[int, typer.Option("-n", "--num-images", help="Pictures per prompt.")] = 1,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of each prompt's first picture. Default: random; 0 with --prompts, so that a rerun can continue."
        ),
    ] = None,
    out: Annotated[
        str,
        typer.Option(
            "-o",
            "--out",
            help="A .png, .jpg or .webp file for one picture, - for standard output, a folder, or s3://BUCKET/PREFIX.",
        ),
    ] = "out",
    suffix: Annotated[
        str, typer.Option("--format", metavar="png|jpg|webp", help="Format of pictures in a folder or on stdout.")
    ] = "png",
    batch_size: DrawnAtOnceOption = 64,
    option: OwnOption = None,
    stages: Annotated[
        bool, typer.Option("--stages", help="Also write NAME-stages.png: the picture's stages, coarse to fine.")
    ] = False,
    attention: Annotated[
        bool, typer.Option("--attention", help="Also write NAME-attention.png: the parts that each word affected.")
    ] = False,
    force: ForceOption = False,
    device: DeviceOption = None,
    memory: MemoryOption = "auto",
    lora: LoraOption = None,
    accept_new: AcceptNewOption = False,
    yes: YesOption = False,
    engine: EngineOption = None,
    widen: Annotated[
        bool, typer.Option("--widen", help="Let a language model add details to each prompt first.")
    ] = False,
    lm: Annotated[str, typer.Option(help="The language model of --widen (needs t2i-lm).")] = DEFAULT_LANGUAGE_MODEL,
) -> None:
    """Draw pictures of prompts; in a folder, one file per picture and a grid. Files already there are kept."""
    from t2i.drawing.prompts import read_prompts

    texts = [*one_prompt_meant(prompts or []), *(read_prompts(prompts_file) if prompts_file else [])]
    if prompts_file and seed is None:
        seed = 0
    suffix = picture_suffix(suffix)
    file = None if is_address(out) else Path(out)
    check_request(texts, count, seed, file, force)
    check_in_folder(file, engine, attention)
    check_whole_number(batch_size, "The batch size", 1)
    check_model(model)
    chosen = parse_options(option, model)
    check_engine(engine, device)
    with uncollected(all_stays=True):
        from t2i.drawing.artist import Request
        from t2i.drawing.attention import attend, attention_path, write_attention, write_attentions
        from t2i.drawing.folder import draw_folder
        from t2i.drawing.folder_plan import plan_folder
        from t2i.drawing.formats import encoded
        from t2i.drawing.opening import check_memory
        from t2i.drawing.place import strip_path, write_picture
        from t2i.drawing.places import place_of
        from t2i.text import check_prompts

    texts, seeds = distinct(check_prompts(texts)), choose_seeds(seed, count)
    widened = widen_prompts(texts, seeds[0], lm) if widen else {}
    texts = list(widened) or texts
    how = "The same command" if seed is not None else f"The same command with --seed {seeds[0]}"
    advice = f"{how} draws the others."
    if engine is not None:
        from t2i.create import create_engine
        from t2i.drawing.spread import FolderWorker, spread_folder

        plan = plan_folder(texts, seeds, suffix, widened)
        worker = FolderWorker(
            model,
            out if file is None else str(file.absolute()),
            chosen,
            device,
            check_memory(memory),
            tuple(lora or ()),
            accept_new,
            confirmed=yes,
            batch_size=batch_size,
            stages=stages,
            force=force,
        )
        with interruptible(advice), create_engine(engine) as workers:
            report_drawn(out, spread_folder(workers, worker, plan, progress=progress))
        return
    artist = open_artist(model, device, memory, lora, accept_new, yes)
    options = artist.options(**chosen)
    if attention:
        attend(artist, [], options)  # whether it can, before anything is drawn
    if file is not None and (file == STDOUT or is_file(file)):
        if stages and file != STDOUT:
            check_new_file(strip_path(file), (".png",), force)
        if attention and file != STDOUT:
            check_new_file(attention_path(file), (".png",), force)
        (picture,) = artist.draw([Request(texts[0], seeds[0], widened.get(texts[0]))], options, stages=stages)
        if file == STDOUT:
            sys.stdout.buffer.write(encoded(picture.image, suffix))
            sys.stdout.buffer.flush()
        else:
            write_picture(picture, file)
            if attention:
                write_attention(artist, Request(picture.prompt, picture.seed), options, file)
        say(f"{'standard output' if file == STDOUT else file} (seed {picture.seed})")
        return
    with interruptible(advice):
        done = draw_folder(
            artist,
            texts,
            seeds,
            place_of(out),
            options,
            suffix=suffix,
            batch_size=batch_size,
            stages=stages,
            widened=widened,
            force=force,
            progress=progress,
        )
        if attention and file is not None:
            plan = plan_folder(texts, seeds)
            write_attentions(artist, plan, file, options, force=force, progress=progress)
    report_drawn(out, done)


def report_drawn(out: str, done: DrawnFolder) -> None:
    """Say how many pictures were drawn, and where the grid is."""
    from t2i.drawing.folder import MAX_GRID_PICTURES

    kept = done.total - done.drawn
    say(f"{out.rstrip('/')}/: {done.drawn} pictures{f', {kept} were there already' if kept else ''}")
    say(done.grid or f"no grid: it shows at most {MAX_GRID_PICTURES} pictures")


def widen_prompts(prompts: list[str], seed: int, lm: str) -> dict[str, Widened]:
    """Each prompt's widened version and its origin; prints both prompts.

    Raises:
        UnknownNameError: t2i-lm is not installed.
        T2IError: the language model cannot be loaded, or writes nothing usable.
    """
    registry().get(CommandSpec, "widen")
    widened: dict[str, Widened] = load_target("t2i_lm.widening:widen_prompts")(prompts, seed, lm)
    for prompt, how in widened.items():
        say(f"{how.typed} -> {prompt}")
    return widened


def one_prompt_meant(prompts: list[str]) -> list[str]:
    """The prompts; several one-word prompts are joined to one if the user confirms this in a terminal."""
    if len(prompts) < 2 or any(len(prompt.split()) != 1 for prompt in prompts):
        return prompts
    joined = " ".join(prompts)
    if is_terminal():
        asked = f"These are {len(prompts)} prompts of one word each. Did you mean one prompt, {joined!r}?"
        return [joined] if typer.confirm(asked, default=True, err=True) else prompts
    say(f"These are {len(prompts)} prompts of one word each. If you meant one prompt, quote it: {joined!r}")
    return prompts


def is_terminal() -> bool:
    """Whether the user can answer a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def check_in_folder(file: Path | None, engine: str | None, attention: bool) -> None:
    """
    Args:
        file: where to draw; None for an address.

    Raises:
        InvalidInputError: an engine or an address was given for what only this process can write.
    """
    if engine is not None and file is not None and (file == STDOUT or is_file(file)):
        raise InvalidInputError(
            f"An engine draws into a folder or to s3://bucket/prefix, got {file}. Leave out --engine."
        )
    if attention and (engine is not None or file is None):
        raise InvalidInputError(
            "--attention needs pictures that this process writes to this machine, not an engine or an address. Leave "
            "out --engine, and give a file or a folder with -o."
        )


def check_request(texts: list[str], count: int, seed: int | None, out: Path | None, force: bool) -> None:
    """Check what can be checked before heavy imports.

    Args:
        out: None for an address.

    Raises:
        InvalidInputError, OutputError: one sentence each.
    """
    if not texts:
        raise InvalidInputError(
            'Drawing needs a prompt, got none. Say what to draw: t2i generate "a red heart" -o heart.png'
        )
    choose_seeds(seed, count)
    if out is None:
        return
    if out == STDOUT and sys.stdout.isatty():
        raise OutputError("A picture is not text, and standard output is a terminal. Redirect it: -o - > picture.png")
    if out == STDOUT or is_file(out):
        if len(texts) * count > 1:
            folder = "a folder" if out == STDOUT else f"a folder: -o {out.with_suffix('')}/"
            file = "Standard output" if out == STDOUT else out
            raise InvalidInputError(f"{file} holds one picture, got {len(texts) * count} to draw. Give {folder}")
        if out != STDOUT:
            check_new_file(out, PICTURES, force)
    else:
        check_out_folder(out)


def is_file(out: Path) -> bool:
    """Whether `out` names a picture file: it has a picture's suffix, or any other and is not a folder."""
    return out.suffix.lower() in PICTURES or (out.suffix != "" and not out.is_dir())
