"""Keeps every picture in a folder, one thread for all; the index records those that are kept."""

from __future__ import annotations

import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import final

from t2i.drawing.picture import Picture, file_name
from t2i.files import check_writable
from t2i_server.log import error_text, log_line


@final
class Keeper:
    """Writes pictures as `t2i generate` does: with provenance, completely or not at all."""

    def __init__(self, folder: Path) -> None:
        """
        Raises:
            OutputError: nothing can be written there.
        """
        check_writable(folder / "picture.png")
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, "keeping")

    async def keep(self, picture: Picture) -> None:
        """Write a picture; a full disk is logged, and costs no client its answer."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, picture)

    def stop(self) -> None:
        """Write what is waiting."""
        self._thread.shutdown()

    def _write(self, picture: Picture) -> None:
        made = hashlib.sha256(picture.image.tobytes() + repr(picture.provenance).encode())
        suffix = f"-{made.hexdigest()[:12]}.png"  # equal pictures of one second share one file
        try:
            picture.save(self._folder / file_name(int(time.time()), picture.prompt, picture.seed, suffix))
        except Exception as error:  # the disk is full, or a plugin that listens has failed
            log_line(event="picture not kept", error=error_text(error))
