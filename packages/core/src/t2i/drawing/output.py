"""The result of calling an artist: a sequence of pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import overload

from PIL import Image

from t2i.drawing.picture import Picture, file_name
from t2i.drawing.provenance import png_bytes
from t2i.images import grid

SHOWN_PIXELS = 128  # smallest side of a picture on a sheet or in a notebook


@dataclass(frozen=True)
class PipelineOutput(Sequence[Picture]):
    """Pictures ordered by prompt, then by seed.

    Attributes:
        per_prompt: number of pictures per prompt.
    """

    pictures: tuple[Picture, ...]
    per_prompt: int = 1

    @property
    def images(self) -> list[Image.Image]:
        """The pictures as PIL images."""
        return [picture.image for picture in self.pictures]

    @property
    def seeds(self) -> list[int]:
        return [picture.seed for picture in self.pictures]

    @property
    def prompts(self) -> list[str]:
        return [picture.prompt for picture in self.pictures]

    def __len__(self) -> int:
        return len(self.pictures)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> PipelineOutput: ...
    def __getitem__(self, index: int | slice) -> Picture | PipelineOutput:
        """One picture, or a slice as a PipelineOutput."""
        return PipelineOutput(self.pictures[index]) if isinstance(index, slice) else self.pictures[index]

    def grid(self, columns: int | None = None, captions: bool = True) -> Image.Image:
        """All pictures on one sheet.

        Args:
            columns: pictures per row; by default a row per prompt, or about a square.
            captions: write each picture's prompt under it.
        """
        columns = columns or (self.per_prompt if self.per_prompt > 1 else None)
        return sheet(self.images, columns, self.prompts if captions else None)

    def save(self, folder: str | Path) -> list[Path]:
        """Write each picture with its provenance into `folder`, under the file names that `t2i generate` uses.

        Returns:
            The paths.

        Raises:
            OutputError: one cannot be written.
        """
        return [
            picture.save(Path(folder) / file_name(index // self.per_prompt + 1, picture.prompt, picture.seed))
            for index, picture in enumerate(self)
        ]

    def _repr_png_(self) -> bytes:
        """Shown by notebooks that show no HTML."""
        return png_bytes(self.grid())

    def _repr_html_(self) -> str:
        """Shown by notebooks: each picture above its prompt and seed."""
        return f'<div style="display:flex;flex-wrap:wrap;gap:8px">{"".join(map(_figure, self))}</div>'


def sheet(pictures: Sequence[Image.Image], columns: int | None, captions: Sequence[str] | None) -> Image.Image:
    """Pictures of one size as a grid, small ones enlarged."""
    return grid(pictures, columns, captions, scale=max(1, SHOWN_PIXELS // pictures[0].width))


def _figure(picture: Picture) -> str:
    caption = escape(f"{picture.prompt} (seed {picture.seed})")
    width = max(SHOWN_PIXELS, picture.image.width)
    return (
        f'<figure style="margin:0;width:{width}px">'
        f'<img alt="{caption}" width="{width}" style="image-rendering:pixelated"'
        f' src="data:image/png;base64,{base64.b64encode(picture.png()).decode()}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
