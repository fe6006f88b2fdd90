"""Small captioned pictures to train on."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def squares(folder: Path, side: int) -> None:
    """Write four squares into `folder`, each with its colour as caption."""
    folder.mkdir(parents=True)
    for colour in ("red", "green", "blue", "yellow"):
        Image.new("RGB", (side, side), colour).save(folder / f"{colour}.png")
        (folder / f"{colour}.txt").write_text(f"a {colour} square\n")
