"""Draw many prompts with an engine: each worker keeps the model, draws shards of the plan, and writes them itself."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from t2i.drawing.artist import DEFAULT_BATCH_SIZE
from t2i.drawing.folder import DrawnFolder, draw_files, write_grid
from t2i.drawing.folder_plan import FolderPlan, Planned
from t2i.drawing.opening import Memory, agreed, refused
from t2i.drawing.pipeline import pipeline
from t2i.drawing.place import Folder
from t2i.drawing.places import place_of
from t2i.engine import Engine
from t2i.errors import OutputError
from t2i.files import unwritable
from t2i.progress import Progress, silent

Shard = tuple[Planned, ...]
Counts = tuple[int, int]
"""How many pictures of a shard were drawn, and how many were there already."""


@dataclass(frozen=True)
class FolderWorker:
    """Opens the model and the place in a worker, from what can be sent to another machine.

    Pictures that workers draw are not recorded in an index: `t2i index add` adds them.

    Attributes:
        place: a folder that every worker sees under the same path, or s3://bucket/prefix.
        options: of the model, by name.
        confirmed: whether a worker may start a large download.
        model, device, memory, adapters, accept_new: as `t2i.drawing.pipeline.pipeline` takes them.
        batch_size, stages, force: as `t2i.drawing.folder.draw_folder` takes them.
    """

    model: str
    place: str
    options: Mapping[str, Any] = field(default_factory=dict)
    device: str | None = None
    memory: Memory = "auto"
    adapters: Sequence[str] = ()
    accept_new: bool = False
    confirmed: bool = False
    batch_size: int = DEFAULT_BATCH_SIZE
    stages: bool = False
    force: bool = False

    def __call__(self) -> Callable[[Shard], Counts]:
        """The function that draws a shard.

        Raises:
            T2IError: the model, its options or the place cannot be used.
        """
        place = place_of(self.place)
        if isinstance(place, Folder) and not os.path.isdir(place.folder):  # noqa: PTH112
            raise OutputError(
                f"Every worker must see the folder of the pictures, but {self.place} is not on {socket.gethostname()}. "
                f"Give a folder on a shared disk, or s3://bucket/prefix."
            )
        artist = pipeline(
            self.model,
            device=self.device,
            memory=self.memory,
            adapters=self.adapters,
            accept_new=self.accept_new,
            confirm=agreed if self.confirmed else refused,
        )
        options = artist.options(**self.options)

        def draw(shard: Shard) -> Counts:
            drawn = 0
            for made in draw_files(
                artist,
                shard,
                options,
                place=place,
                batch_size=self.batch_size,
                stages=self.stages,
                force=self.force,
            ):
                made.check()
                drawn += made.drawn
            return drawn, len(shard) - drawn

        return draw


def spread_folder(
    engine: Engine, worker: FolderWorker, plan: FolderPlan, *, progress: Progress = silent
) -> DrawnFolder:
    """Draw a plan with the workers of an engine: the same files that `draw_folder` writes, byte for byte.

    A shard is one batch of the plan. Pictures that are there already are kept, so after an interruption, or if the
    process is killed, the same call draws the others.

    Raises:
        EngineError: workers are lost again and again, or cannot start.
        T2IError: as `FolderWorker` and `draw_folder`.
        KeyboardInterrupt: the message says how many pictures are complete.
    """
    place = place_of(worker.place)
    place.check()
    if isinstance(place, Folder):
        _make(place.folder)
    drawn = done = 0
    with progress("Drawing", len(plan)) as advance:
        try:
            for now, before in engine.map(worker, shards(plan, worker.batch_size)):
                drawn, done = drawn + now, done + now + before
                advance(now + before)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"Interrupted: {place} has at least {done:,} of {len(plan):,} pictures.") from None
    return DrawnFolder(len(plan), drawn, write_grid(plan, place))


def shards(plan: FolderPlan, size: int) -> Iterator[Shard]:
    """The plan in parts of `size` pictures, the last one smaller."""
    planned = iter(plan)
    while shard := tuple(islice(planned, size)):
        yield shard


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
