"""`t2i products`: a picture for each row, named by columns, with manifests, contact pages and a list of failures."""

from __future__ import annotations

import csv
import json
import signal
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from fakes.command_line import T2I, contents
from fakes.forked import ForkedCommand
from t2i.drawing.provenance import read_provenance
from t2i_apps.products import record
from t2i_apps.products.template import without_gaps

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")
DRAW = ("--model", "painter", "--device", "cpu", "-o", "shop")
BOTH = ("--prompt", "{title}, {colour}", "--name", "{sku}", *DRAW)
CATALOG = "sku,title,colour\nA1,square,red\nB2,square,blue\nC3,square,\n"


@pytest.fixture(autouse=True)
def catalog(here: Path) -> Path:
    path = here / "catalog.csv"
    path.write_text(CATALOG)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


class Page(HTMLParser):
    """The texts, pictures and links of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        self.sources += [values["src"]] if "src" in values else []
        self.links += [values["href"]] if tag == "a" else []

    def handle_data(self, data):
        self.texts.append(data)


def test_each_row_has_a_picture_named_by_a_column(t2i: T2I, here: Path):
    done = t2i("products", "catalog.csv", *BOTH, "--seed", 4)
    assert done.code == 0 and "shop/: 3 pictures" in done.err, done
    made = {path.name: read_provenance(path) for path in sorted((here / "shop").glob("*.png"))}
    prompts = {"A1.png": "square, red", "B2.png": "square, blue", "C3.png": "square"}
    assert {name: found.prompt for name, found in made.items()} == prompts
    assert {found.seed for found in made.values()} == {4}
    listed = rows(here / "shop" / "manifest.csv")
    assert list(listed[0]) == ["file", "prompt", "seed", "model", "sku", "title", "colour"]
    assert [(row["file"], row["prompt"], row["sku"]) for row in listed] == [
        (name, prompt, name[:2]) for name, prompt in prompts.items()
    ]
    facts = [json.loads(line) for line in (here / "shop" / "manifest.jsonl").read_text().splitlines()]
    assert [each["row"]["colour"] for each in facts] == ["red", "blue", ""]
    assert facts[0]["weights"] == dict(made["A1.png"].artist.weights) and facts[0]["options"] == {"wildness": 1.0}
    page = Page(here / "shop" / "contact.html")
    assert page.sources == list(prompts) and "square, blue" in "".join(page.texts)
    assert not (here / "shop" / "failed.csv").exists()


def test_the_same_command_draws_only_what_is_missing(t2i: T2I, here: Path):
    t2i("products", "catalog.csv", *BOTH)
    before = contents(here / "shop")
    (here / "shop" / "B2.png").unlink()
    done = t2i("products", "catalog.csv", *BOTH)
    assert done.code == 0 and "1 pictures, 2 were there already" in done.err
    after = contents(here / "shop")
    assert {name: content for name, (content, _) in after.items()} == {n: c for n, (c, _) in before.items()}
    assert after["A1.png"] == before["A1.png"]  # the time of its last change, too


def test_after_kill_9_the_same_command_goes_on(t2i: T2I, here: Path, catalog: Path):
    catalog.write_text("sku,title\n" + "".join(f"K{number},red square\n" for number in range(2000)))
    command = ("products", "catalog.csv", "--prompt", "{title}", "--name", "{sku}", *DRAW, "--batch-size", 8)
    with ForkedCommand(*command) as running:
        while len(list((here / "shop").glob("K*.png"))) < 40:
            assert running.poll() is None and time.sleep(0.002) is None, running.err
        running.send_signal(signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in (here / "shop").glob("K*.png")}
    assert 40 <= len(kept) < 2000 and not (here / "shop" / "manifest.csv").exists()
    catalog.write_text("sku,title\n" + "".join(f"K{number},red square\n" for number in range(len(kept) + 5)))
    done = t2i(*command)
    assert f"5 pictures, {len(kept)} were there already" in done.err, done
    assert all(path.stat().st_mtime_ns == changed for path, changed in kept.items())
    assert len(rows(here / "shop" / "manifest.csv")) == len(kept) + 5
    hidden = [path.name for path in (here / "shop").glob(".manifest*")] + [*(here / "shop").glob(".failed*")]
    assert not hidden


def test_rows_that_fail_are_listed_and_the_others_drawn(t2i: T2I, here: Path, catalog: Path):
    bad = [
        ("../x,boat,", "the column 'sku' has a slash, got '../x'"),
        ("/etc/passwd,boat,", "has a slash"),
        ("..,boat,", "begins with ."),
        ("CON,boat,", "systems reserve"),
        ("L" + "o" * 5000 + ",boat,", "5,001 bytes"),
        ('"a\nb",boat,', r"the character '\n'"),
        ("a\x1bb,boat,", r"the character '\x1b'"),
        ("\u202egnp,boat,", r"the character '\u202e'"),
        ("A1,boat,", "an earlier row has the same name"),
        ("a1,boat,", "an earlier row has the same name"),
        (",boat,", "the name is empty"),
        ("E,,", "no text in title, colour"),
        ("P," + "x" * 3000 + ",", "1 to 2,000 characters, got 3,000"),
        ("short,row", "2 cells, but the header has 3"),
        ("long,row,red,more", "4 cells, but the header has 3"),
        ("caf\udce9,boat,", "not UTF-8"),
    ]
    good = "A1,square,red\n"
    text = "sku,title,colour\n" + good + "".join(f"{line}\n" for line, _ in bad) + "Z9,square,blue\n"
    catalog.write_bytes(text.encode("utf-8", "surrogateescape"))
    done = t2i("products", "catalog.csv", *BOTH)
    assert done.code == 1 and f"{len(bad)} rows have no picture" in done.err and "Traceback" not in done.err
    failed = rows(here / "shop" / "failed.csv")
    for row, (line, reason) in zip(failed, bad, strict=True):
        assert reason in row["reason"], (line[:50], row)
    assert failed[0]["row"] == "catalog.csv:3"
    assert [row["file"] for row in rows(here / "shop" / "manifest.csv")] == ["A1.png", "Z9.png"]
    assert {path.name for path in here.iterdir()} == {"painter", "shop", "catalog.csv"}
    assert "failed.csv" in Page(here / "shop" / "contact.html").links
    catalog.write_text(CATALOG)
    assert t2i("products", "catalog.csv", *BOTH).code == 0
    assert not (here / "shop" / "failed.csv").exists()


def test_the_name_of_a_table_need_not_be_unicode(t2i: T2I, here: Path, catalog: Path):
    catalog.rename(here / "caf\udce9.csv").write_text("sku,title,colour\nA1,square,red\nB2\n")
    assert t2i("products", "caf\udce9.csv", *BOTH).code == 1
    assert [row["row"] for row in rows(here / "shop" / "failed.csv")] == [r"caf\xe9.csv:3"]


def test_a_changed_row_keeps_its_old_picture_without_force(t2i: T2I, here: Path, catalog: Path):
    t2i("products", "catalog.csv", *BOTH)
    catalog.write_text(CATALOG.replace("A1,square,red", "A1,square,green"))
    done = t2i("products", "catalog.csv", *BOTH)
    assert done.code == 1
    (row,) = rows(here / "shop" / "failed.csv")
    assert (row["row"], row["name"]) == ("catalog.csv:2", "A1")
    assert "it was drawn from 'square, red' with seed 0" in row["reason"] and "--force" in row["reason"]
    assert t2i("products", "catalog.csv", *BOTH, "--force").code == 0
    assert read_provenance(here / "shop" / "A1.png").prompt == "square, green"


def test_html_and_formulas_in_a_table_are_only_text(t2i: T2I, here: Path, catalog: Path):
    catalog.write_text('sku,title\n=1+1,"<img src=x onerror=alert(1)>"\na b#%41,"</figure><script>alert(1)</script>"\n')
    assert t2i("products", "catalog.csv", "--prompt", "{title}", "--name", "{sku}", *DRAW).code == 0
    page = Page(here / "shop" / "contact.html")
    assert "script" not in page.tags and page.tags.count("img") == 2
    assert page.sources == ["%3D1%2B1.png", "a%20b%23%2541.png"]
    assert "default-src 'none'" in (here / "shop" / "contact.html").read_text()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bom.csv", b"\xef\xbb\xbf" + CATALOG.encode()),
        ("excel.csv", CATALOG.replace(",", ";").replace("\n", "\r\n").encode()),
        ("tabs.csv", CATALOG.replace(",", "\t").encode()),
        ("named.csv", b"sep=;\r\n" + CATALOG.replace(",", ";").encode()),
        ("lines.jsonl", b"".join(json.dumps(row).encode() + b"\n" for row in csv.DictReader(CATALOG.splitlines()))),
    ],
)
def test_tables_as_programs_write_them(t2i: T2I, here: Path, name: str, content: bytes):
    (here / name).write_bytes(content)
    assert t2i("products", name, *BOTH).code == 0
    assert [row["prompt"] for row in rows(here / "shop" / "manifest.csv")] == ["square, red", "square, blue", "square"]


def test_parquet_with_numbers_and_missing_values(t2i: T2I, here: Path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"sku": [7, 8], "title": ["red square", None], "price": [1.0, 2.5], "tags": [["a"], None]})
    pq.write_table(table.drop(["tags"]), here / "t.parquet")
    asked = ("--prompt", "{title}, {price}", "--name", "{sku}", *DRAW)
    assert t2i("products", "t.parquet", *asked).code == 0
    assert [row["prompt"] for row in rows(here / "shop" / "manifest.csv")] == ["red square, 1", "2.5"]
    pq.write_table(table, here / "lists.parquet")
    assert t2i("products", "lists.parquet", *asked).code == 1
    (row,) = rows(here / "shop" / "failed.csv")
    assert row["row"] == "lists.parquet, row 0" and "'tags' is a list" in row["reason"]


def test_a_frame_is_in_the_provenance_and_drawn_again(t2i: T2I, here: Path):
    framed = (*BOTH, "--padding", 3, "--background", "#102030")
    assert t2i("products", "catalog.csv", *framed).code == 0
    with Image.open(here / "shop" / "A1.png") as picture:
        assert picture.size == (14, 14) and picture.getpixel((0, 0)) == picture.getpixel((13, 2)) == (16, 32, 48)
    assert t2i("regenerate", "shop/A1.png", "-o", "again.png").code == 0
    assert (here / "again.png").read_bytes() == (here / "shop" / "A1.png").read_bytes()
    assert "3 were there already" in t2i("products", "catalog.csv", *framed).err
    other = t2i("products", "catalog.csv", *BOTH, "--padding", 3)
    assert other.code == 1 and len(rows(here / "shop" / "failed.csv")) == 3
    assert t2i("products", "catalog.csv", *BOTH, "--padding", 3, "--force").code == 0
    assert "must be a colour" in t2i("products", "catalog.csv", *BOTH, "--background", "nocolour").error
    assert "The padding must be" in t2i("products", "catalog.csv", *BOTH, "--padding", -1).error


def test_slashes_of_the_template_make_folders(t2i: T2I, here: Path):
    assert t2i("products", "catalog.csv", "--prompt", "{title}", "--name", "{title}/{sku}", *DRAW).code == 0
    assert len(list((here / "shop" / "square").glob("*.png"))) == 3
    assert Page(here / "shop" / "contact.html").sources[0] == "square/A1.png"


def test_many_pictures_have_several_pages(t2i: T2I, here: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(record, "PER_PAGE", 2)
    assert t2i("products", "catalog.csv", *BOTH).code == 0
    first, second = (Page(here / "shop" / name) for name in ("contact.html", "contact-2.html"))
    assert (first.sources, second.sources) == (["A1.png", "B2.png"], ["C3.png"])
    assert "contact-2.html" in first.links and "contact.html" in second.links
    monkeypatch.setattr(record, "PER_PAGE", 3)
    assert t2i("products", "catalog.csv", *BOTH).code == 0
    assert not (here / "shop" / "contact-2.html").exists()


@pytest.mark.parametrize(
    ("table", "arguments", "said"),
    [
        (
            "catalog.csv",
            ("--prompt", "{titel}", "--name", "{sku}"),
            "Did you mean 'title'? Its columns: sku, title, colour.",
        ),
        ("catalog.csv", ("--prompt", "{title}", "--name", "{id}"), "has no column 'id'"),
        ("catalog.csv", ("--prompt", "a chair", "--name", "{sku}"), "names no column"),
        ("catalog.csv", ("--prompt", "{title", "--name", "{sku}"), "a brace without its partner at character 1"),
        ("catalog.csv", ("--prompt", "{title}", "--name", "/tmp/{sku}"), "begins with /"),
        ("catalog.csv", ("--prompt", "{title}", "--name", "{sku}", "--format", "gif"), "png, jpg or webp"),
        ("catalog.txt", ("--prompt", "{title}", "--name", "{sku}"), "A catalog is a .csv, .jsonl or .parquet file"),
        ("nowhere.csv", ("--prompt", "{title}", "--name", "{sku}"), "Cannot read nowhere.csv: No such file"),
        ("empty.csv", ("--prompt", "{title}", "--name", "{sku}"), "has no row that can be read"),
        ("header.csv", ("--prompt", "{title}", "--name", "{sku}"), "has no row that can be read"),
        ("twice.csv", ("--prompt", "{title}", "--name", "{sku}"), "has the column 'title' twice"),
        ("utf16.csv", ("--prompt", "{title}", "--name", "{sku}"), "Save it as UTF-8"),
        ("broken.parquet", ("--prompt", "{title}", "--name", "{sku}"), "not readable as parquet"),
        ("list.jsonl", ("--prompt", "{title}", "--name", "{sku}"), "not an object"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(
    t2i: T2I, here: Path, table: str, arguments: tuple[str, ...], said: str
):
    (here / "empty.csv").write_bytes(b"")
    (here / "header.csv").write_text("sku,title\n")
    (here / "twice.csv").write_text("sku,title,title\na,b,c\n")
    (here / "utf16.csv").write_text(CATALOG, encoding="utf-16")
    (here / "broken.parquet").write_bytes(b"PAR1" + bytes(range(256)))
    (here / "list.jsonl").write_text("[1]\n")
    assert said in t2i("products", table, *arguments, *DRAW).error
    assert not (here / "shop").exists()


def test_two_processes_do_not_draw_into_one_folder(t2i: T2I, here: Path):
    from filelock import FileLock

    (here / "shop").mkdir()
    with FileLock(here / "shop" / ".lock"):
        assert "Only one process at a time draws into a folder" in t2i("products", "catalog.csv", *BOTH).error


@pytest.mark.parametrize(
    ("prompt", "tidy"),
    [("a chair, , oak", "a chair, oak"), (" a\n chair ,", "a chair"), (", ,", ""), ("1,000 chairs", "1,000 chairs")],
)
def test_empty_cells_leave_no_commas(prompt: str, tidy: str):
    assert without_gaps(prompt) == tidy
