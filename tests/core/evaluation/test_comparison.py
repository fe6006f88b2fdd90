"""A comparison ranks only under one protocol, and its table, page and chart are readable."""

from __future__ import annotations

import base64
import html.parser
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from t2i.errors import InvalidInputError
from t2i.evaluation.chart import chart
from t2i.evaluation.comparison import Entry, agreeing, common_scores, ranked
from t2i.evaluation.page import page
from t2i.evaluation.scores import Scored
from t2i.evaluation.sheet import sheet
from t2i.evaluation.table import cautions, cells, markdown, notes, score_cells, under_columns
from t2i.evaluator import Score

PROTOCOL = {"data": "squares:test", "n_fake": "10"}


def entry(model: str, right: float, fid: float, seconds: float | None = 0.01, **protocol: str) -> Entry:
    scores = {
        "r_precision": Score(right, PROTOCOL | protocol, standard_error=0.02),
        "r_precision_ceiling": Score(0.9, PROTOCOL),
        "r_precision_chance": Score(0.01, PROTOCOL),
        "fid": Score(fid, PROTOCOL, higher_is_better=False),
    }
    return Entry(model, scores, size_bytes=3 * 2**20, seconds_per_image=seconds)


ENTRIES = [entry("first", 0.4, 30.0), entry("sec|ond", 0.6, 40.0), entry("third", 0.5, 20.0, seconds=None)]


def test_the_best_of_each_column_is_marked_in_either_direction():
    heads, rows = cells(ENTRIES)
    assert heads == ["model", "r_precision, higher is better", "fid, lower is better", "s/image", "MiB"]
    assert [row[1] for row in rows] == ["0.4 ± 0.02", "0.6 ± 0.02*", "0.5 ± 0.02"]
    assert [row[2] for row in rows] == ["30", "40", "20*"]
    assert [row[3:] for row in rows] == [["0.01", "3.0"], ["0.01", "3.0"], ["", "3.0"]]
    assert [each.model for each in ranked(ENTRIES, "fid")] == ["third", "first", "sec|ond"]
    assert [each.model for each in ranked(ENTRIES, "r_precision")] == ["sec|ond", "third", "first"]


def test_a_single_model_is_not_marked_as_best():
    alone = [entry("a", 0.4, 30)]
    assert [row[1:3] for row in cells(alone)[1]] == [["0.4 ± 0.02", "30"]]
    assert "best value" not in markdown(alone) and "best value" not in page(alone, "t", [], [], b"")
    assert "best value" in markdown([*alone, entry("b", 0.5, 20)])


def test_without_a_common_score_no_asterisk_is_explained():
    fid, kid = (Entry(name, {name: Score(1.0, PROTOCOL)}, size_bytes=1) for name in ("fid", "kid"))
    assert "*" not in markdown([fid, kid]) and "best value" not in page([fid, kid], "t", [], [], b"")


def test_a_short_protocol_has_no_hashes_and_distinguishes_protocols():
    protocols = [
        PROTOCOL | {"encoder_sha256": digit * 64, "versions": "torch 2", "question": f"99, sha256 {digit * 64}"}
        for digit in "ab"
    ]
    one, other = (Score(0.4, protocol).short_protocol for protocol in protocols)
    assert one == {**PROTOCOL, "question": "99", "id": one["id"]} and re.fullmatch("[0-9a-f]{8}", one["id"])
    assert one["id"] != other["id"]
    assert one["id"] == Score(0.9, dict(reversed(protocols[0].items()))).short_protocol["id"]
    assert "id: " not in markdown(ENTRIES) and "; id: " in markdown(ENTRIES, whole=False)


def test_other_protocols_are_refused_and_the_difference_named():
    with pytest.raises(InvalidInputError, match=r"r_precision of first and other: .* n_fake: 10 and 20"):
        common_scores([ENTRIES[0], entry("other", 0.5, 1.0, n_fake="20")])


def test_only_scores_that_all_models_have_are_compared():
    alone = Entry("alone", {"fid": ENTRIES[0].scores["fid"]}, 1)
    assert common_scores([*ENTRIES, alone]) == ["fid"]
    assert common_scores([*ENTRIES, Entry("none", {}, 1)]) == []


def counted(entry: Entry, n_fake: str) -> Score:
    return replace(entry.scores["r_precision"], protocol=PROTOCOL | {"n_fake": n_fake})


def test_one_models_scores_are_a_row_each_with_their_bounds():
    scores = ENTRIES[0].scores | {"bright_ceiling": Score(0.5, PROTOCOL, interval=(0.25, 0.75))}
    assert score_cells(scores) == (
        ["score", "value", "95 % interval", "ceiling", "chance", "better"],
        [
            ["r_precision", "0.4 ± 0.02", "", "0.9", "0.01", "higher"],
            ["fid", "30", "", "", "", "lower"],
            ["bright_ceiling", "0.5", "0.25 to 0.75", "", "", "higher"],
        ],
    )
    assert score_cells({"fid": scores["fid"]}) == (["score", "value", "better"], [["fid", "30", "lower"]])


def test_markdown_is_one_table_with_its_bounds_and_protocol():
    more = [replace(each, scores=each.scores | {"r_precision": counted(each, "20")}) for each in ENTRIES]
    lines = markdown(more).splitlines()
    unescaped = [re.split(r"(?<!\\)\|", line) for line in lines[:5]]
    assert {len(cells) for cells in unescaped} == {7}
    assert r"| sec\|ond |" in lines[3]
    assert lines[-3:] == [
        "- r_precision; ceiling 0.9; chance 0.01; n_fake: 20",
        "- fid; n_fake: 10",
        "- protocol of all; data: squares:test",
    ]
    assert notes(ENTRIES)[-1] == "protocol of all; data: squares:test; n_fake: 10"
    alone = Entry("alone", {"fid": ENTRIES[0].scores["fid"]}, 1)
    assert notes([alone]) == ["fid; data: squares:test; n_fake: 10"] and notes([Entry("none", {}, 1)]) == []


def doubtful(entry: Entry, caution: str) -> Entry:
    return replace(entry, scores={**entry.scores, "fid": replace(entry.scores["fid"], caution=caution)})


def test_a_caution_names_its_score_and_models_in_the_table_and_on_the_page():
    entries = [doubtful(ENTRIES[0], "Too <few>."), doubtful(ENTRIES[1], "Too <few>."), ENTRIES[2]]
    assert cautions(ENTRIES) == [] and cautions(entries) == ["fid of first, sec|ond: Too <few>."]
    assert r"- fid of first, sec\|ond: Too \<few\>." in markdown(entries).splitlines()
    both = replace(entries[0], scores=entries[0].scores | {"r_precision": entries[0].scores["fid"]})
    assert cautions([both]) == ["r_precision, fid of first: Too <few>."]
    above = page(entries, "Title", [], [], b"").partition("<h2>Protocol</h2>")[0]
    assert "<p>fid of first, sec|ond: Too &lt;few&gt;.</p>" in above


def scored(metric: str, value: float, **protocol: str) -> Scored:
    return Scored(metric, Score(value, PROTOCOL | protocol), "m", "0" * 64, {}, "2026-11-24")


def test_the_newest_scores_under_one_protocol_are_taken_from_cards():
    said: list[str] = []
    mine = [scored("kid", 1), scored("kid", 2, n_fake="20"), scored("kid", 3, n_fake="30"), scored("is", 1)]
    yours = [scored("kid", 4, n_fake="20"), scored("kid", 5), scored("is", 1, seed="7")]
    found = agreeing([mine, yours], said.append)
    assert [{name: score.value for name, score in each.items()} for each in found] == [{"kid": 2}, {"kid": 4}]
    assert len(said) == 1 and "is is left out" in said[0] and "seed: not stated and 7" in said[0]
    assert agreeing([mine, []], said.append) == [{}, {}] and len(said) == 1


class Reader(html.parser.HTMLParser):
    """Tags, texts and sources of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.texts.append(data)


def test_the_page_is_self_contained_and_escapes_user_text():
    hostile = '<script>alert("x")</script> & "quotes"'
    entries = [Entry(hostile, ENTRIES[0].scores, 1, 0.1), ENTRIES[1]]
    rows = [[Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]]
    text = page(entries, hostile, [hostile], rows, chart(entries))
    reader = Reader()
    reader.feed(text)
    assert "script" not in reader.tags and text.count("alert(") == text.count("&lt;script&gt;alert(")
    assert reader.tags.count("img") == 3 and all(
        source.startswith("data:image/png;base64,") for source in reader.sources
    )
    assert any(hostile in said for said in reader.texts)
    pictures = [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in reader.sources]
    assert pictures[1].getpixel((5, 5)) == (255, 0, 0) and pictures[1].width >= 128
    assert "http" not in text


@pytest.mark.parametrize("entries", [ENTRIES, ENTRIES[2:], ENTRIES[:1]])
def test_the_chart_works_without_times(entries):
    with Image.open(io.BytesIO(chart(entries))) as picture:
        assert picture.format == "PNG" and picture.width > 400


def test_a_sheet_has_a_row_per_prompt_a_column_per_model_and_scores_below():
    colours = [("red", "blue"), ("lime", "black"), ("white", "yellow")]
    rows = [
        [Image.new("RGB", (size, size), colour) for colour, size in zip(row, (64, 32), strict=True)] for row in colours
    ]
    plain = sheet(rows, ["one", "two " * 40, "x" * 200], ["first", "second"])
    pixels = np.asarray(plain)
    for number, row in enumerate(colours):
        for column, colour in enumerate(row):
            spot = (168 + column * 134 + 64, 6 + 15 + number * 134 + 64)
            assert plain.getpixel(spot) == Image.new("RGB", (1, 1), colour).getpixel((0, 0))
    assert (pixels[:, 167] == 255).all()  # prompts stay in their column
    with_scores = sheet(rows, ["one", "two", "three"], ["first", "second"], under_columns(ENTRIES[:2]))
    assert with_scores.height > plain.height and with_scores.width == plain.width
    assert np.array_equal(np.asarray(with_scores)[30:120, 168:], pixels[30:120, 168:])
