"""`draw_products` with an artist that takes no time: memory and time of 1,000 to T2I_BENCH_ROWS (100,000) rows."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, final

from measure import line
from PIL import Image

from t2i.config import Config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, ArtistFiles, Request
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import ArtistIdentity, Provenance

ROWS = int(os.environ.get("T2I_BENCH_ROWS", "100_000"))


def run() -> None:
    """Each catalog in its own process, drawn and then run again with every picture there; in memory if possible."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        for rows in (1_000, 10_000, ROWS):
            folder = Path(scratch, str(rows))
            for what in ("drawn", "there already"):
                command = [sys.executable, __file__, str(rows), str(folder)]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
                seconds, peak_mib = done.stdout.split()
                line(f"{rows:,} rows, {what}: peak memory, {seconds} s", f"{peak_mib} MiB")


@final
class Idle(Artist):
    """Returns the same small picture for every request."""

    identity = ArtistIdentity("idle", "", {"none": "0"}, {}, "cpu", {"t2i-core": ""})  # type: ignore[assignment]
    resolution, device, files, options_type = 8, "cpu", ArtistFiles(0), Config  # type: ignore[assignment]

    def options(self, /, **values: Any) -> Config:
        return Config(**values)

    def draw(
        self,
        requests: Iterable[Request],
        options: Config | None = None,
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        stages: bool = False,
    ) -> Iterator[Picture]:
        image = Image.new("RGB", (self.resolution, self.resolution), "red")
        return (Picture(image, Provenance(each.prompt, each.seed, {}, self.identity)) for each in requests)


def draw(rows: int, folder: Path) -> None:
    """Draw a catalog of so many rows into `folder`; prints the seconds, and this process's peak memory in MiB."""
    from t2i_apps.products.catalog import Catalog
    from t2i_apps.products.draw import draw_products
    from t2i_apps.products.template import ColumnTemplate

    table = folder.with_suffix(".csv")
    with table.open("w") as file:
        file.write("sku,title,text\n")
        file.writelines(f"SKU-{number:07d},thing {number},{'words ' * 20}\n" for number in range(rows))
    start = time.perf_counter()
    prompt, name = (ColumnTemplate.parse(text, "it") for text in ("{title}", "{sku}"))
    done = draw_products(Idle(), Catalog(table), prompt, name, folder)
    assert done.drawn + done.kept == rows and not done.failed
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.perf_counter() - start:.0f} {peak:.0f}")


if __name__ == "__main__":
    draw(int(sys.argv[1]), Path(sys.argv[2]))
