"""The settings of generators whose widths follow a resolution, at one size or at several. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, PositiveInt, model_validator

from t2i.config import Config
from t2i.toolbox.widths import count_for, fitted, given_whole

Widths = tuple[PositiveInt, ...]
Blocks = Annotated[int, Field(ge=0, le=16)]


class WidthsConfig(Config):
    """A shape whose `widths` may be chosen by naming a resolution, which is not a field."""

    shorthands: ClassVar[Mapping[str, str]] = {"resolution": "pixels per side: chooses widths that lead there"}

    @classmethod
    def growth(cls, values: Mapping[str, Any]) -> int:
        """The picture's side divided by that of the map with the last width; `values` are not yet checked."""
        raise NotImplementedError

    @model_validator(mode="before")
    @classmethod
    def _a_resolution_chooses_widths(cls, values: Any) -> Any:
        resolution = given_whole(values, "resolution")
        if resolution is None:
            return values
        kept = {name: value for name, value in values.items() if name != "resolution"}
        count = count_for(resolution, cls.growth(kept))
        widths = fitted(cls.model_fields["widths"].default, count)
        if not count:
            raise ValueError(f"no widths lead to a resolution of {resolution} px here. Choose 32, 64, 128 or 256")
        if len(given := kept.get("widths", widths)) != count:
            raise ValueError(
                f"a resolution of {resolution} px needs {count} widths, got {len(given)}. Give as many, or leave "
                "widths out: they then follow the resolution"
            )
        return {"widths": widths} | kept


class StagedConfig(WidthsConfig):
    """The shape of a `StagedGenerator`."""

    shorthands: ClassVar[Mapping[str, str]] = {
        "resolution": "pixels per side of the largest picture: chooses widths that lead there"
    }

    text_dim: int = Field(384, ge=1, le=65536, description="width of the text encoder's vectors")

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Pixels per side of each picture, smallest first."""
        raise NotImplementedError


class TreeConfig(StagedConfig):
    """A trunk up to the first scale, then one branch for each further scale, twice as large as the one before."""

    widths: Widths = Field((256, 256, 128), min_length=2, max_length=9, description="trunk: channels at 4, 8, ... px")
    branch_widths: Widths = Field((64, 32), max_length=5, description="channels of each further scale")
    residual_blocks: Blocks | tuple[Blocks, ...] = Field(2, description="in each branch; a list sets them per branch")

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Pixels per side of each scale's picture."""
        first = 4 * 2 ** (len(self.widths) - 1)
        return tuple(first * 2**scale for scale in range(1 + len(self.branch_widths)))

    @property
    def branch_blocks(self) -> tuple[int, ...]:
        """Residual blocks of each branch."""
        blocks = self.residual_blocks
        return (blocks,) * len(self.branch_widths) if isinstance(blocks, int) else blocks

    @classmethod
    def growth(cls, values: Mapping[str, Any]) -> int:
        """Each branch doubles the side."""
        branches = values.get("branch_widths", cls.model_fields["branch_widths"].default)
        return int((given_whole(values, "patch") or 1) * 2 ** len(branches))

    @model_validator(mode="after")
    def _each_branch_has_its_blocks(self) -> Self:
        if len(self.branch_blocks) != len(self.branch_widths):
            raise ValueError(
                f"residual_blocks must list one number for each of {len(self.branch_widths)} branches, "
                f"got {len(self.branch_blocks)}"
            )
        return self
