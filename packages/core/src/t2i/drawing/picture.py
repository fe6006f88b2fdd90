"""What a pipeline gives: pictures that know how they were made."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from t2i.drawing.provenance import Provenance


@dataclass(frozen=True)
class Picture:
    """One generated picture and how to make it again.

    Attributes:
        stages: the pictures made on the way to it, coarse to fine, itself last; none unless they were asked for.
    """

    image: Image.Image
    provenance: Provenance
    stages: tuple[Image.Image, ...] = ()

    @property
    def prompt(self) -> str:
        return self.provenance.prompt

    @property
    def seed(self) -> int:
        return self.provenance.seed


@dataclass(frozen=True)
class PipelineOutput:
    """Pictures ordered by prompt, then by seed."""

    pictures: tuple[Picture, ...]

    @property
    def images(self) -> list[Image.Image]:
        return [picture.image for picture in self.pictures]

    @property
    def seeds(self) -> list[int]:
        return [picture.seed for picture in self.pictures]

    @property
    def prompts(self) -> list[str]:
        return [picture.prompt for picture in self.pictures]
