"""Draws untrusted SVG with resvg (if it is installed), after checking its size and its references."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from t2i.errors import DataError

MAX_SVG_BYTES = 2_000_000
MAX_ELEMENTS = 20_000  # after every reference is replaced by its target
MAX_NESTING = 60
MAX_SIDE = 4096  # pixels of the drawing's longer side
_REFUSED = {"image", "feimage", "foreignobject"}  # read other files, or contain other languages
_REFUSED |= {"marker", "feturbulence", "femorphology", "feconvolvematrix"}  # have no time limit
_CHEAP = {"lineargradient", "radialgradient"}  # a style sheet may refer to these any number of times
_REFERENCE = re.compile(r"url\(\s*['\"]?#([^)'\"\s]+)")
_LENGTH = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*(px|pt|pc|mm|cm|in|em|ex)?\s*$", re.IGNORECASE)
_PIXELS = {"": 1, "px": 1, "pt": 4 / 3, "pc": 16, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96, "em": 16, "ex": 8}


def svg_size(content: bytes) -> tuple[int, int]:
    """Width and height that the drawing declares, in pixels of 1/96 inch.

    Raises:
        DataError: it is too large, not SVG, refers to other files, or would take too long to draw.
    """
    width, height = _Checked(content).size
    return max(1, round(width)), max(1, round(height))


def svg_as_png(content: bytes, shorter: int) -> tuple[bytes, str]:
    """The drawing as PNG, its shorter side of about `shorter` pixels, and a note: "" or what is not drawn.

    Text is not drawn, because fonts differ between machines.

    Raises:
        DataError: as in svg_size; or resvg cannot draw it.
    """
    from resvg_py import svg_to_bytes

    checked = _Checked(content)
    width, height = checked.size
    scale = shorter / min(width, height)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    if max(width, height) > MAX_SIDE:
        raise DataError(f"a drawing {width / height:.3g} times as wide as high is not drawn")
    try:
        text = content.decode("utf-8-sig")
        png = bytes(svg_to_bytes(svg_string=text, width=width, height=height, skip_system_fonts=True))
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 at byte {error.start}") from None
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a Rust panic is not an Exception
        raise DataError(f"resvg cannot draw it ({str(error) or type(error).__name__})") from None
    return png, "its text is not drawn" if checked.has_text else ""


@dataclass
class _Element:
    """The cost of drawing an element: itself, the elements in it, and those it refers to."""

    name: str
    count: int = 1
    nesting: int = 0
    references: list[str] = field(default_factory=list)


class _Checked:
    """Reads the elements without building a tree; refuses SVGs that would read files or never end."""

    def __init__(self, content: bytes) -> None:
        if len(content) > MAX_SVG_BYTES:
            raise DataError(f"an SVG of {len(content)} bytes (at most {MAX_SVG_BYTES})")
        self.size, self.has_text = (0.0, 0.0), False
        self._style = ""
        self._open: list[_Element] = []
        self._named: dict[str, _Element] = {}
        self._count = 0
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text
        parser.EntityDeclHandler = self._entity
        try:
            parser.Parse(content, True)
        except expat.ExpatError as error:
            raise DataError(f"not a readable SVG ({error})") from None
        self._check_references()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2].lower()
        self._count += 1
        if not self.size[0]:
            self.size = _declared_size(name, attributes)
        self.has_text = self.has_text or name == "text"
        if name in _REFUSED:
            raise DataError(f"an SVG with <{name}> is not drawn")
        if len(self._open) >= MAX_NESTING or self._count > MAX_ELEMENTS:
            raise DataError(f"an SVG of more than {MAX_ELEMENTS} elements or {MAX_NESTING} levels")
        element = _Element(name)
        for key, value in attributes.items():
            local = key.rpartition(" ")[2].lower()
            if local == "href" and name != "a":
                if not value.startswith("#"):
                    raise DataError("an SVG that refers to other files is not drawn")
                element.references.append(value[1:])
            element.references += _REFERENCE.findall(value)
            if local == "id":
                self._named.setdefault(value, element)
        self._open.append(element)

    def _end(self, tag: str) -> None:
        done = self._open.pop()
        if self._open:
            parent = self._open[-1]
            parent.count += done.count
            parent.nesting = max(parent.nesting, done.nesting + 1)
            parent.references += done.references
        else:
            self._root = done

    def _text(self, text: str) -> None:
        if self._open and self._open[-1].name == "style":
            self._style += text

    def _entity(self, *declaration: object) -> None:
        raise DataError("an SVG with entities is not drawn")

    def _check_references(self) -> None:
        """Refuse cycles, and nested references that multiply without limit."""
        if any(
            name in self._named and self._named[name].name not in _CHEAP for name in _REFERENCE.findall(self._style)
        ):
            raise DataError("an SVG whose style sheet refers to anything but gradients is not drawn")
        costs: dict[str, tuple[int, int]] = {}
        busy: set[str] = set()

        def cost(element: _Element, level: int) -> tuple[int, int]:
            count, nesting = element.count, element.nesting
            for name in element.references:
                if name not in self._named:
                    continue
                if name in busy or level > MAX_NESTING:
                    raise DataError("an SVG that refers to itself is not drawn")
                if name not in costs:
                    busy.add(name)
                    costs[name] = cost(self._named[name], level + 1)
                    busy.discard(name)
                count += costs[name][0]
                nesting = max(nesting, element.nesting + costs[name][1])
                if count > MAX_ELEMENTS or nesting > MAX_NESTING:
                    raise DataError(f"an SVG of more than {MAX_ELEMENTS} elements or {MAX_NESTING} levels")
            return count, nesting

        cost(self._root, 0)


def _declared_size(name: str, attributes: dict[str, str]) -> tuple[float, float]:
    if name != "svg":
        raise DataError(f"not an SVG, but <{name[:40]}>")
    box = [float(part) for part in re.findall(r"-?[0-9.]+(?:e[+-]?[0-9]+)?", attributes.get("viewBox", ""))[:4]]
    known = box[2:] if len(box) == 4 else [0.0, 0.0]
    sides = [_pixels(attributes.get(side, "")) or other for side, other in zip(("width", "height"), known, strict=True)]
    if not all(0 < side < 1e6 for side in sides):
        raise DataError("an SVG without width and height")
    return sides[0], sides[1]


def _pixels(length: str) -> float:
    """A length in pixels; 0 for a percentage or an invalid value."""
    found = _LENGTH.match(length)
    try:
        return float(found[1]) * _PIXELS[(found[2] or "").lower()] if found else 0.0
    except ValueError:
        return 0.0
