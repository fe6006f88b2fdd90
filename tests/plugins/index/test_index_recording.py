"""Pictures of the command line are recorded, those of Python on request; an error here does not affect them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

import t2i as library
import t2i_index.listener as listener
from fakes.command_line import T2I
from fakes.painter import here as here
from t2i.drawing.frame import check_frame, framed
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import Source, read_provenance
from t2i.errors import InvalidInputError
from t2i_index.connection import connect
from t2i_index.encoder import DIM, ENCODER_SHA256
from t2i_index.filters import Filters
from t2i_index.location import index_location, recording_location, switch_recording
from t2i_index.sqlite_store import SQLiteStore

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")
DRAW = ("generate", "a red square", "--model", "painter", "--device", "cpu", "--seed", 7)


def test_the_journey_draw_search_again(t2i: T2I, here: Path, file: Path):
    drawn = t2i(*DRAW, "-n", 3, "-o", "out")
    assert (
        drawn.code == 0 and drawn.err.count("To stop: t2i index off") == drawn.err.count(str(file)) == 1
    )  # shown once
    (hit,) = json.loads(t2i("search", "red", "--json").out)
    assert hit["seeds"] == [9, 8, 7] and hit["model"] == "painter" and hit["options"] == {"wildness": 1.0}
    paths = sorted((here / "out").glob("0*.png"))
    assert sorted(hit["paths"]) == [str(path) for path in paths]
    assert t2i("search", "red", "--seed", 8, "--again", "-o", "again.png").code == 0
    assert (here / "again.png").read_bytes() == paths[1].read_bytes()
    assert t2i("search", "nothing such").code == 1
    assert "a red square x3" in t2i("search").out
    assert t2i("search", "red", "-o", "sheet.png").code == t2i("search", "red", "-o", "page.html").code == 0
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 100
    page = (here / "page.html").read_text()
    assert "data:image/webp;base64," in page and "http:" not in page and "https:" not in page


def test_python_records_only_on_request(here: Path, file: Path):
    library.pipeline("painter", device="cpu")("a red square", seed=1)[0].save("no.png")
    assert not file.exists()
    library.pipeline("painter", device="cpu", record=True)("a blue square", seed=1)[0].save("yes.png")
    (hit,) = library.index().search()
    assert hit.record.path == str(here / "yes.png")
    with Image.open("yes.png") as drawn:
        assert hit.picture().tobytes() == drawn.tobytes() == hit.again().image.tobytes()


def test_the_meaning_of_a_prompt_that_minilm_read_is_recorded_with_the_picture(here: Path, file: Path):
    drawn = library.pipeline("painter", device="cpu", record=True)("a blue square", seed=1)[0]
    artist = replace(drawn.provenance.artist, text_encoders={"minilm": ENCODER_SHA256})
    vector = torch.nn.functional.normalize(torch.ones(DIM), dim=0)
    read = replace(drawn, provenance=replace(drawn.provenance, artist=artist), sentence=vector)
    read.save("read.png")
    store = SQLiteStore(file)
    assert list(store.without_vector("meaning")) == []  # nothing is left to encode
    assert store.by_vector("meaning", vector.numpy(), Filters(), 1, least=0.99) == [1]
    other = replace(read, provenance=replace(drawn.provenance, prompt="a red square"))
    other.save("other.png")  # read by another text encoder
    assert [record.prompt for (record,) in store.without_vector("meaning")] == ["a red square"]


def test_a_padded_picture_is_drawn_again_with_its_padding(
    t2i: T2I, here: Path, file: Path, monkeypatch: pytest.MonkeyPatch
):
    plain = library.pipeline("painter", device="cpu", record=True)("a blue square", seed=1)[0]
    plain.save("plain.png")
    framed(plain, check_frame(3, "edge")).save("padded.png")

    def drawn_again() -> set[bytes]:
        """Two hits: pictures with and without padding differ not only by seed."""
        hits = library.index().search("blue")
        for number, hit in enumerate(hits):
            hit.again().save(f"{number}.png")
        return {Path(f"{number}.png").read_bytes() for number in range(len(hits))}

    expected = {Path("plain.png").read_bytes(), Path("padded.png").read_bytes()}
    assert drawn_again() == expected
    monkeypatch.setenv("T2I_INDEX", str(here / "other.sqlite"))
    assert t2i("index", "add", "plain.png").code == t2i("index", "add", "padded.png").code == 0
    assert drawn_again() == expected


def test_an_edited_picture_is_not_drawn_again_as_if_from_text_alone(t2i: T2I, here: Path, file: Path):
    """It needs the picture that it was made from."""
    drawn = library.pipeline("painter", device="cpu", record=True)("a blue square", seed=1)[0]
    source = Source("ab" * 32, "image-to-image")
    replace(drawn, provenance=replace(drawn.provenance, source=source)).save("edited.png")
    refused = f"was edited from another picture, with the sha256 {source.sha256}"
    assert refused in t2i("search", "blue", "--again").error
    (hit,) = library.index().search("blue")
    with pytest.raises(InvalidInputError, match=refused):
        hit.again()


def test_a_strangers_picture_downloads_no_model_unless_asked(t2i: T2I, here: Path, file: Path):
    library.pipeline("painter", device="cpu")("a blue square", seed=1)[0].save("mine.png")
    found = read_provenance(Path("mine.png"))
    stranger = replace(found, artist=replace(found.artist, name="hf-hub:stranger/model", revision="a" * 40))
    with Image.open("mine.png") as image:
        Picture(image.convert("RGB"), stranger).save("theirs.png")
    assert t2i("index", "add", "theirs.png").code == 0
    assert "names the model hf-hub:stranger/model" in t2i("search", "blue", "--again").error


def test_a_moved_picture_is_found_by_its_hash(here: Path, file: Path):
    library.pipeline("painter", device="cpu", record=True)("a blue square", seed=1)[0].save("out/a.png")
    (hit,) = library.index().search()
    (here / "out" / "best").mkdir()
    Path("out/a.png").rename("out/best/b.png")
    assert hit.path() == here / "out" / "best" / "b.png"
    (hit,) = library.index().search()
    assert hit.record.path == str(here / "out" / "best" / "b.png")
    Path("out/best/b.png").write_bytes(b"changed")
    with pytest.raises(InvalidInputError, match="was changed, and no file under"):
        hit.picture()


@pytest.mark.parametrize("fault", ["locked", "foreign", "no folder", "full"])
def test_an_error_of_the_index_does_not_affect_pictures(
    t2i: T2I, here: Path, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str
):
    if fault == "locked":
        other = connect(file)
        other.execute("BEGIN IMMEDIATE")
    elif fault == "foreign":
        file.write_bytes(b"x" * 1000)
    elif fault == "full":
        SQLiteStore(file).close()
        real = sqlite3.connect

        def small(*given: object, **named: object) -> sqlite3.Connection:
            opened: sqlite3.Connection = real(*given, **named)  # type: ignore[call-overload]
            opened.execute("PRAGMA max_page_count = 2")
            return opened

        monkeypatch.setattr(sqlite3, "connect", small)
    else:
        monkeypatch.setenv("T2I_INDEX", "/proc/nowhere/index.sqlite")
    long = "a red square " * 100  # more than fits into what is there
    done = t2i("generate", long, *DRAW[2:], "-n", 3, "-o", "out")
    assert done.code == 0 and len(list((here / "out").glob("0*.png"))) == 3
    (said,) = caplog.messages
    assert "The pictures are written, but 1 are not in the index yet." in said
    if fault == "locked":
        other.execute("ROLLBACK")
        listener._recorder(str(file), os.getpid()).flush()
        assert len(SQLiteStore(file).newest(Filters(), 9)) == 3  # they waited


def test_recording_is_switched_off_and_on(tmp_path: Path, t2i: T2I, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("T2I_INDEX")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    default = str(tmp_path / "data" / "t2i" / "index.sqlite")
    assert recording_location() == index_location() == default
    assert t2i("index", "off").code == 0 and recording_location() is None and index_location() == default
    assert t2i(*DRAW, "-o", "red.png").code == 0 and not Path(default).exists()
    assert "recording:            off" in t2i("index", "info").out
    assert t2i("index", "on").code == 0 and recording_location() == default
    monkeypatch.setenv("T2I_INDEX", "off")
    assert recording_location() is None and index_location() == default
    assert "T2I_INDEX is set to 'off'" in t2i("index", "off").error
    switch: Callable[[bool], None] = switch_recording
    with pytest.raises(InvalidInputError, match="Unset it first"):
        switch(True)


def test_searching_by_words_imports_no_torch(file: Path):
    import subprocess
    import sys

    SQLiteStore(file).close()
    code = (
        "import sys; from t2i.cli.main import run; run(['search', 'heart']);"
        "print(sorted({'torch', 'PIL', 'transformers', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "NOT cat"), "NOT needs words before it"),
        (("search", "cat", "--since", "yesterday"), "A time must be a date"),
        (("search", "cat", "--kind", "video"), "--kind must be picture or text"),
        (("search", "cat", "--seed", "-1"), "A seed must be a whole number"),
        (("search", "cat", "-n", "0"), "The number of hits must be a whole number from 1"),
        (("search", "cat", "-o", "x.gif"), "written as .png or .html"),
        (("search", "cat", "--meaning", "--both"), "Leave one out"),
        (("search", "--meaning"), "needs words, got none"),
        (("search", " ", "--both", "--like", "none.png"), "needs words, got none"),
        (("search", "--like", "none.png"), "is not a picture that can be read"),
        (("index", "add", "nowhere"), "There is no folder or file nowhere"),
        (("index", "export", "x.csv"), "written as .jsonl or .parquet"),
        (("index", "score", "99", "1"), "There is no record 99"),
    ],
)
def test_mistakes_are_errors_of_one_sentence(t2i: T2I, file: Path, arguments: tuple[object, ...], said: str):
    assert said in t2i(*arguments).error


def test_the_index_can_be_managed(t2i: T2I, here: Path, file: Path):
    (here / "lines.txt").write_text("a red heart\na blue heart\n")
    assert "2 added (2 of file)" in t2i("index", "add", "lines.txt").err
    assert t2i(*DRAW, "-n", 2, "-o", "out").code == 0
    assert "4 records" in t2i("index", "export", "all.jsonl").err
    rows = [json.loads(line) for line in (here / "all.jsonl").read_text().splitlines()]
    assert [row["kind"] for row in rows] == ["text", "text", "picture", "picture"]
    assert t2i("index", "score", rows[0]["id"], 0.5).code == 0
    assert "a red heart" in t2i("search", "--min-score", 0.4).out
    Path(rows[2]["path"]).unlink()
    checked = t2i("index", "check")
    assert checked.code == 0 and "1 pictures are not where they were written" in checked.err
    assert "1 records would be removed" in t2i("index", "prune", "--dry-run").err
    assert "1 records were removed" in t2i("index", "prune").err
    assert t2i("index", "rebuild").code == 0
    facts = json.loads(t2i("index", "info", "--json").out)
    assert (facts["pictures"], facts["texts"], facts["recording"]) == (1, 2, "on")
    assert facts["vectors_of_texts"] == 0 and not any(" " in key for key in facts)


def test_parquet_has_the_same_records(t2i: T2I, here: Path, file: Path):
    import pyarrow.parquet as pq

    assert t2i(*DRAW, "-o", "red.png").code == 0
    assert t2i("index", "export", "all.parquet").code == t2i("index", "export", "all.jsonl").code == 0
    (row,) = pq.read_table("all.parquet").to_pylist()
    expected = json.loads((here / "all.jsonl").read_text())
    assert {key: row[key] for key in ("prompt", "seed", "path", "sha256", "time")} == {
        key: expected[key] for key in ("prompt", "seed", "path", "sha256", "time")
    }
    assert json.loads(row["artist"]) == expected["artist"]


def test_texts_of_other_programs_are_shown_on_one_line(t2i: T2I, here: Path, file: Path):
    (here / "evil.txt").write_text("heart \x1b[31mred\x07 " + "x" * 5000 + "\n")
    assert t2i("index", "add", "evil.txt").code == 0
    shown = t2i("search", "heart").out
    assert "\x1b" not in shown and "\x07" not in shown and r"\x1b" in shown and "x" * 400 not in shown
