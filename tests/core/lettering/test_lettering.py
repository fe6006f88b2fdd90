"""Captions in any script are readable: no boxes, lines at most as wide as the picture, no broken words."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

from t2i.images import grid
from t2i.lettering import fonts, lettering
from t2i.lettering.lettering import Lettering

LETTERS = Lettering(12)
FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
DEJAVU, STIX = FONTS / "DejaVuSans.ttf", FONTS / "STIXGeneral.ttf"


@pytest.fixture
def machine_fonts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The fonts of a machine that has only those in this list."""
    found: list[str] = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: found)
    for cached in (fonts.font_with, fonts._machine_font):
        cached.cache_clear()
    yield found
    for cached in (fonts.font_with, fonts._machine_font):
        cached.cache_clear()


def test_pillow_s_own_font_has_what_it_is_used_for():
    content = ImageFont.load_default(12).path
    content.seek(0)
    assert set(map(ord, fonts.PLAIN)) <= set(TTFont(content).getBestCmap())


def ink(line: str) -> np.ndarray:
    picture = Image.new("L", (400, 20), "white")
    LETTERS.write(ImageDraw.Draw(picture), 2, 2, line)
    return 255 - np.asarray(picture).astype(int)


@pytest.mark.parametrize("word", ["Сердце", "καρδιά", "قلب", "לב", "Łódź", "trái tim"])
def test_letters_are_not_boxes(word: str, machine_fonts: list[str]):
    """Each word looks different from as many characters that no font has."""
    (line,) = LETTERS.lines(word, 400)
    assert line == word and ink(line).any()
    face = FT2Font(str(DEJAVU))
    assert all(face.get_char_index(ord(character)) for character in word)


def test_arabic_is_written_from_the_right_and_joined(machine_fonts: list[str]):
    """Joined letters are narrower than the same letters with spaces between them."""
    joined, apart = "قلب", "ق ل ب"
    assert LETTERS.width(joined) < LETTERS.width(apart) - 2 * LETTERS.width("\u00a0")
    first = ink("ق").any(0).nonzero()[0]
    whole = ink("قلب").any(0).nonzero()[0]
    assert whole.max() > first.max()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a 🐼 and 🇯🇵", "a panda and flag of Japan"),
        ("日本 flag", "RiBen flag"),
        ("한국", "HanGug"),
        ("e\u0301", "é"),
        ("a\x1b[2J\u202e\tb\r\n", "a[2J b"),
    ],
)
def test_characters_without_a_font_are_transliterated(text: str, line: str, machine_fonts: list[str]):
    assert LETTERS.lines(text, 400) == [line]


def test_a_missing_font_is_reported_once(
    machine_fonts: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(lettering, "_said", set())
    assert LETTERS.lines("сердце 🐼", 400) == ["сердце panda"] and not caplog.records
    for text in ("日本", "한국", "日本"):
        LETTERS.lines(text, 400)
    (record,) = caplog.records
    assert record.levelname == "WARNING" and "has letters such as '日'" in record.message
    assert "fonts-noto-cjk" in record.message


def test_an_installed_font_is_found_by_its_characters(machine_fonts: list[str], tmp_path: Path):
    has, has_not = (set(FT2Font(str(path)).get_charmap()) for path in (STIX, DEJAVU))
    character = chr(max(code for code in has - has_not if chr(code).isalpha()))
    assert LETTERS.lines(character, 400) != [character]
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    shutil.copy(STIX, tmp_path / "any name.ttf")
    machine_fonts += [str(tmp_path / name) for name in ("broken.ttf", "any name.ttf", "missing.ttf")]
    for cached in (fonts.font_with, fonts._machine_font):
        cached.cache_clear()
    assert fonts.font_with(character) == tmp_path / "any name.ttf"
    assert LETTERS.lines(f"Ж {character}", 400) == [f"Ж {character}"]
    assert [part for part, _ in fonts.runs(f"Ж {character}", 12)] == ["Ж ", character]
    alone, both = ink(character), ink(f"Ж {character}")
    start = round(LETTERS.width("Ж "))
    assert abs(both[:, start:].sum() - alone.sum()) < 0.2 * alone.sum()


TEXTS = st.text(st.sampled_from("ab /.-日本قлé🐼\n"), max_size=60)


@given(text=TEXTS, width=st.integers(30, 200), most=st.none() | st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_lines_fit_and_keep_the_text_in_order(text: str, width: int, most: int | None):
    lines = LETTERS.lines(text, width, most)
    assert most is None or len(lines) <= most
    assert all(line and LETTERS.width(line) <= width for line in lines)
    whole = "".join("".join(LETTERS.lines(text, 10_000)).split())
    shown = "".join(lines).replace(" ", "")
    if "…" not in shown:
        assert shown == whole
    elif most == 1:
        assert whole.startswith(shown.removesuffix("…"))


def test_a_long_caption_ends_in_an_ellipsis():
    lines = LETTERS.lines("a red heart " * 20, 100, 2)
    assert len(lines) == 2 and lines[0].startswith("a red heart") and lines[1].endswith("…")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("stackgan-v2.world64", ["stackgan-v2.", "world64"]),
        ("runs/with-a-long-name/of-2026", ["runs/with-a-", "long-name/", "of-2026"]),
        ("r_precision, higher is better", ["r_precision,", "higher is", "better"]),
        ("0.7895 ± 0.016", ["0.7895 ±", "0.016"]),
    ],
)
def test_a_heading_breaks_at_punctuation_and_not_inside_a_word(name: str, lines: list[str]):
    assert LETTERS.lines(name, 75) == lines


def test_a_word_without_a_place_to_break_ends_in_an_ellipsis():
    (line,) = LETTERS.lines("Donaudampfschifffahrtsgesellschaft", 75)
    assert line.endswith("…") and "Donaudampf".startswith(line[:5])


def test_captions_of_a_grid_differ_by_their_letters():
    picture = Image.new("RGB", (80, 10), "red")
    sheets = [
        grid([picture], captions=[text]).tobytes() for text in ("красный", "зелёный", "日本", "中国", "قلب", "🐼")
    ]
    assert len(set(sheets)) == 6
