"""The pictures of a folder: each prompt with each seed, in order, and the name of each file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from t2i.drawing.artist import Request
from t2i.drawing.formats import check_format
from t2i.drawing.picture import file_name
from t2i.drawing.provenance import Widened
from t2i.errors import InvalidInputError
from t2i.text import check_prompts

MAX_FOLDER_PICTURES = 1_000_000_000

Planned = tuple[Request, Path]
"""A picture to draw, and its file, relative to the place of all."""


@dataclass(frozen=True)
class FolderPlan:
    """The pictures of a folder, computed one at a time, so that a billion of them need no memory.

    Attributes:
        prompts, seeds: each prompt is drawn with each seed.
        suffix: of the files, such as ".png".
        widened: how a language model wrote a prompt, for those that it wrote.
    """

    prompts: Sequence[str]
    seeds: Sequence[int]
    suffix: str = ".png"
    widened: Mapping[str, Widened] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.prompts) * len(self.seeds)

    def __iter__(self) -> Iterator[Planned]:
        for number, prompt in enumerate(self.prompts):
            for position, seed in enumerate(self.seeds):
                request = Request(prompt, seed, self.widened.get(prompt))
                yield request, self.path(number * len(self.seeds) + position)

    def path(self, index: int) -> Path:
        """The file of a picture, by its position in this order."""
        number, position = divmod(index, len(self.seeds))
        return Path(file_name(number + 1, self.prompts[number], self.seeds[position], self.suffix))


def plan_folder(
    prompts: Sequence[str], seeds: Sequence[int], suffix: str = ".png", widened: Mapping[str, Widened] | None = None
) -> FolderPlan:
    """The plan of a folder, after checking it.

    Raises:
        InvalidInputError: a prompt is invalid, or there are more than MAX_FOLDER_PICTURES pictures.
        OutputError: there is no such format.
    """
    plan = FolderPlan(check_prompts(prompts), seeds, check_format(Path(f"picture{suffix}")).suffix, widened or {})
    if len(plan.prompts) * len(seeds) > MAX_FOLDER_PICTURES:  # len(plan) must fit in 63 bits
        raise InvalidInputError(
            f"A folder gets at most {MAX_FOLDER_PICTURES:,} pictures, got {len(plan.prompts):,} prompts with "
            f"{len(seeds):,} seeds each. Draw fewer."
        )
    return plan
