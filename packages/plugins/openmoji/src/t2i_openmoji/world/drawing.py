"""Draws all placements as one SVG, so that every edge is antialiased once; drawings are read and recoloured once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image

from t2i.errors import DataError
from t2i_openmoji.dataset import read_svg
from t2i_openmoji.raster import REINSTALL, rasterize
from t2i_openmoji.world.colours import PALETTE, recolour
from t2i_openmoji.world.layout import Placement
from t2i_openmoji.world.things import things

SIDE = 72  # units of an OpenMoji drawing
SVG = 'xmlns="http://www.w3.org/2000/svg"'


Box = tuple[int, int, int, int]
"""Left, top, right and bottom of the visible part, in units."""


def draw(folder: Path, placements: Sequence[Placement], background: str, resolution: int) -> Image.Image:
    """The picture, RGB, `resolution` pixels per side.

    Args:
        folder: of OpenMoji's SVGs.
        background: a colour word; "" is white.

    Raises:
        DataError: a drawing is missing or broken.
    """
    return rasterize(compose(folder, placements), resolution, f"#{PALETTE[background or 'white'][0]}")


def compose(folder: Path, placements: Sequence[Placement]) -> str:
    """The placements as one SVG without background."""
    groups = "".join(_group(folder, placement) for placement in placements)
    return f'<svg {SVG} viewBox="0 0 {SIDE} {SIDE}">{groups}</svg>'


def _group(folder: Path, placement: Placement) -> str:
    content, (left, top, right, bottom) = _coloured(folder, placement.thing, placement.colour)
    scale = placement.side * SIDE / max(right - left, bottom - top)
    transform = (
        f"translate({placement.x * SIDE:.3f} {placement.y * SIDE:.3f}) rotate({placement.tilt:.2f}) "
        f"scale({-scale if placement.mirrored else scale:.4f} {scale:.4f}) "
        f"translate({-(left + right) / 2} {-(top + bottom) / 2})"
    )
    return f'<g transform="{transform}">{content}</g>'


@cache
def _coloured(folder: Path, key: str, colour: str) -> tuple[str, Box]:
    """A thing's drawing in a colour, and its box."""
    layers, box = _drawing(folder, key)
    natural = things()[key].colour
    if colour:
        layers = tuple(
            (name, content if name == "line" else recolour(content, natural, colour)) for name, content in layers
        )
    return "".join(content for _, content in layers), box


@cache
def _drawing(folder: Path, key: str) -> tuple[tuple[tuple[str, str], ...], Box]:
    """A thing's drawing as layers, each with its id ("color", "line", ...) and content, and its box."""
    svg = read_svg(folder, things()[key].code)
    try:
        root = ElementTree.fromstring(svg.replace(f" {SVG}", ""))  # noqa: S314 (of an installed distribution)
    except ElementTree.ParseError as error:
        raise DataError(f"not a readable SVG ({error}); {REINSTALL}") from error
    box = rasterize(svg, SIDE, background=None).getchannel("A").getbbox()
    if box is None:
        raise DataError(f"not a drawing: it has no visible part; {REINSTALL}")
    layers = tuple((layer.get("id", ""), ElementTree.tostring(layer, "unicode")) for layer in root)
    return layers, box
