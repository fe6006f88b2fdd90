"""Draw many pictures into files; existing ones are kept. A folder of prompts also gets a grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from PIL import Image

from t2i.arguments import shown
from t2i.config import Config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, Request, check_drawing
from t2i.drawing.formats import check_format
from t2i.drawing.frame import framed
from t2i.drawing.output import sheet
from t2i.drawing.picture import Picture, file_name
from t2i.drawing.provenance import Frame, Provenance, Widened, find_provenance, png_bytes
from t2i.errors import InvalidInputError, OutputError
from t2i.files import check_writable, write_atomic
from t2i.progress import Progress, silent
from t2i.text import check_prompts

GRID = "grid.png"
MAX_GRID_PICTURES = 400
MAX_FOLDER_PICTURES = 1_000_000_000
LOOK_AHEAD = 1024  # pictures whose files are looked for before the missing ones of them are drawn


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
        for number, prompt in enumerate(self.prompts):
            for place, seed in enumerate(self.seeds):
                yield Request(prompt, seed), self.path(number * len(self.seeds) + place)

    def path(self, index: int) -> Path:
        """The path of a picture, by its place in this order."""
        number, place = divmod(index, len(self.seeds))
        return self.folder / file_name(number + 1, self.prompts[number], self.seeds[place], self.suffix)


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
    wanted = ((replace(request, widened=written.get(request.prompt)), path) for request, path in plan)
    done = drawn = 0
    with progress("Drawing", len(plan)) as advance:
        try:
            for made in draw_files(artist, wanted, options, batch_size=batch_size, stages=stages, force=force):
                if made.problem:
                    raise OutputError(f"{made.problem} Choose another folder, or replace it with --force.")
                done, drawn = done + 1, drawn + made.drawn
                advance(1)
        except KeyboardInterrupt:
            done += done < len(plan) and plan.path(done).exists()  # interrupted between writing and counting it
            raise KeyboardInterrupt(f"Interrupted: {folder}/ has {done:,} of {len(plan):,} pictures.") from None
    return DrawnFolder(len(plan), drawn, _write_grid(plan) if len(plan) <= MAX_GRID_PICTURES else None)


@dataclass(frozen=True)
class DrawnFile:
    """What became of one picture of `draw_files`.

    Attributes:
        drawn: whether it was drawn now; otherwise the file had it already.
        problem: why the file does not hold the picture: it holds another one, which was not replaced. "" if it does.
    """

    path: Path
    drawn: bool
    problem: str = ""


def draw_files(
    artist: Artist,
    wanted: Iterable[tuple[Request, Path]],
    options: Config,
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    stages: bool = False,
    frame: Frame | None = None,
    force: bool = False,
) -> Iterator[DrawnFile]:
    """Draw each picture whose file is missing or damaged; yields every file, in order, as soon as it is complete.

    Args:
        wanted: read as they are drawn, LOOK_AHEAD at a time, so that a long list needs little memory. Each file once.
        stages: also write each picture's stages next to it.
        frame: put around each picture.
        force: replace files that hold other pictures.

    Raises:
        InvalidInputError: a request is invalid, or the artist draws in one stage and has no `stages`.
        OutputError: a file cannot be written; those before it are complete.
    """
    todo = iter(wanted)
    while part := list(islice(todo, LOOK_AHEAD)):
        found = [_look(path, artist, request, options, stages, frame, force) for request, path in part]
        missing = (request for (request, _), look in zip(part, found, strict=True) if look is None)
        pictures = artist.draw(missing, options, batch_size=batch_size, stages=stages)
        for (_, path), look in zip(part, found, strict=True):
            if look is None:
                write_picture(framed(next(pictures), frame), path)
            yield look or DrawnFile(path, drawn=True)


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


def _look(
    path: Path, artist: Artist, request: Request, options: Config, stages: bool, frame: Frame | None, force: bool
) -> DrawnFile | None:
    """What `path` holds; None if the picture must be drawn. Damaged files are drawn again."""
    if not path.exists():
        return None
    try:
        found = find_provenance(path)
    except InvalidInputError:
        return None
    if found is not None and _is_same(found, artist, request, options, frame):
        return None if stages and not strip_path(path).exists() else DrawnFile(path, drawn=False)
    if force:
        return None
    reason = "it was drawn with other weights or options" if found else "it has no provenance"
    if found is not None and (found.prompt, found.seed) != (request.prompt.strip(), request.seed):
        reason = f"it was drawn from {shown(found.prompt)} with seed {found.seed}"
    return DrawnFile(path, drawn=False, problem=f"{path} holds another picture ({reason}).")


def _is_same(found: Provenance, artist: Artist, request: Request, options: Config, frame: Frame | None) -> bool:
    identity = artist.identity
    drawn_by = (found.artist.weights, found.artist.text_encoders, found.artist.adapters)
    return (found.prompt, found.seed, found.options, found.source, found.frame, *drawn_by) == (
        *(request.prompt, request.seed, options.model_dump(mode="json"), None, frame),
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
