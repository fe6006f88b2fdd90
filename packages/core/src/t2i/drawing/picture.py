"""A drawn picture with its provenance."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from PIL import Image
from torch import Tensor

from t2i.drawing.provenance import Provenance, png_bytes, signed
from t2i.errors import OutputError
from t2i.files import write_atomic
from t2i.images import grid
from t2i.registry.events import picture_written


@dataclass(frozen=True)
class Picture:
    """One drawn picture and everything needed to draw it again.

    Attributes:
        image: RGB; its `save` keeps the provenance, but images derived from it do not.
        stages: the pictures at each stage, coarse to fine, ending with `image`; empty unless requested.
        record: whether plugins that keep an index should remember it when it is saved.
        sentence: [d], the text encoder's embedding of the prompt, float32 on the CPU; None if it is not at hand.
    """

    image: Image.Image
    provenance: Provenance
    stages: tuple[Image.Image, ...] = ()
    record: bool = False
    sentence: Float[Tensor, " d"] | None = field(default=None, repr=False, compare=False)

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
        """Write it as a PNG with its provenance, completely or not at all, and notify plugins.

        Returns:
            The path.

        Raises:
            OutputError: `path` does not end in .png, or cannot be written.
        """
        path = check_png(Path(path))
        write_atomic(path, self.png())
        picture_written(path, self)
        return path

    def _repr_png_(self) -> bytes:
        """Shown by notebooks."""
        return self.png()


def check_png(path: Path) -> Path:
    """`path` itself.

    Raises:
        OutputError: it does not end in .png.
    """
    if path.suffix.lower() != ".png":
        raise OutputError(f"The picture is written as .png, but {path} is not. Try {path.with_suffix('.png')}.")
    return path


def file_name(number: int, prompt: str, seed: int) -> str:
    """ "0003-a-red-heart-7.png": ordered, readable, and the same for the same request."""
    slug = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:60].strip("-") or "picture"
    return f"{number:04d}-{slug}-{seed}.png"
