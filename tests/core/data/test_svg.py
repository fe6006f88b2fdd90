"""Untrusted SVG is drawn within limits, or refused with a reason; no other file is read, and nothing runs endlessly."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("resvg_py")

from t2i.data.decode import decode_picture, picture_size
from t2i.data.svg import MAX_ELEMENTS, MAX_NESTING, MAX_SVG_BYTES
from t2i.errors import DataError

RED_SQUARE = '<rect width="20" height="20" fill="red"/>'


def svg(body: str = RED_SQUARE, head: str = 'width="20" height="20"', before: str = "") -> bytes:
    links = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"{before}<svg {links} {head}>{body}</svg>".encode()


def drawn(content: bytes, resolution: int = 8):
    return decode_picture(content, resolution, name="x.svg")


def test_a_drawing_is_drawn_at_the_requested_resolution():
    picture, note = drawn(svg('<circle cx="10" cy="10" r="9" fill="blue"/>'), 200)
    assert (picture.size, note) == ((200, 200), "")
    assert picture.getpixel((100, 100)) == (0, 0, 255)
    assert picture.getpixel((2, 2)) == (255, 255, 255)  # transparent parts are placed on the background


@pytest.mark.parametrize(
    ("head", "size"),
    [
        ('width="20" height="40"', (20, 40)),
        ('viewBox="0 0 30 10"', (30, 10)),
        ('width="1in" height="25.4mm"', (96, 96)),
        ('width="100%" height="100%" viewBox="0 0 5 7"', (5, 7)),
    ],
)
def test_its_size_is_the_declared_one(head, size):
    assert picture_size(svg(head=head), name="x.svg") == size


def test_the_middle_square_is_cut_and_nothing_is_distorted():
    picture, _ = drawn(svg('<rect x="20" width="20" height="20" fill="red"/>', 'viewBox="0 0 60 20"'), 10)
    assert picture.getcolors() == [(100, (255, 0, 0))]


def test_text_is_not_drawn_and_this_is_noted():
    picture, note = drawn(svg(RED_SQUARE + '<text y="10">Hello</text>'))
    assert note == "its text is not drawn"
    assert picture.getcolors() == [(64, (255, 0, 0))]


def multiplying(levels: int) -> str:
    """Each group uses the one before ten times."""
    groups = ['<g id="g0"><rect width="1" height="1"/></g>']
    for level in range(levels):
        groups.append(f'<g id="g{level + 1}">' + f'<use xlink:href="#g{level}"/>' * 10 + "</g>")
    return "".join(groups)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (svg('<image href="/etc/passwd"/>'), "with <image>"),
        (svg('<x:image xmlns:x="http://www.w3.org/2000/svg" href="other.png"/>'), "with <image>"),
        (svg('<filter id="f"><feImage href="other.svg"/></filter>'), "with <feimage>"),
        (svg('<use href="other.svg#a"/>'), "refers to other files"),
        (svg('<filter id="f"><feTurbulence numOctaves="999999999"/></filter>'), "with <feturbulence>"),
        (svg("<foreignObject><p/></foreignObject>"), "with <foreignobject>"),
        (svg(before='<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>', body="&b;"), "with entities"),
        (svg(before='<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>', body="&a;"), "with entities"),
        (svg(multiplying(9)), f"more than {MAX_ELEMENTS} elements"),
        (svg('<g id="a"><use href="#a"/></g>'), "refers to itself"),
        (svg('<mask id="a" mask="url(#b)"/><mask id="b" mask="url( #a )"/>'), "refers to itself"),
        (svg('<style>rect{fill:url(#p)}</style><pattern id="p"/>'), "anything but gradients"),
        (svg("<g>" * MAX_NESTING + "</g>" * MAX_NESTING), f"{MAX_NESTING} levels"),
        (svg("<g/>" * (MAX_ELEMENTS + 1)), f"more than {MAX_ELEMENTS} elements"),
        (svg("<!--" + "x" * MAX_SVG_BYTES + "-->"), f"at most {MAX_SVG_BYTES}"),
        (svg(head='width="1e5" height="1"'), "times as wide as high"),
        (svg(head='width="1e99" height="1e99"'), "without width and height"),
        (svg(head=""), "without width and height"),
        (b"<html/>", "not an SVG, but <html>"),
        (b"\x89PNG", "not a readable SVG"),
        (b"", "the file is empty"),
    ],
)
def test_svgs_that_read_files_or_never_end_are_refused(content, reason):
    began = time.monotonic()
    with pytest.raises(DataError, match=reason):
        drawn(content)
    assert time.monotonic() - began < 10


def test_svgs_of_drawing_programs_are_drawn():
    style = "<style><![CDATA[.a{fill:url(#g)}]]></style>"
    gradient = '<linearGradient id="g"><stop stop-color="red"/></linearGradient>'
    clip = '<clipPath id="c"><rect width="20" height="20"/></clipPath>'
    body = f'<defs>{style}{gradient}{clip}</defs><g clip-path="url(#c)"><rect class="a" width="20" height="20"/></g>'
    public = '<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd">'
    picture, note = drawn(svg(body, before=public))
    assert (picture.getcolors(), note) == ([(64, (255, 0, 0))], "")


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_drawing_is_a_picture_or_a_data_error(data):
    content = bytearray(svg(multiplying(2) + '<path d="M0 0L9 9" stroke="url(#g1)"/>'))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture, _ = drawn(bytes(content))
    except DataError as error:
        assert str(error)
    else:
        assert picture.size == (8, 8)
