"""`t2i generate`: prompts in, picture files out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2i.cli.console import progress, say
from t2i.errors import InvalidInputError, OutputError, T2IError
from t2i.registry.describe import DEFAULT_MODEL, weights_spec

if TYPE_CHECKING:
    from t2i.drawing.picture import Picture
    from t2i.drawing.pipeline import Pipeline

MAX_PROMPTS_BYTES = 100_000_000
MAX_GRID_PICTURES = 400


def generate(
    prompts: Annotated[list[str] | None, typer.Argument(metavar="PROMPT...", help="What to draw.")] = None,
    prompts_file: Annotated[Path | None, typer.Option("--prompts", help="A text file, one prompt a line.")] = None,
    model: Annotated[
        str, typer.Option(help="technique[.tag], a run folder, local-dir:PATH or hf-hub:ORG/REPO[@REVISION].")
    ] = DEFAULT_MODEL,
    count: Annotated[int, typer.Option("-n", "--num-images", help="Pictures per prompt.")] = 1,
    seed: Annotated[
        int | None,
        typer.Option(help="Of each prompt's first picture. Default: random; 0 with --prompts, so that it can resume."),
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="picture.png for one picture, or a folder.")] = Path("out"),
    batch_size: Annotated[int, typer.Option(help="Pictures drawn at once; never changes them.")] = 64,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the technique's own.")
    ] = None,
    stages: Annotated[
        bool, typer.Option("--stages", help="Also write NAME-stages.png, how the picture came about, coarse to fine.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps. Default: the accelerator.")] = None,
) -> None:
    """Draw pictures of prompts; in a folder, one file per picture and a grid. Files already there are kept."""
    texts = [*(prompts or []), *(read_prompts(prompts_file) if prompts_file else [])]
    if prompts_file and seed is None:
        seed = 0
    check_request(texts, count, seed, out)
    if not set(model) & set(":/") and not Path(model).is_dir():
        weights_spec(model)  # an unknown name is told before torch is imported
    from t2i.drawing.pipeline import pipeline
    from t2i.seeds import choose_seeds
    from t2i.text import check_prompts

    texts = check_prompts(texts)
    seeds = choose_seeds(seed, count)
    options = dict(map(parse_option, option or []))
    pipe = pipeline(model, device=device)
    options = pipe.options(**options).model_dump()
    if stages:
        pipe.check_stages()
    if out.suffix.lower() == ".png":
        _one(pipe, texts[0], seeds[0], out, options, stages)
    else:
        _many(pipe, [(text, each) for text in texts for each in seeds], count, out, batch_size, options, stages)


def check_request(texts: list[str], count: int, seed: int | None, out: Path) -> None:
    """What can be known to be wrong before anything heavy is imported.

    Raises:
        InvalidInputError, OutputError: one sentence each.
    """
    if not texts:
        raise InvalidInputError('No prompt came. Say what to draw: t2i generate "a red heart" -o heart.png')
    if count < 1:
        raise InvalidInputError(f"At least one picture per prompt is drawn, but -n {count} came.")
    if seed is not None and seed < 0:
        raise InvalidInputError(f"A seed is 0 or more, but --seed {seed} came.")
    if out.suffix.lower() == ".png":
        if len(texts) * count > 1:
            raise InvalidInputError(
                f"{out} holds one picture, but {len(texts) * count} were asked for. "
                f"Give a folder: -o {out.with_suffix('')}/"
            )
        if out.is_dir():
            raise OutputError(f"{out} is a folder, so no picture can be written there. Choose another name.")
    elif out.suffix and not out.is_dir():
        raise OutputError(
            f"Pictures are written as .png, or into a folder, but {out} is neither. Try {out.with_suffix('.png')}."
        )
    elif out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file, not a folder. Choose another folder.")


def read_prompts(path: Path) -> list[str]:
    """The file's lines that are not empty.

    Raises:
        InvalidInputError: it is missing, too large, not UTF-8 (says where), or holds no prompt.
    """
    try:
        if path.stat().st_size > MAX_PROMPTS_BYTES:
            raise InvalidInputError(f"{path} is larger than {MAX_PROMPTS_BYTES} bytes. Split it.")
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"Cannot read the prompts in {path}: {error.strerror}.") from None
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidInputError(
            f"{path} must be UTF-8 text, but line {line} has the byte 0x{content[error.start]:02x}. Save it as UTF-8."
        ) from None
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise InvalidInputError(f"{path} holds no prompt. Write one a line.")
    return prompts


def parse_option(text: str) -> tuple[str, Any]:
    """ "name=value" as a pair, the value read as YAML.

    Raises:
        InvalidInputError: there is no equals sign, or the value is not YAML.
    """
    from t2i.config import parse_value

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidInputError(f"An option reads name=value, but {text!r} came.")
    return name.replace("-", "_"), parse_value(value, f"--option {name}")


def file_name(number: int, prompt: str, seed: int) -> str:
    """ "0003-a-red-heart-7.png": ordered, readable, and the same for the same request."""
    slug = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:60].strip("-") or "picture"
    return f"{number:04d}-{slug}-{seed}.png"


def strip_path(picture: Path) -> Path:
    """Where a picture's stages are written."""
    return picture.with_name(f"{picture.stem}-stages.png")


def _one(pipe: Pipeline, prompt: str, seed: int, out: Path, options: dict[str, Any], stages: bool) -> None:
    (picture,) = pipe.stream([(prompt, seed)], stages=stages, **options)
    _write(picture, out)
    say(f"{out} (seed {seed})")


def _many(
    pipe: Pipeline,
    requests: list[tuple[str, int]],
    columns: int,
    out: Path,
    batch_size: int,
    options: dict[str, Any],
    stages: bool,
) -> None:
    from PIL import Image

    from t2i.drawing.provenance import png_bytes
    from t2i.files import write_atomic
    from t2i.images import grid

    paths = [out / file_name(index // columns + 1, *request) for index, request in enumerate(requests)]
    todo = [
        index
        for index, path in enumerate(paths)
        if not _is_done(path, pipe, requests[index], options) or (stages and not strip_path(path).exists())
    ]
    with progress("Drawing", len(todo)) as advance:
        drawn = pipe.stream([requests[index] for index in todo], batch_size=batch_size, stages=stages, **options)
        for index, picture in zip(todo, drawn, strict=True):
            _write(picture, paths[index])
            advance(1)
    kept = f", {len(requests) - len(todo)} were there already" if len(todo) < len(requests) else ""
    say(f"{out}/: {len(todo)} pictures{kept}")
    if len(requests) <= MAX_GRID_PICTURES:
        pictures = [Image.open(path).convert("RGB") for path in paths]
        scale = max(1, 128 // pictures[0].width)
        captions = [prompt for prompt, _ in requests]
        write_atomic(out / "grid.png", png_bytes(grid(pictures, columns if columns > 1 else None, captions, scale)))
        say(f"{out / 'grid.png'}")
    else:
        say(f"no grid: it shows at most {MAX_GRID_PICTURES} pictures")


def _write(picture: Picture, path: Path) -> None:
    """The picture, and first its stages side by side, all at its size."""
    from t2i.drawing.provenance import png_bytes
    from t2i.files import write_atomic
    from t2i.images import grid

    if picture.stages:
        enlarged = [stage.resize(picture.image.size, 0) for stage in picture.stages]  # 0: nearest, pixels stay pixels
        write_atomic(strip_path(path), png_bytes(grid(enlarged, columns=len(enlarged))))
    write_atomic(path, png_bytes(picture.image, picture.provenance))


def _is_done(path: Path, pipe: Pipeline, request: tuple[str, int], options: dict[str, Any]) -> bool:
    """Whether `path` holds the very picture asked for, from the very weights."""
    from t2i.drawing.provenance import read_provenance

    try:
        found = read_provenance(path)
    except T2IError:
        return False
    return (found.prompt, found.seed, found.weights_sha256, dict(found.options)) == (
        *request,
        pipe.snapshot.config.weights_sha256,
        options,
    )
