"""Right and wrong pictures of each skill on one page, with their captions and the things that the detector found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.drawing.artist import DEFAULT_BATCH_SIZE
from t2i.evaluation.pictures import draw_pictures, to_images
from t2i.evaluation.plan import make_plan
from t2i.evaluation.processes import load_artist
from t2i.images import to_pil
from t2i.progress import Progress, silent
from t2i_metrics.skills.answers import PHRASING, Question, question_of, shows
from t2i_metrics.skills.detector import Detector, Found
from t2i_metrics.skills.evaluator import Skills
from t2i_openmoji.world.dataset import OpenMojiWorld
from t2i_openmoji.world.scene import SKILLS
from t2i_openmoji.world.sheet import Cell, write_page

RIGHT, WRONG = "green", "red"


def skills_sheet(model: str, path: Path, progress: Progress = silent, count: int = 720) -> None:
    """Draw captions of openmoji-world:test with a model and write the sheet of `write_sheet`.

    The pictures are the first ones of `t2i evaluate MODEL --data openmoji-world:test`.

    Args:
        model: its name or run folder.
        count: of captions.

    Raises:
        T2IError: there is no such model, or the file cannot be written.
    """
    examples, artist = OpenMojiWorld("test").examples, load_artist(model, None)
    planned = make_plan(examples, count, seed=0)[len(examples) :]
    drawn: list[Tensor] = []
    with progress("Drawing", count) as advance:
        for first in range(0, count, DEFAULT_BATCH_SIZE):
            some = planned[first : first + DEFAULT_BATCH_SIZE]
            drawn.append(to_images(draw_pictures(artist, some, artist.options()), artist.resolution))
            advance(len(some))
    write_sheet(path, Skills().detector, torch.cat(drawn), [one.caption for one in planned])


def write_sheet(
    path: Path, detector: Detector, images: Float[Tensor, "n 3 h w"], captions: Sequence[str], columns: int = 6
) -> None:
    """Write a WebP with two rows per skill: right pictures framed in green, wrong ones in red.

    Args:
        images: in [-1, 1].
        captions: one for each picture; those that `skills` cannot read are left out.
        columns: pictures per row, the first ones of their kind.

    Raises:
        OutputError: the file cannot be written.
    """
    cells: dict[tuple[str, bool], list[Cell]] = {}
    for picture, caption, found in zip(to_pil(images), captions, detector.find(images), strict=True):
        question = question_of(caption)
        if question is not None:
            right = shows(question.scene, found)
            text = caption if right else f"{caption}. Found: {_words(question, found)}"
            cells.setdefault((question.skill, right), []).append(Cell(picture, text, RIGHT if right else WRONG))
    rows, headings = [], []
    for skill in (*SKILLS, *PHRASING.values()):
        good, bad = (cells.get((skill, answer), []) for answer in (True, False))
        shown = [some[:columns] for some in (good, bad) if some]
        rows += shown
        headings += [f"{skill}: {len(good)} of {len(good) + len(bad)} right", ""][: len(shown)]
    write_page(path, rows, headings)


def _words(question: Question, found: Sequence[Found]) -> str:
    """The things found, with colours only if the question names one."""
    coloured = any(part.colour for part in question.scene.parts)
    names = [f"{each.colour} {each.thing or 'something'}" if coloured else each.thing or "something" for each in found]
    return ", ".join(names) or "nothing"
