"""Draw a picture for each row of a table: named by its columns, listed in manifests, shown on contact pages."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from t2i.config import Config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, Request, check_drawing
from t2i.drawing.folder import draw_files
from t2i.drawing.formats import check_format
from t2i.drawing.provenance import Frame
from t2i.errors import DataError, OutputError, T2IError
from t2i.plain_text import MAX_PROMPT_CHARACTERS
from t2i.progress import Progress, silent
from t2i.runs.lock import hold
from t2i.seeds import check_seed
from t2i_apps.products.catalog import Catalog
from t2i_apps.products.naming import Naming
from t2i_apps.products.record import Product, Records
from t2i_apps.products.template import ColumnTemplate, without_gaps

LOCK, HOLDER = ".lock", ".lock-holder"


@dataclass(frozen=True)
class DrawnProducts:
    """The result of `draw_products`: how many pictures were drawn now, were there already, and failed."""

    drawn: int
    kept: int
    failed: int


def draw_products(
    artist: Artist,
    catalog: Catalog,
    prompt: ColumnTemplate,
    name: ColumnTemplate,
    folder: Path,
    options: Config | None = None,
    *,
    seed: int = 0,
    suffix: str = ".png",
    batch_size: int = DEFAULT_BATCH_SIZE,
    frame: Frame | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> DrawnProducts:
    """Draw a picture for each row; pictures that are there already are kept, so that an interrupted run can go on.

    Rows that cannot be drawn do not stop the others; they are listed in failed.csv with the reason.

    Args:
        prompt, name: templates of the catalog's columns.
        seed: of every picture.
        suffix: of the pictures: .png, .jpg, .jpeg or .webp.
        frame: put around each picture.
        force: replace files that hold other pictures.

    Raises:
        DataError: a template names a column that the catalog does not have, or the catalog cannot be read further.
        InvalidInputError: an option is outside its range.
        OutputError: another process draws into this folder, or a file cannot be written.
        KeyboardInterrupt: the message says how many pictures are complete.
    """
    prompt.check(catalog.columns, str(catalog))
    name.check(catalog.columns, str(catalog))
    naming, chosen = Naming(name), check_drawing(artist, options, batch_size)
    check_seed(seed)
    check_format(folder / f"picture{suffix}")
    waiting: deque[Product] = deque()
    done = drawn = 0

    def wanted() -> Iterator[tuple[Request, Path]]:
        for product in _products(catalog, prompt, naming, folder, suffix, records):
            waiting.append(product)
            yield Request(product.prompt, seed), product.path

    with (
        hold(folder / LOCK, folder / HOLDER, lambda holder: _taken(folder, holder)),
        Records(folder, str(catalog), catalog.columns, artist, chosen, seed) as records,
        progress("Drawing", catalog.count) as advance,
    ):
        try:
            for made in draw_files(artist, wanted(), chosen, batch_size=batch_size, frame=frame, force=force):
                product = waiting.popleft()
                if made.problem:
                    records.fail(product.where, f"{made.problem} Replace it with --force", product.path.stem)
                else:
                    records.add(product)
                    done, drawn = done + 1, drawn + made.drawn
                advance(1)
        except KeyboardInterrupt:
            done += bool(waiting) and waiting[0].path.exists()  # interrupted between writing and counting it
            raise KeyboardInterrupt(f"Interrupted: {folder}/ has {done:,} of {catalog.count:,} pictures.") from None
    return DrawnProducts(drawn, done - drawn, records.failed)


def _products(
    catalog: Catalog, prompt: ColumnTemplate, naming: Naming, folder: Path, suffix: str, records: Records
) -> Iterator[Product]:
    """The rows that can be drawn; the others are recorded as failed."""
    for row in catalog.rows(records.fail):
        try:
            text = _prompt(prompt, row.cells)
            path = naming.name({column: row.cells.get(column, "") for column in catalog.columns})
        except DataError as error:
            records.fail(row.where, str(error))
            continue
        yield Product(row.where, folder / f"{path}{suffix}", text, row.cells)


def _prompt(template: ColumnTemplate, cells: Mapping[str, str]) -> str:
    """The prompt for a row.

    Raises:
        DataError: it is too long, or all of its cells are empty.
    """
    used = {column: cells.get(column, "") for column in template.columns}
    if not any(used.values()):
        raise DataError(f"the prompt is empty: it has no text in {', '.join(used)}")
    text = without_gaps(template.fill(used))
    if not 0 < len(text) <= MAX_PROMPT_CHARACTERS:
        raise DataError(f"a prompt has 1 to {MAX_PROMPT_CHARACTERS:,} characters, got {len(text):,}")
    return text


def _taken(folder: Path, holder: str) -> T2IError:
    return OutputError(
        f"Only one process at a time draws into a folder, but {holder} draws into {folder}/. Wait until it ends."
    )
