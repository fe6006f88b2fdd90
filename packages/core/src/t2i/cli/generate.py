"""`t2i generate`: draw prompts into picture files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.cli.console import progress, say
from t2i.cli.options import MODEL_HELP, DeviceOption, OwnOption, check_model, parse_options
from t2i.errors import InvalidInputError, OutputError
from t2i.registry.describe import DEFAULT_LANGUAGE_MODEL, DEFAULT_MODEL
from t2i.registry.discovery import registry
from t2i.registry.specs import CommandSpec, load_target
from t2i.seeds import choose_seeds

if TYPE_CHECKING:
    from t2i.drawing.provenance import Widened


def generate(
    prompts: Annotated[list[str] | None, typer.Argument(metavar="PROMPT...", help="What to draw.")] = None,
    prompts_file: Annotated[Path | None, typer.Option("--prompts", help="A text file, one prompt a line.")] = None,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = DEFAULT_MODEL,
    count: Annotated[int, typer.Option("-n", "--num-images", help="Pictures per prompt.")] = 1,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Seed of each prompt's first picture. Default: random; 0 with --prompts, so that it can resume."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="A .png file for one picture, or a folder.")] = Path("out"),
    batch_size: Annotated[int, typer.Option(help="Pictures drawn at once; does not change them.")] = 64,
    option: OwnOption = None,
    stages: Annotated[
        bool, typer.Option("--stages", help="Also write NAME-stages.png: the picture's stages, coarse to fine.")
    ] = False,
    device: DeviceOption = None,
    widen: Annotated[
        bool, typer.Option("--widen", help="Let a language model add details to each prompt first.")
    ] = False,
    lm: Annotated[str, typer.Option(help="The language model of --widen (needs t2i-lm).")] = DEFAULT_LANGUAGE_MODEL,
) -> None:
    """Draw pictures of prompts; in a folder, one file per picture and a grid. Files already there are kept."""
    from t2i.drawing.prompts import read_prompts

    texts = [*(prompts or []), *(read_prompts(prompts_file) if prompts_file else [])]
    if prompts_file and seed is None:
        seed = 0
    check_request(texts, count, seed, out)
    check_model(model)
    from t2i.drawing.artist import Request
    from t2i.drawing.folder import MAX_GRID_PICTURES, draw_folder, write_picture
    from t2i.drawing.pipeline import pipeline
    from t2i.text import check_prompts

    texts, seeds, chosen = check_prompts(texts), choose_seeds(seed, count), parse_options(option)
    widened = widen_prompts(texts, seeds[0], lm) if widen else {}
    texts = list(widened) or texts
    artist = pipeline(model, device=device, record=True)
    options = artist.options(**chosen)
    if out.suffix.lower() == ".png":
        (picture,) = artist.draw([Request(texts[0], seeds[0], widened.get(texts[0]))], options, stages=stages)
        write_picture(picture, out)
        say(f"{out} (seed {picture.seed})")
        return
    how = {"batch_size": batch_size, "stages": stages, "widened": widened}
    done = draw_folder(artist, texts, seeds, out, options, **how, progress=progress)
    kept = len(done.paths) - done.drawn
    say(f"{out}/: {done.drawn} pictures{f', {kept} were there already' if kept else ''}")
    say(str(done.grid) if done.grid else f"no grid: it shows at most {MAX_GRID_PICTURES} pictures")


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


def check_request(texts: list[str], count: int, seed: int | None, out: Path) -> None:
    """Check what can be checked before heavy imports.

    Raises:
        InvalidInputError, OutputError: one sentence each.
    """
    if not texts:
        raise InvalidInputError(
            'Drawing needs a prompt, got none. Say what to draw: t2i generate "a red heart" -o heart.png'
        )
    choose_seeds(seed, count)
    if out.suffix.lower() == ".png":
        if len(texts) * count > 1:
            raise InvalidInputError(
                f"{out} holds one picture, got {len(texts) * count} to draw. Give a folder: -o {out.with_suffix('')}/"
            )
        if out.is_dir():
            raise OutputError(f"{out} is a folder, so no picture can be written there. Choose another name.")
    elif out.suffix and not out.is_dir():
        raise OutputError(
            f"Pictures are written as .png, or into a folder, but {out} is neither. Try {out.with_suffix('.png')}."
        )
    elif out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file, not a folder. Choose another folder.")
