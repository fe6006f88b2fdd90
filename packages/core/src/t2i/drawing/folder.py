"""Draw many pictures into files of a folder or a bucket; existing ones are kept. Prompts also get a grid."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from PIL import Image

from t2i.arguments import shown
from t2i.config import Config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, Request, check_drawing
from t2i.drawing.folder_plan import FolderPlan, plan_folder
from t2i.drawing.frame import framed
from t2i.drawing.output import sheet
from t2i.drawing.place import Folder, Place, strip_path
from t2i.drawing.provenance import Frame, Provenance, Widened, png_bytes, provenance_in
from t2i.errors import InvalidInputError, OutputError
from t2i.progress import Progress, silent

GRID = Path("grid.png")
MAX_GRID_PICTURES = 400
HERE = Folder(Path())  # leaves paths as they are
LOOK_AHEAD = 1024  # pictures whose files are looked for before the missing ones of them are drawn


@dataclass(frozen=True)
class DrawnFolder:
    """The result of `draw_folder`.

    Attributes:
        total: number of pictures requested, all of which the place now has.
        drawn: number of pictures drawn now; the others existed already.
        grid: where the sheet of all pictures is; None if there are more than MAX_GRID_PICTURES.
    """

    total: int
    drawn: int
    grid: str | None


def draw_folder(
    artist: Artist,
    prompts: Sequence[str],
    seeds: Sequence[int],
    folder: Path | Place,
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
            pictures. If a prompt or an option is invalid, nothing is written.
        OutputError: a file cannot be written, or holds another picture; those before it are complete.
        KeyboardInterrupt: the message says how many pictures are complete.
    """
    options = check_drawing(artist, options, batch_size)
    plan = plan_folder(prompts, seeds, suffix, widened)
    place = folder if isinstance(folder, Place) else Folder(folder)
    place.check()
    done = drawn = 0
    with progress("Drawing", len(plan)) as advance:
        try:
            for made in draw_files(
                artist, plan, options, place=place, batch_size=batch_size, stages=stages, force=force
            ):
                made.check()
                done, drawn = done + 1, drawn + made.drawn
                advance(1)
        except KeyboardInterrupt:
            done += done < len(plan) and place.has(plan.path(done))  # interrupted between writing and counting it
            raise KeyboardInterrupt(f"Interrupted: {place} has {done:,} of {len(plan):,} pictures.") from None
    return DrawnFolder(len(plan), drawn, write_grid(plan, place))


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

    def check(self) -> None:
        """
        Raises:
            OutputError: the file holds another picture.
        """
        if self.problem:
            raise OutputError(f"{self.problem} Choose another folder, or replace it with --force.")


def draw_files(
    artist: Artist,
    wanted: Iterable[tuple[Request, Path]],
    options: Config,
    *,
    place: Place = HERE,
    batch_size: int = DEFAULT_BATCH_SIZE,
    stages: bool = False,
    frame: Frame | None = None,
    force: bool = False,
) -> Iterator[DrawnFile]:
    """Draw each picture whose file is missing or damaged; yields every file, in order, as soon as it is complete.

    A bucket completes files a little later: all of them when the last one was yielded.

    Args:
        wanted: read as they are drawn, LOOK_AHEAD at a time, so that a long list needs little memory. Each file once.
        place: what the paths are relative to.
        stages: also write each picture's stages next to it.
        frame: put around each picture.
        force: replace files that hold other pictures.

    Raises:
        InvalidInputError: a request is invalid, or the artist draws in one stage and has no `stages`.
        OutputError: a file cannot be written; those before it are complete.
    """
    todo = iter(wanted)
    while part := list(islice(todo, LOOK_AHEAD)):
        found = list(place.map(lambda one: _look(place, one[1], artist, one[0], options, stages, frame, force), part))
        missing = (request for (request, _), look in zip(part, found, strict=True) if look is None)
        pictures = artist.draw(missing, options, batch_size=batch_size, stages=stages)
        for (_, path), look in zip(part, found, strict=True):
            if look is None:
                place.save(framed(next(pictures), frame), path)
            yield look or DrawnFile(path, drawn=True)
    place.flush()


def write_grid(plan: FolderPlan, place: Place) -> str | None:
    """Write the sheet of all pictures; returns where it is, or None if there are more than MAX_GRID_PICTURES.

    Raises:
        OutputError: it cannot be written, or a picture is not there.
    """
    if len(plan) > MAX_GRID_PICTURES:
        return None
    columns = len(plan.seeds) if len(plan.seeds) > 1 else None
    pictures = list(place.map(lambda planned: _read(place, planned[1]), plan))
    place.write(GRID, png_bytes(sheet(pictures, columns, [request.prompt for request, _ in plan])))
    return place.at(GRID)


def _read(place: Place, path: Path) -> Image.Image:
    file = place.open(path)
    if file is None:
        raise OutputError(f"{place.at(path)} was drawn, but is not there. Give a folder that all workers see.")
    with file, Image.open(file) as picture:
        return picture.convert("RGB")


def _look(
    place: Place,
    path: Path,
    artist: Artist,
    request: Request,
    options: Config,
    stages: bool,
    frame: Frame | None,
    force: bool,
) -> DrawnFile | None:
    """What `path` holds; None if the picture must be drawn. Damaged files are drawn again."""
    try:
        file = place.open(path)
        if file is None:
            return None
        with file:
            found = provenance_in(file, place.at(path))
    except InvalidInputError:
        return None
    if found is not None and _is_same(found, artist, request, options, frame):
        return None if stages and not place.has(strip_path(path)) else DrawnFile(path, drawn=False)
    if force:
        return None
    reason = "it was drawn with other weights or options" if found else "it has no provenance"
    if found is not None and (found.prompt, found.seed) != (request.prompt.strip(), request.seed):
        reason = f"it was drawn from {shown(found.prompt)} with seed {found.seed}"
    return DrawnFile(path, drawn=False, problem=f"{place.at(path)} holds another picture ({reason}).")


def _is_same(found: Provenance, artist: Artist, request: Request, options: Config, frame: Frame | None) -> bool:
    identity = artist.identity
    drawn_by = (found.artist.weights, found.artist.text_encoders, found.artist.adapters)
    return (found.prompt, found.seed, found.options, found.source, found.frame, *drawn_by) == (
        *(request.prompt, request.seed, options.model_dump(mode="json"), None, frame),
        *(identity.weights, identity.text_encoders, identity.adapters),
    )
