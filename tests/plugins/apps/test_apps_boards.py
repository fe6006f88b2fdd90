"""`t2i board` and `t2i album`: variations on a sheet and a page, with notes, and a picture as their origin."""

from __future__ import annotations

import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from pydantic import Field

from fakes import artist as fake
from fakes.artist import BrushOptions, ShardedArtist
from fakes.command_line import T2I
from t2i.drawing.provenance import read_provenance
from t2i_apps.boards.board import Axis

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")
DRAW = ("--model", "painter", "--device", "cpu")


class Page(HTMLParser):
    """The commands, texts and tags of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.commands: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        if data.strip():
            (self.commands if self.tags[-1] == "code" else self.texts).append(data.strip())


def test_a_board_writes_each_cell_as_a_picture(t2i: T2I, here: Path):
    axes = ("--x", "wildness=0,1,3", "--y", "seed=1..2")
    assert t2i("board", "a {red|blue} square", *axes, "--model", "painter", "--device", "cpu").code == 0
    paths = sorted((here / "board").iterdir())
    cells = [read_provenance(path) for path in paths]
    assert [(cell.prompt, cell.seed, cell.options["wildness"]) for cell in cells] == [
        (f"a {colour} square", seed, wildness)
        for colour in ("red", "blue")
        for seed in (1, 2)
        for wildness in (0, 1, 3)
    ]
    assert t2i("regenerate", paths[5], "-o", "again.png").code == 0
    with Image.open("board.png") as sheet, Image.open(paths[0]) as first:
        side = first.width * (128 // first.width)
        assert sheet.width >= 3 * side and sheet.height >= 4 * side
    page = (here / "board.html").read_text()
    assert page.count("data:image/png;base64,") == 12 and "a blue square, seed 2" in page and "wildness 3" in page


def test_a_board_of_variations_alone_is_one_row(t2i: T2I, here: Path):
    assert t2i("board", "a {red|blue|green} square", "--model", "painter", "-o", "row.png").code == 0
    assert len(list((here / "row").iterdir())) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--x", "wildness"), "An axis must be written as name=1,3,5"),
        (("--x", "seed=4..1"), "A range must increase"),
        (("--x", "seed=1..3", "--y", "seed=1,2"), "got 'seed' for both"),
        (("--x", "seed=1..300", "--y", "wildness=1,2"), "at most 400 cells"),
        (("--x", "wilderness=1"), "unknown field 'wilderness'"),
        (("--x", "seed=one"), "A seed must be a whole number"),
        (("-o", "x.gif"), "written as .png"),
    ],
)
def test_a_board_that_cannot_be_drawn_is_refused(t2i: T2I, here: Path, arguments: tuple[str, ...], said: str):
    assert said in t2i("board", "a red square", "--model", "painter", *arguments).error
    assert {path.name for path in here.iterdir()} == {"painter"}


def test_an_axis_is_read_as_typed():
    assert Axis.parse("guidance=1,2.5,true") == Axis("guidance", (1, 2.5, True))
    assert Axis.parse("seed=1..3,9") == Axis("seed", (1, 2, 3, 9))
    assert Axis.parse("model=cgan.a,runs/b") == Axis("model", ("cgan.a", "runs/b"))


def run(t2i: T2I, command: str) -> None:
    program, *words = shlex.split(command)
    assert program == "t2i"
    done = t2i(*words)
    assert done.code == 0, (command, done)


def test_the_commands_of_a_cell_draw_it_again_and_vary_it(t2i: T2I, here: Path):
    assert t2i("board", "a {red|blue} square", *DRAW, "--option", "wildness=2", "--note", "For <Ann>\n& Bo").code == 0
    page = Page(here / "board.html")
    assert "For <Ann>\n& Bo" in page.texts and (here / "board" / "note.txt").read_text() == "For <Ann>\n& Bo\n"
    again, seeds, words, made, *_ = page.commands
    for command in (again, seeds, words, made):
        run(t2i, command)
    first = sorted((here / "board").glob("*.png"))[0]
    assert (here / "again.png").read_bytes() == (here / "picture.png").read_bytes() == first.read_bytes()
    others = [read_provenance(path) for path in sorted((here / "seeds").glob("*.png"))]
    assert [(each.prompt, each.seed, each.options) for each in others] == [
        ("a red square", seed, {"wildness": 2.0}) for seed in (1, 2, 3, 4)
    ]
    (other,) = [read_provenance(path) for path in (here / "words").glob("*.png")]
    assert (other.prompt, other.seed, other.options) == ("other words", 0, {"wildness": 2.0})


def test_a_picture_is_varied_along_axes_and_its_braces_are_no_template(t2i: T2I, here: Path):
    assert t2i("generate", "a {red|blue square", "--seed", 7, "-o", "one.png", *DRAW).code == 0
    assert t2i("board", "--from", "one.png", "--x", "wildness=0,3", "-o", "more.png").code == 0
    found = [read_provenance(path) for path in sorted((here / "more").iterdir())]
    assert [(each.prompt, each.seed, each.options["wildness"]) for each in found] == [
        ("a {red|blue square", 7, 0),
        ("a {red|blue square", 7, 3),
    ]
    assert t2i("board", "--from", "one.png", "--seed", 9, "-o", "nine.png").code == 0
    (path,) = (here / "nine").iterdir()
    assert read_provenance(path).seed == 9


class SizedOptions(BrushOptions):
    """Options of an artist that draws in several sizes."""

    width: int = Field(8, ge=1)
    height: int = Field(8, ge=1)


def test_a_favourite_is_drawn_larger_where_the_model_can(t2i: T2I, here: Path, monkeypatch: pytest.MonkeyPatch):
    assert t2i("generate", "a red square", "-o", "one.png", *DRAW).code == 0
    refused = t2i("board", "--from", "one.png", "--larger", 2, "-o", "large.png")
    assert "painter draws at 8 pixels only" in refused.error and not (here / "large").exists()
    monkeypatch.setattr(fake, "BrushOptions", SizedOptions)
    monkeypatch.setattr(ShardedArtist, "options_type", SizedOptions)
    assert t2i("generate", "a red square", "-o", "two.png", *DRAW).code == 0
    assert t2i("album", "two.png").code == 0
    (command,) = [command for command in Page(here / "album.html").commands if "--larger" in command]
    run(t2i, command)
    (path,) = (here / "larger").iterdir()
    assert (read_provenance(path).options["width"], read_provenance(path).options["height"]) == (16, 16)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "A board needs a prompt or a picture"),
        (("--from", "nowhere.png"), "There is no picture at nowhere.png"),
        (("--from", "plain.png"), "carries no provenance"),
        (("a red square", "--larger", "2"), "Say which one"),
        (("--from", "one.png", "--larger", "1"), "--larger must be a whole number from 2"),
        (("--from", "one.png", "--larger", "2", "--model", "painter"), "Leave out --model"),
    ],
)
def test_what_cannot_be_varied_is_refused(t2i: T2I, here: Path, arguments: tuple[str, ...], said: str):
    Image.new("RGB", (8, 8)).save(here / "plain.png")
    assert t2i("generate", "a red square", "-o", "one.png", *DRAW).code == 0
    assert said in t2i("board", *arguments).error
    assert not (here / "board").exists()


def test_a_picture_whose_model_has_changed_is_not_varied(t2i: T2I, here: Path):
    assert t2i("generate", "a red square", "-o", "one.png", *DRAW).code == 0
    shard = here / "painter" / "model-1-of-3.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1] + b"!")
    assert "was drawn by weights with the sha256" in t2i("board", "--from", "one.png").error


def test_an_album_groups_folders_and_pictures_with_their_notes(t2i: T2I, here: Path):
    assert t2i("board", "a {red|blue} square", *DRAW, "-o", "warm.png", "--note", "Warm first.").code == 0
    assert t2i("generate", "a green square", "-n", 2, "--seed", 1, *DRAW, "-o", "cold").code == 0  # with a grid
    favourite = sorted((here / "cold").glob("0*.png"))[0]
    favourite.with_suffix(".txt").write_text("Ann's <b>favourite</b>.\nDraw it larger.\n")
    Image.new("RGB", (8, 8)).save(here / "plain.png")
    arguments = ("warm", "cold", "plain.png", "-o", "concept.html", "--title", "Squares & co", "--note", "For Monday")
    done = t2i("album", *arguments)
    assert done.code == 0 and "concept.html: 5 pictures" in done.err
    page = Page(here / "concept.html")
    assert [text for text in page.texts if text in ("warm", "cold", "Warm first.", "plain.png")] == [
        *("warm", "Warm first.", "cold", "plain.png")
    ]
    assert {"For Monday", "Ann's <b>favourite</b>.\nDraw it larger."} <= set(page.texts)
    assert page.tags.count("img") == 5 and page.tags.count("section") == 3 and "b" not in page.tags
    content = (here / "concept.html").read_text()
    assert content.count("data:image/png;base64,") == 5 and "http" not in content.replace("http-equiv", "")
    run(t2i, page.commands[0])
    assert "already exists" in t2i("album", *arguments).error


def test_a_hostile_prompt_is_quoted_on_a_page(t2i: T2I, here: Path):
    prompt = "$(touch hacked); <script>alert('1')</script> `id` \u202e"
    assert t2i("generate", "-o", "one.png", *DRAW, "--", prompt).code == 0
    assert t2i("album", "one.png").code == 0
    page = Page(here / "album.html")
    assert "script" not in page.tags
    assert shlex.split(page.commands[-1])[-1] == prompt.replace("\u202e", "\\u202e")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("empty",), "holds no picture that t2i drew"),
        (("nowhere.png",), "There is no picture at nowhere.png"),
        (("broken.png",), "not a complete PNG"),
        (("noted.png",), "The note noted.txt cannot be read"),
        (("noted.png", "-o", "album.png"), "written as .html"),
    ],
)
def test_what_an_album_cannot_show_is_refused(t2i: T2I, here: Path, arguments: tuple[str, ...], said: str):
    (here / "empty").mkdir()
    (here / "broken.png").write_bytes(b"\x89PNG")
    Image.new("RGB", (8, 8)).save(here / "noted.png")
    (here / "noted.txt").write_bytes(b"caf\xe9")
    assert said in t2i("album", *arguments).error
    assert not (here / "album.html").exists()
