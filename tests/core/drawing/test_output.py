"""The output of an artist: a sequence of pictures that can be saved, and shown on a sheet and in a notebook."""

from __future__ import annotations

import base64
import io
import os
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from fakes.artist import ShardedArtist, write_artist
from t2i.drawing.output import PipelineOutput
from t2i.drawing.picture import Picture, file_name
from t2i.drawing.provenance import read_provenance
from t2i.errors import OutputError
from t2i.images import grid


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> PipelineOutput:
    artist = ShardedArtist(write_artist(tmp_path_factory.mktemp("artist") / "a"), "a", "cpu")
    return artist(["a red square", 'a <blue> "square"'], num_images_per_prompt=3, seed=7)


def test_it_is_a_sequence_of_pictures(out: PipelineOutput):
    assert len(out) == 6 and list(out) == list(out.pictures) and out[-1] is out.pictures[5]
    assert [picture.seed for picture in out] == out.seeds == [7, 8, 9] * 2
    assert out[4] in out and next(reversed(out)) is out[5]
    part = out[2:4]
    assert isinstance(part, PipelineOutput) and part.pictures == out.pictures[2:4]
    with pytest.raises(IndexError):
        out[6]


def test_a_saved_picture_says_how_it_was_made(out: PipelineOutput, tmp_path: Path):
    path = out[1].save(tmp_path / "new" / "red.png")
    assert path == tmp_path / "new" / "red.png" and path.read_bytes() == out[1].png()
    assert read_provenance(path) == out[1].provenance
    out.images[1].save(tmp_path / "pil.png")  # as in other libraries
    assert read_provenance(tmp_path / "pil.png") == out[1].provenance


def test_a_picture_has_a_format_that_keeps_its_provenance(out: PipelineOutput, tmp_path: Path):
    with pytest.raises(OutputError, match=r"Try .*x\.png"):
        out[0].save(tmp_path / "x.gif")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"):
        out[0].save(tmp_path / "file" / "x.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_gets_the_names_of_the_command_line(out: PipelineOutput, tmp_path: Path):
    paths = out.save(tmp_path / "out")
    assert [path.name for path in paths] == [
        *(f"0001-a-red-square-{seed}.png" for seed in (7, 8, 9)),
        *(f"0002-a-blue-square-{seed}.png" for seed in (7, 8, 9)),
    ]
    assert [read_provenance(path) for path in paths] == [picture.provenance for picture in out]


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("日本の旗", "0003-日本の旗-7.png"),
        ("Красное сердце!", "0003-красное-сердце-7.png"),
        ("हिन्दी", "0003-हिन्दी-7.png"),
        ("قلب أحمر", "0003-قلب-أحمر-7.png"),
        ("a 🐼, 🇯🇵", "0003-a-panda-flag-of-japan-7.png"),
        ("../../etc", "0003-etc-7.png"),
        ("\u202egnp.\x1b[2J", "0003-gnp-2j-7.png"),
        ("x" * 99, f"0003-{'x' * 60}-7.png"),
        ("𝒳" * 99, f"0003-{'𝒳' * 45}-7.png"),
        ("?!", "0003-picture-7.png"),
    ],
)
def test_a_file_name_keeps_the_letters_and_is_never_a_path(prompt: str, name: str, tmp_path: Path):
    assert file_name(3, prompt, 7) == name
    (tmp_path / name).touch()


def test_file_names_are_transliterated_if_they_must_be_ascii(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "fsencode", lambda text: text.encode("ascii"))
    assert file_name(1, "Красное сердце", 7) == "0001-krasnoe-serdtse-7.png"


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".PNG"])
def test_every_format_has_provenance(out: PipelineOutput, tmp_path: Path, suffix: str):
    path = out[4].save(tmp_path / f"x{suffix}")
    assert read_provenance(path) == out[4].provenance
    with Image.open(path) as picture:
        exact = suffix != ".jpg"
        assert (picture.convert("RGB").tobytes() == out.images[4].tobytes()) == exact
    out.images[4].save(tmp_path / f"pil{suffix}")
    assert read_provenance(tmp_path / f"pil{suffix}") == out[4].provenance


def test_the_grid_has_a_row_per_prompt(out: PipelineOutput):
    assert out.grid().tobytes() == grid(out.images, 3, out.prompts, scale=16).tobytes()
    assert out.grid(columns=2, captions=False).tobytes() == grid(out.images, 2, scale=16).tobytes()


class Page(HTMLParser):
    """The pictures and the text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name == "src"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_notebook_shows_each_picture_with_its_prompt_and_seed(out: PipelineOutput):
    page = Page(out._repr_html_())
    shown = [base64.b64decode(source.partition("base64,")[2]) for source in page.sources]
    assert shown == [picture.png() for picture in out]
    assert 'a <blue> "square" (seed 9)' in page.text and set(page.tags) == {"div", "figure", "img", "figcaption"}
    with Image.open(io.BytesIO(out._repr_png_())) as sheet:
        assert sheet.convert("RGB").tobytes() == out.grid().tobytes()
    assert out[0]._repr_png_() == out[0].png()


def test_stages_are_side_by_side_at_the_picture_s_size(out: PipelineOutput):
    small, large = Image.new("RGB", (4, 4), "red"), out[0].image
    strip = Picture(large, out[0].provenance, (small, large)).strip
    assert strip.size == (2 * (8 + 4) + 4, 8 + 2 * 4)
    assert strip.crop((4, 4, 12, 12)).getcolors() == [(64, (255, 0, 0))]
    assert strip.crop((16, 4, 24, 12)).tobytes() == large.tobytes()
