"""Draw many prompts into a folder: a file per picture and a grid; existing pictures are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from t2i.config import Config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, Request, check_drawing
from t2i.drawing.formats import check_format
from t2i.drawing.output import sheet
from t2i.drawing.picture import Picture, file_name
from t2i.drawing.provenance import Provenance, Widened, find_provenance, png_bytes
from t2i.errors import InvalidInputError, OutputError
from t2i.files import check_writable, write_atomic
from t2i.progress import Progress, silent
from t2i.text import check_prompts

GRID = "grid.png"
MAX_GRID_PICTURES = 400
MAX_FOLDER_PICTURES = 1_000_000_000


@dataclass(frozen=True)
class DrawnFolder:
    """The result of `draw_folder`.

    Attributes:
        total: number of pictures requested, all of which the folder now has.
        drawn: number of pictures drawn now; the others existed already.
        grid: the sheet of all pictures; None if there are more than MAX_GRID_PICTURES.
    """

    total: int
    drawn: int
    grid: Path | None


@dataclass(frozen=True)
class FolderPlan:
    """The pictures of a folder, computed one at a time, so that a billion of them need no memory.

    Attributes:
        prompts, seeds: each prompt is drawn with each seed.
        suffix: of the files, such as ".png".
    """

    folder: Path
    prompts: Sequence[str]
    seeds: Sequence[int]
    suffix: str = ".png"

    def __len__(self) -> int:
        return len(self.prompts) * len(self.seeds)

    def __iter__(self) -> Iterator[tuple[Request, Path]]:
        """Each picture's request and path."""
        for number, prompt in enumerate(self.prompts, start=1):
            for seed in self.seeds:
                yield Request(prompt, seed), self.folder / file_name(number, prompt, seed, self.suffix)


def draw_folder(
    artist: Artist,
    prompts: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    options: Config | None = None,
    *,
    suffix: str = ".png",
    batch_size: int = DEFAULT_BATCH_SIZE,
    stages: bool = False,
    widened: Mapping[str, Widened] | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> DrawnFolder:
    """Draw every prompt with every seed; a file that already holds the requested picture is kept.

    Args:
        suffix: of the files: .png, .jpg, .jpeg or .webp.
        stages: also write each picture's stages next to it.
        widened: how a language model wrote a prompt, for those that it wrote.
        force: replace files that hold other pictures.

    Raises:
        InvalidInputError: a prompt, a seed or an option is invalid, or there are more than MAX_FOLDER_PICTURES
            pictures; nothing is written if a prompt or option is.
        OutputError: a file cannot be written, or holds another picture; those before it are complete.
        KeyboardInterrupt: the message says how many pictures are complete.
    """
    options = check_drawing(artist, options, batch_size)
    written = widened or {}
    plan = FolderPlan(folder, check_prompts(prompts), seeds, check_format(folder / f"picture{suffix}").suffix)
    if len(prompts) * len(seeds) > MAX_FOLDER_PICTURES:
        raise InvalidInputError(
            f"A folder gets at most {MAX_FOLDER_PICTURES:,} pictures, got {len(plan.prompts):,} prompts with "
            f"{len(seeds):,} seeds each. Draw fewer."
        )
    check_writable(folder / GRID)
    waiting: deque[Path] = deque()
    done = drawn = 0
    writing: Path | None = None

    with progress("Drawing", len(plan)) as advance:

        def missing() -> Iterator[Request]:
            nonlocal done
            for request, path in plan:
                if _is_there(path, artist, request, options, force) and (not stages or strip_path(path).exists()):
                    done += 1
                    advance(1)
                else:
                    waiting.append(path)
                    yield replace(request, widened=written.get(request.prompt))

        try:
            for picture in artist.draw(missing(), options, batch_size=batch_size, stages=stages):
                writing = waiting.popleft()
                write_picture(picture, writing)
                writing, done, drawn = None, done + 1, drawn + 1
                advance(1)
        except KeyboardInterrupt:
            done += writing is not None and writing.exists()  # interrupted between writing and counting it
            raise KeyboardInterrupt(f"Interrupted: {folder}/ has {done:,} of {len(plan):,} pictures.") from None
    return DrawnFolder(len(plan), drawn, _write_grid(plan) if len(plan) <= MAX_GRID_PICTURES else None)


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


def _is_there(path: Path, artist: Artist, request: Request, options: Config, force: bool) -> bool:
    """Whether `path` already holds the requested picture; damaged files do not.

    Raises:
        OutputError: it holds another picture, and not `force`.
    """
    if not path.exists():
        return False
    try:
        found = find_provenance(path)
    except InvalidInputError:
        return False
    if found is not None and _is_same(found, artist, request, options):
        return True
    if force:
        return False
    reason = "it was drawn with other weights or options" if found else "it has no provenance"
    raise OutputError(f"{path} holds another picture ({reason}). Choose another folder, or replace it with --force.")


def _is_same(found: Provenance, artist: Artist, request: Request, options: Config) -> bool:
    identity = artist.identity
    drawn_by = (found.artist.weights, found.artist.text_encoders, found.artist.adapters)
    return (found.prompt, found.seed, found.options, found.source, *drawn_by) == (
        *(request.prompt, request.seed, options.model_dump(mode="json"), None),
        *(identity.weights, identity.text_encoders, identity.adapters),
    )


def _write_grid(plan: FolderPlan) -> Path:
    pictures, captions = [], []
    for request, path in plan:
        with Image.open(path) as picture:
            pictures.append(picture.convert("RGB"))
        captions.append(request.prompt)
    columns = len(plan.seeds) if len(plan.seeds) > 1 else None
    write_atomic(plan.folder / GRID, png_bytes(sheet(pictures, columns, captions)))
    return plan.folder / GRID
