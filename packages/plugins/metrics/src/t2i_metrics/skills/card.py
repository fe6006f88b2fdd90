"""The detector's card, with the scores of real pictures and of pictures changed in known ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from t2i.evaluator import Score
from t2i_metrics.skills.answers import PHRASING
from t2i_metrics.skills.detector import AT_ONCE, SIDE
from t2i_metrics.skills.evaluator import Skills, score_name
from t2i_metrics.skills.renders import to_images
from t2i_openmoji.dataset import svg_folder
from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.dataset import OpenMojiWorld, placements
from t2i_openmoji.world.drawing import draw
from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.layout import Placement
from t2i_openmoji.world.scene import SKILLS
from t2i_openmoji.world.splits import Entry

LICENSE = """\
The weights in this folder were trained on renders of OpenMoji, the open-source emoji and icon project (openmoji.org),
licensed under the Creative Commons Attribution-ShareAlike 4.0 International licence (CC BY-SA 4.0). They are published
under the same licence: https://creativecommons.org/licenses/by-sa/4.0/
"""
CARD = """\
---
library_name: t2i
license: cc-by-sa-4.0
datasets: [openmoji-world]
tags: [t2i, object-detection]
---

# The detector of t2i-metrics

A convolutional network (model.safetensors, sha256 {sha256})
that finds the {things} things of openmoji-world in a picture of {side} px: where they are, which ones, and in which of
eleven colours. The evaluator `skills` compares what it finds with the caption.

It was trained on {pictures} fresh renders, from random streams that no split of openmoji-world uses: one and two
things, one to five of a kind, several different ones, and blends of two (which it learns to reject); warped,
tinted, blurred, noisy and compressed. It has not seen pictures of generators. Scores on openmoji-world:test, 250
pictures for each skill and 450 for each kind of phrasing:

{table}

No generator can score above the real pictures. The other columns have known answers: blurred pictures stay readable;
pictures in random other colours fail if the caption asks for a colour, and only then; captions of other pictures are
wrong.

It knows these things in OpenMoji's style on a plain background. Its results for photographs, other styles, things that
are not in its list, or things smaller than a tenth of the picture's side mean nothing.

Train it again, in a checkout:

    nox -s train-detector -- OUT

Licence: CC BY-SA 4.0, as OpenMoji's pictures (openmoji.org).
"""


def table(detector: Path) -> str:
    """The card's table, in Markdown."""
    real = asked(detector, drawn_as_is)
    known = {
        f"blurred to {SIDE // 2} px": asked(detector, blurred),
        "in other colours": asked(detector, recoloured),
        "captions of others": {
            name.removesuffix("_chance"): score for name, score in real.items() if "_chance" in name
        },
    }
    heads = ["skill", "real pictures", "95 % interval", *known]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name in map(score_name, (*SKILLS, *PHRASING.values())):
        low, high = real[name].interval or (0.0, 1.0)
        values = " | ".join(f"{column[name].value:.3f}" for column in known.values())
        lines.append(f"| `{name}` | {real[name].value:.3f} | {low:.3f} to {high:.3f} | {values} |")
    return "\n".join(lines)


def asked(detector: Path, picture: Callable[[Entry], Image.Image]) -> dict[str, Score]:
    """The evaluator's scores of openmoji-world:test; `picture` draws the picture of each question."""
    skills, entries = Skills(detector=str(detector)), OpenMojiWorld("test").entries
    for first in range(0, len(entries), AT_ONCE):
        some = entries[first : first + AT_ONCE]
        images = to_images([np.asarray(picture(entry)) for entry in some])
        skills.update(images, captions=[entry.example.captions[0] for entry in some])
    return skills.compute()


def drawn_as_is(entry: Entry) -> Image.Image:
    """The dataset's own picture."""
    return _drawn(entry, placements(entry))


def blurred(entry: Entry) -> Image.Image:
    """The dataset's picture, reduced to half its side and enlarged again."""
    picture = drawn_as_is(entry)
    return picture.resize((SIDE // 2, SIDE // 2), Image.Resampling.BOX).resize(picture.size, Image.Resampling.BILINEAR)


def recoloured(entry: Entry) -> Image.Image:
    """The dataset's picture with each kind of thing in a random other colour, as from a colour-blind generator."""
    draws = Draws(f"recoloured {entry.example.id}")
    assert entry.scene is not None  # in `test`
    colours = {part.thing: _another(part.shown_colour, draws) for part in entry.scene.parts}
    return _drawn(entry, [replace(placed, colour=colours[placed.thing]) for placed in placements(entry)])


def _another(colour: str, draws: Draws) -> str:
    return draws.pick([other for other in COLOURS if other != colour]) if colour else ""


def _drawn(entry: Entry, placed: Sequence[Placement]) -> Image.Image:
    assert entry.scene is not None  # in `test`
    return draw(svg_folder(), placed, entry.scene.background, SIDE)
