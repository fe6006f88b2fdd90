"""The public interface of the index: search it, and get pictures and texts.

>>> import t2i
>>> hits = t2i.index().search("cat astronaut")
>>> hits[0].picture()
>>> hits[0].again().save("again.png")
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, final

from t2i.arguments import check_whole_number, is_address
from t2i.errors import InvalidInputError
from t2i.progress import Progress, silent
from t2i_index.connection import WAIT_SECONDS
from t2i_index.filters import Filters
from t2i_index.location import index_location
from t2i_index.ranking import merged, stack_of
from t2i_index.record import Record
from t2i_index.store import Space, Store

if TYPE_CHECKING:
    from PIL import Image

    from t2i.drawing.picture import Picture

By = Literal["words", "meaning", "both"]
MAX_HITS = 10_000
STACK_FACTOR = 8  # candidates read at first for each requested stack
# Cosine of two texts' vectors by MiniLM: "love" and "a red heart" have .32, "puppies" and "two dogs running on the
# beach" .30; with any of fifteen prompts, "quarterly tax report" has at most .08, "mathematics" .17, "tax" .23.
LEAST_LIKENESS = 0.25


def index(where: str | Path | None = None) -> Index:
    """Open the index.

    Args:
        where: a file, or for LanceDB a folder that ends in .lance or an address such as s3://bucket/index; by default
            what T2I_INDEX names, or the user's own index.

    Raises:
        DataError, OutputError: it cannot be opened.
    """
    return Index(open_store(str(where) if where is not None else index_location()))


def open_store(where: str, *, wait_seconds: float = WAIT_SECONDS) -> Store:
    """Open a SQLite file or, for an address or a folder that ends in .lance, LanceDB.

    Raises:
        DataError, OutputError: it cannot be opened.
    """
    if is_address(where) or where.rstrip("/").endswith(".lance"):
        from t2i_index.lance import LanceStore

        return LanceStore(where)
    from t2i_index.sqlite_store import SQLiteStore

    return SQLiteStore(Path(where).expanduser(), wait_seconds=wait_seconds)


@dataclass(frozen=True)
class Hit:
    """A record that was found.

    Attributes:
        record: the best of its stack.
        stack: all records found that differ from it only by seed and file, itself first.
    """

    record: Record
    stack: tuple[Record, ...]
    _store: Store

    def picture(self) -> Image.Image:
        """The picture, or the one that a caption describes; its file is found if it was moved within its folder.

        Raises:
            InvalidInputError: it is a text without a picture, or the file is gone or was changed.
        """
        from PIL import Image

        with Image.open(self.path()) as image:
            image.load()
            return image

    def path(self) -> Path:
        """The picture's file; if it was moved, the index stores its new path.

        Raises:
            InvalidInputError: it is a text without a picture, or the file is gone or was changed.
        """
        from t2i_index.thumbnail import find_picture

        if self.record.kind == "text" and not self.record.sha256:
            raise InvalidInputError(f"The hit is a text, which has no picture: {self.record.meaning[:80]!r}.")
        found = find_picture(self.record)
        if str(found) != self.record.path:
            self._store.set_path(self.record.id, str(found))
        return found

    def again(self, *, device: str | None = None, fetch: bool = False) -> Picture:
        """Draw the picture again; its file is not needed.

        Args:
            device: by default the one it was drawn on.
            fetch: download the model if it is not on this machine; the picture's metadata decide which model that is.

        Raises:
            InvalidInputError: it was not drawn by t2i, or was edited from another picture.
            OfflineError: the model is not on this machine, and `fetch` is false.
            IntegrityError: the model's weights have changed.
            UnknownNameError, PluginError, SnapshotError: the model cannot be loaded.
        """
        from t2i_index.again import draw_again

        return draw_again(self.record, device=device, fetch=fetch)

    def thumbnail(self) -> bytes:
        """A small copy as WebP; b"" if there is none."""
        return self._store.thumbnails([self.record.id]).get(self.record.id, b"")


@final
class Index:
    """Finds what was drawn and written."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def search(
        self,
        query: str = "",
        *,
        by: By = "words",
        like: str | Path | Image.Image | None = None,
        filters: Filters | None = None,
        n: int = 20,
        stacked: bool = True,
        progress: Progress = silent,
    ) -> list[Hit]:
        """Find records, the best first; without a query and a picture, the newest.

        Args:
            query: for words: words (all must occur), "phrases", prefix*, AND, OR, NOT; for meaning: any sentence, which
                finds texts from LEAST_LIKENESS on.
            by: "words", "meaning", or "both", merged by reciprocal rank.
            like: a picture; finds similar ones. With a query, both are merged.
            filters: conditions that every hit meets.
            n: most hits, 1 to MAX_HITS.
            stacked: put records that differ only by seed into one hit.
            progress: of encoding the texts or pictures that have no vector yet.

        Raises:
            InvalidInputError: the query is not valid, or the picture cannot be read.
            DataError: the index is damaged.
        """
        n, filters = check_whole_number(n, "The number of hits", 1, MAX_HITS), filters or Filters()
        ranked = self._ranked(query, by, like, filters, progress)
        factor = STACK_FACTOR if stacked else 1
        while True:
            ids = ranked(n * factor)
            hits = self._hits(ids, stacked)
            if len(hits) >= n or len(ids) < n * factor or n * factor > MAX_HITS * STACK_FACTOR:
                return hits[:n]
            factor *= 4

    def prepare(self, space: Space, progress: Progress = silent) -> int:
        """Encode the texts or pictures that are not encoded yet; returns how many.

        Raises:
            OfflineError, IntegrityError: the encoder's weights are not on this machine, or not the published ones.
        """
        from t2i_index.spaces import prepare

        return prepare(self.store, space, progress)

    def _ranked(
        self, query: str, by: By, like: str | Path | Image.Image | None, filters: Filters, progress: Progress
    ) -> Callable[[int], list[int]]:
        """A function that returns the best ids, up to a given number."""
        ways: list[Callable[[int], list[int]]] = []
        if query and by in ("words", "both"):
            ways.append(lambda limit: self.store.by_words(query, filters, limit))
        if query and by in ("meaning", "both"):
            from t2i_index.spaces import encode_text

            self.prepare("meaning", progress)
            meaning = encode_text(query)
            ways.append(lambda limit: self.store.by_vector("meaning", meaning, filters, limit, least=LEAST_LIKENESS))
        if like is not None:
            from t2i_index.spaces import encode_picture

            look = encode_picture(like)
            self.prepare("look", progress)
            ways.append(lambda limit: self.store.by_vector("look", look, filters, limit))
        if not ways:
            return lambda limit: self.store.newest(filters, limit)
        if len(ways) == 1:
            return ways[0]
        return lambda limit: merged([way(limit) for way in ways])[:limit]

    def _hits(self, ids: Sequence[int], stacked: bool) -> list[Hit]:
        stacks: dict[object, list[Record]] = {}
        for record in self.store.records(ids):
            stacks.setdefault(stack_of(record) if stacked else record.id, []).append(record)
        return [Hit(stack[0], tuple(stack), self.store) for stack in stacks.values()]
