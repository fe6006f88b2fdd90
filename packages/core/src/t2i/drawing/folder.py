"""Draw many prompts into a folder: a file per picture and a grid; existing pictures are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from t2i.config import Config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, Request, check_drawing
from t2i.drawing.output import sheet
from t2i.drawing.picture import Picture, file_name
from t2i.drawing.provenance import Widened, png_bytes, read_provenance
from t2i.errors import T2IError
from t2i.files import write_atomic
from t2i.progress import Progress, silent
from t2i.text import check_prompts

GRID = "grid.png"
MAX_GRID_PICTURES = 400


@dataclass(frozen=True)
class DrawnFolder:
    """The result of `draw_folder`.

    Attributes:
        paths: every picture's path, in the order of the requests.
        drawn: number of pictures drawn now; the others existed already.
        grid: the sheet of all pictures; None if there are more than MAX_GRID_PICTURES.
    """

    paths: Sequence[Path]
    drawn: int
    grid: Path | None


def draw_folder(
    artist: Artist,
    prompts: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    options: Config | None = None,
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    stages: bool = False,
    widened: Mapping[str, Widened] | None = None,
    progress: Progress = silent,
) -> DrawnFolder:
    """Draw every prompt with every seed; a file that already holds the requested picture is kept.

    Args:
        stages: also write each picture's stages next to it.
        widened: how a language model wrote a prompt, for those that it wrote.

    Raises:
        InvalidInputError: a prompt, a seed or an option is invalid; nothing is written if a prompt or option is.
        OutputError: a file cannot be written; those before it are complete.
    """
    options = check_drawing(artist, options, batch_size)
    written = widened or {}
    requests = [Request(prompt, seed, written.get(prompt)) for prompt in check_prompts(prompts) for seed in seeds]
    paths = [
        folder / file_name(index // len(seeds) + 1, request.prompt, request.seed)
        for index, request in enumerate(requests)
    ]
    todo = [
        index
        for index, path in enumerate(paths)
        if not holds(path, artist, requests[index], options) or (stages and not strip_path(path).exists())
    ]
    drawn = artist.draw((requests[index] for index in todo), options, batch_size=batch_size, stages=stages)
    with progress("Drawing", len(todo)) as advance:
        for index, picture in zip(todo, drawn, strict=True):
            write_picture(picture, paths[index])
            advance(1)
    grid = _write_grid(folder / GRID, paths, requests, len(seeds)) if len(paths) <= MAX_GRID_PICTURES else None
    return DrawnFolder(paths, len(todo), grid)


def write_picture(picture: Picture, path: Path) -> None:
    """Write the picture, after the strip of its stages if it has any.

    Raises:
        OutputError: a file cannot be written.
    """
    if picture.stages:
        write_atomic(strip_path(path), png_bytes(picture.strip))
    picture.save(path)


def strip_path(picture: Path) -> Path:
    """The path of a picture's stages."""
    return picture.with_name(f"{picture.stem}-stages.png")


def holds(path: Path, artist: Artist, request: Request, options: Config) -> bool:
    """Whether `path` already holds the requested picture, drawn by the same weights."""
    try:
        found = read_provenance(path)
    except T2IError:
        return False
    identity = artist.identity
    return (found.prompt, found.seed, found.options, found.artist.weights, found.artist.text_encoders) == (
        *(request.prompt, request.seed, options.model_dump(mode="json")),
        *(identity.weights, identity.text_encoders),
    )


def _write_grid(path: Path, paths: Sequence[Path], requests: Sequence[Request], per_prompt: int) -> Path:
    pictures = []
    for each in paths:
        with Image.open(each) as picture:
            pictures.append(picture.convert("RGB"))
    captions = [request.prompt for request in requests]
    write_atomic(path, png_bytes(sheet(pictures, per_prompt if per_prompt > 1 else None, captions)))
    return path
