"""A drawn picture with its provenance."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from t2i.drawing.formats import check_format, encoded
from t2i.drawing.provenance import Provenance, png_bytes, signed
from t2i.files import write_atomic
from t2i.images import grid
from t2i.registry.events import picture_written
from t2i.spelling import spelled

SLUG_CHARACTERS, SLUG_BYTES = 60, 180  # a file name may have 255 bytes


@dataclass(frozen=True)
class Picture:
    """One drawn picture and everything needed to draw it again.

    Attributes:
        image: RGB; its `save` keeps the provenance, but images derived from it do not.
        stages: the pictures at each stage, coarse to fine, ending with `image`; empty unless requested.
        record: whether plugins that keep an index should remember it when it is saved.
        sentence: [d], the text encoder's embedding of the prompt, float32 on the CPU; None if it is not at hand.
        unread: what the text encoder could not read of the prompt, as a sentence; "" if it read everything.
    """

    image: Image.Image
    provenance: Provenance
    stages: tuple[Image.Image, ...] = ()
    record: bool = False
    sentence: Float[Tensor, " d"] | None = field(default=None, repr=False, compare=False)
    unread: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", signed(self.image, self.provenance))

    @property
    def prompt(self) -> str:
        return self.provenance.prompt

    @property
    def seed(self) -> int:
        return self.provenance.seed

    @property
    def strip(self) -> Image.Image:
        """Its stages side by side, all at its size."""
        enlarged = [stage.resize(self.image.size, Image.Resampling.NEAREST) for stage in self.stages]
        return grid(enlarged, columns=len(enlarged))

    def png(self) -> bytes:
        """The PNG file with its provenance; equal pictures with equal provenance give equal bytes."""
        return png_bytes(self.image)

    def save(self, path: str | Path) -> Path:
        """Write it with its provenance, completely or not at all, and notify plugins.

        Args:
            path: ends in .png, .jpg, .jpeg or .webp.

        Returns:
            The path.

        Raises:
            OutputError: `path` has another suffix, or cannot be written.
        """
        path = check_format(Path(path))
        write_atomic(path, encoded(self.image, path.suffix))
        picture_written(path, self)
        return path

    def _repr_png_(self) -> bytes:
        """Shown by notebooks."""
        return self.png()


def file_name(number: int, prompt: str, seed: int, suffix: str = ".png") -> str:
    """ "0003-a-red-heart-7.png": ordered, readable, and the same for the same request."""
    return f"{number:04d}-{_slug(prompt)}-{seed}{suffix}"


def _slug(prompt: str) -> str:
    """The prompt's letters and digits in any script; in ASCII if this system's file names cannot have them."""
    text = unicodedata.normalize("NFC", spelled(prompt)).lower()
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        from anyascii import anyascii

        text = anyascii(text).lower()
    kept = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in text)
    slug = "-".join(kept.split())[:SLUG_CHARACTERS]
    return slug.encode()[:SLUG_BYTES].decode(errors="ignore").strip("-") or "picture"
