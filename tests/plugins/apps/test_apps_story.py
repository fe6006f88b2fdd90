"""`t2i story`: a book with a paragraph and its picture on each page."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pypdf import PdfReader

from fakes.command_line import T2I, contents
from plugins.lm.conftest import Scripted
from t2i import create
from t2i.drawing.provenance import Widened, provenance_in, read_provenance
from t2i.errors import InvalidInputError
from t2i_apps.story.noun_phrase import first_sentence, noun_phrases
from t2i_apps.story.prompting import Prompt, prompts_for
from t2i_apps.story.text import MOST_PARAGRAPHS, Paragraph, Story, parse_story

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")
DRAW = ("--model", "painter", "--device", "cpu")
TEXT = """# The Square

Once upon a time there was a red square
that had no friends.

# Chapter <two>

[picture: a blue square]
One day it met another one & was "glad".

The red square slept.
"""


@pytest.fixture(autouse=True)
def story(here: Path) -> Path:
    path = here / "story.txt"
    path.write_text(TEXT)
    return path


class Book(HTMLParser):
    """The pictures and texts of a book, and every address that it names."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.pictures: list[bytes] = []
        self.prompts: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        if tag == "img":
            kind, _, data = values["src"].partition(",")
            assert kind == "data:image/png;base64"
            self.pictures.append(base64.b64decode(data))
            self.prompts.append(values["alt"])
        elif "src" in values or "href" in values:
            self.addresses.append(values.get("src") or values["href"])

    def handle_data(self, data):
        self.texts.append(data.strip())


def test_the_book_has_a_page_for_each_paragraph_with_its_picture(t2i: T2I, here: Path):
    done = t2i("story", "story.txt", "-o", "book.html", *DRAW, "--seed", 5, "--style", "soft")
    assert done.code == 0 and "book.html: 3 pages, each picture in book/" in done.err
    book = Book(here / "book.html")
    assert book.prompts == ["a red square, soft", "a blue square, soft", "The red square, soft"]
    assert {"The Square", "Chapter <two>", 'One day it met another one & was "glad".'} <= set(book.texts)
    assert "Once upon a time there was a red square that had no friends." in book.texts
    found = [provenance_in(io.BytesIO(png), "it") for png in book.pictures]
    assert [each.prompt for each in found if each] == book.prompts and {each.seed for each in found if each} == {5}
    assert sorted(book.pictures) == sorted(path.read_bytes() for path in (here / "book").iterdir())
    assert all(address.startswith("#") for address in book.addresses)


def test_the_same_command_draws_only_what_is_missing(t2i: T2I, here: Path):
    t2i("story", "story.txt", *DRAW)
    first = (here / "book.html").read_bytes()
    kept = contents(here / "book")
    gone = next((here / "book").glob("0002-*"))
    gone.unlink()
    assert "book.html already exists" in t2i("story", "story.txt", *DRAW).error
    (here / "book.html").unlink()
    assert t2i("story", "story.txt", *DRAW).code == 0 and (here / "book.html").read_bytes() == first
    again = contents(here / "book")
    assert {name for name, file in again.items() if file != kept[name]} == {gone.name}


def test_hostile_texts_stay_texts(t2i: T2I, here: Path, story: Path):
    story.write_text("# <script>alert(1)</script>\n\n</p><img src=http://example.org/x.png> the red square\n")
    assert t2i("story", "story.txt", *DRAW).code == 0
    book = Book(here / "book.html")
    assert "script" not in book.tags and len(book.pictures) == 1
    assert "default-src 'none'" in (here / "book.html").read_text()


def test_a_pdf_has_the_pages_and_its_text_can_be_selected(t2i: T2I, here: Path):
    assert t2i("story", "story.txt", "-o", "book.pdf", *DRAW).code == 0
    pages = [page.extract_text() for page in PdfReader(here / "book.pdf").pages]
    assert [page.splitlines()[-1:] for page in pages[:4]] == [["The Square"], ["1"], ["2"], ["3"]] and len(pages) == 5
    assert "Chapter <two>" in pages[2] and 'it met another one & was "glad".' in " ".join(pages[2].split())
    assert "drawn by painter" in pages[4]
    assert [len(page.images) for page in PdfReader(here / "book.pdf").pages] == [0, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a red square \u05d0", "HEBREW LETTER ALEF"),
        ("a red square \u0915", "DEVANAGARI LETTER KA"),
        ("a red square \U00013000", "No font on this machine has"),
    ],
)
def test_letters_that_a_pdf_cannot_show_are_refused(t2i: T2I, here: Path, story: Path, text: str, said: str):
    story.write_text(text)
    error = t2i("story", "story.txt", "-o", "book.pdf", *DRAW).error
    assert said in error and ".html" in error and not (here / "book").exists()
    assert t2i("story", "story.txt", "-o", "book.html", *DRAW).code == 0


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (b"", (), "A story has 1 to 10,000 paragraphs"),
        (b"\n \n# Only a title\n", (), "but story.txt has 0"),
        (b"a fox\n\n" * (MOST_PARAGRAPHS + 1), (), "but story.txt has 10,001"),
        (b"word " * 5000, (), "A paragraph has at most 20,000 characters"),
        (b"a fox\n\n[picture: a fox]\n", (), "ends with the prompt 'a fox'"),
        (b"[picture: ]\na fox\n", (), "gives a prompt of 1 to 2,000 characters"),
        (b"a fox\n\ncaf\xe9\n", (), "line 3 has the byte 0xe9"),
        (b"a fox\n", ("-o", "book.txt"), "written as .html or .pdf"),
        (b"a fox\n", ("--lang", '"><script>'), "A language is given by its tag"),
    ],
)
def test_what_is_no_story_is_refused(t2i: T2I, here: Path, content: bytes, arguments: tuple[str, ...], said: str):
    (here / "story.txt").write_bytes(content)
    assert said in t2i("story", "story.txt", *arguments, *DRAW).error
    assert {path.name for path in here.iterdir()} == {"painter", "story.txt"}
    assert "No such file" in t2i("story", "nowhere.txt", *DRAW).error


def test_headings_and_prompts_belong_to_the_next_paragraph():
    text = "one\n\n# Two\n[Picture:  a  b ]\n\ntwo\r\nlines\r\n\r\n\r\nthree"
    assert parse_story(text, "it") == Story(
        "", (Paragraph("one"), Paragraph("two lines", "Two", "a b"), Paragraph("three"))
    )
    assert parse_story("# T\n\n## H\n\none", "it") == Story("T", (Paragraph("one", "H"),))
    with pytest.raises(InvalidInputError, match="1 to 10,000 paragraphs"):
        parse_story("# Alone", "it")


def test_ten_thousand_paragraphs_have_prompts():
    read = parse_story("\n\n".join(f"The fox met {number} birds." for number in range(10_000)), "it")
    prompts = prompts_for(read.paragraphs)
    assert len(prompts) == 10_000 and prompts[0] == Prompt("The fox") and prompts[-1] == Prompt("The fox")


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("Once upon a time there was a little red fox who lived in a forest.", ["a little red fox", "a forest"]),
        ("One morning the fox found a golden key.", ["the fox", "a golden key"]),
        ("The old man walked to the sea.", ["The old man", "the sea"]),
        ("An old ruined castle stood on the hill.", ["An old ruined castle", "the hill"]),
        ("A cup of tea stood beside the king of the birds.", ["A cup of tea", "the king of the birds"]),
        ("Two dogs played. The end of the day came.", ["Two dogs"]),
        ("The mouse's friendly sister baked a birthday cake", ["The mouse's friendly sister", "a birthday cake"]),
        ("Hello!", []),
        ("Es war einmal ein kleiner Fuchs.", []),
        ("the", []),
    ],
)
def test_noun_phrases(text: str, phrases: list[str]):
    assert list(noun_phrases(text)) == phrases


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Es war ein Fuchs. Er lebte im Wald.", "Es war ein Fuchs."),
        ("Hello", "Hello"),
        ("word " * 100, ("word " * 40).strip()),
        ("\u3042" * 300, "\u3042" * 200),
    ],
)
def test_a_text_without_phrases_gives_its_first_sentence(text: str, sentence: str):
    assert first_sentence(text) == sentence


def test_a_phrase_is_drawn_once_while_there_are_others():
    story = [Paragraph(text) for text in ("A fox saw a bird.", "The fox met a bear.", "The fox slept.")]
    assert [prompt.text for prompt in prompts_for(story)] == ["A fox", "a bear", "The fox"]


def test_a_language_model_writes_prompts_and_provenance_says_so(
    t2i: T2I, here: Path, story: Path, monkeypatch: pytest.MonkeyPatch
):
    model = Scripted(["Sure! I cannot do that", "a red square on a hill"])
    monkeypatch.setattr(create, "create_language_model", lambda name="smollm2": model)
    assert t2i("story", "story.txt", *DRAW, "--lm", "scripted").code == 0
    first, second, _ = sorted((here / "book").iterdir())
    found = read_provenance(first)
    text = "Once upon a time there was a red square that had no friends."
    assert found.prompt == "a red square on a hill" and found.widened == Widened(text, "scripted", "ab", 1)
    assert read_provenance(second).prompt == "a blue square" and read_provenance(second).widened is None
    assert all("glad" not in question for question, _ in model.asked)  # the writer's own prompt needs no model


def test_a_paragraph_for_which_the_model_fails_gets_a_phrase_and_a_warning():
    said: list[str] = []
    prompts = prompts_for([Paragraph("The red square slept.")], Scripted(["I cannot"]), warn=said.append)
    assert prompts == [Prompt("The red square")] and "paragraph 1" in said[0]
