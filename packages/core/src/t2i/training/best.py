"""best/ in a run folder: the snapshot of the step that was best on held-out pictures."""

from __future__ import annotations

import shutil

from t2i.generator import Generator
from t2i.runs.folder import RunFolder
from t2i.snapshots.record import SnapshotFacts
from t2i.snapshots.save import save_snapshot


def keep_best(run: RunFolder, generator: Generator, facts: SnapshotFacts) -> None:
    """Replace best/ by a snapshot of `generator`; after a kill, the old or the new one is there, or best/ is missing.

    Raises:
        OutputError: the folder cannot be written.
    """
    new, old = (run.best.with_name(f".{run.best.name}-{age}") for age in ("new", "old"))
    for remains in (new, old):
        shutil.rmtree(remains, ignore_errors=True)
    save_snapshot(generator, new, facts)
    if run.best.exists():
        run.best.rename(old)
    new.rename(run.best)
    shutil.rmtree(old, ignore_errors=True)
