"""index.html, parsed as in a browser, with prompts that contain markup."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fakes.models import FakeTextEncoder
from fakes.training import OnePlayer, settings, squares, write_squares
from t2i.runs.folder import RunFolder
from t2i.training.report.curves import PANEL
from t2i.training.report.page import run_page
from t2i.training.report.samples import Samples
from t2i.training.run import read_recipe, resume, start
from t2i.training.run_data import prepared
from t2i.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("plots")

EVIL = ("<script>alert(1)</script>", 'a "quoted" & <b>bold</b> cat', "</ol><img src=x onerror=alert(2)>", "наряд 猫 🐱")


class Elements(HTMLParser):
    """Start tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished toy run with prompts that contain markup."""
    samples = Samples(EVIL, FakeTextEncoder().encode(EVIL))
    config = settings(steps=6, log_every=1, sample_every=2)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.yaml").write_text("data: <script>alert(3)</script>\n")
    Trainer(OnePlayer(), squares(8), config, tmp_path / "run", samples=samples, device="cpu").fit()
    return tmp_path / "run"


def test_text_never_becomes_markup(run: Path) -> None:
    page = Elements((run / "index.html").read_text())
    assert len(page.all("script")) == 1 and not page.all("b")[6:]
    assert all(not name.startswith("on") for _, attributes in page.found for name in attributes)
    text = "".join(page.text)
    assert all(prompt in text for prompt in EVIL) and "data: <script>alert(3)</script>" in text
    assert len(page.all("li")) == len(EVIL)


def test_it_needs_nothing_but_the_run_folder(run: Path) -> None:
    """It has no other address: every picture is in the folder, and nothing else is loaded."""
    content = (run / "index.html").read_text()
    page = Elements(content)
    assert not page.all("link") and all("src" not in script for script in page.all("script"))
    sources = [attributes["src"] for attributes in page.all("img")]
    assert sources == ["samples/step-00000006.png", "losses.png", "nearest.png"]
    (slider,) = page.all("input")
    names = str(slider["data-files"]).split()
    assert names == [f"samples/step-0000000{step}.png" for step in (2, 4, 6)]
    assert str(slider["data-steps"]).split() == ["2", "4", "6"]
    assert (slider["max"], slider["value"]) == ("2", "2")
    for name in names:
        Image.open(run / name).verify()
    assert "http" not in content


def test_the_sheet_is_as_large_as_the_window_lets_it(run: Path) -> None:
    """Its width and its height are limited, and its proportions are kept."""
    (style,) = re.findall(r"<style>(.*)</style>", (run / "index.html").read_text(), re.DOTALL)
    (rule,) = re.findall(r"#sheet {(.*?)}", style, re.DOTALL)
    found = dict(re.findall(r"([\w-]+): ([^;]*\w)", rule))
    assert (found["width"], found["max-height"], found["object-fit"]) == ("96vw", "92vh", "contain")
    assert "height" not in found and found["image-rendering"] == "pixelated"


def test_curves_have_a_panel_for_each_player(run: Path) -> None:
    """Panels for the toy's player, the gradients, speed and waiting time; each curve colours pixels of its panel."""
    with Image.open(run / "losses.png") as curves:
        panels = 4
        assert curves.height == panels * curves.width * PANEL / 8
        for number in range(panels):
            panel = curves.crop(
                (0, number * curves.height // panels, curves.width, (number + 1) * curves.height // panels)
            )
            assert (31, 119, 180) in {colour[:3] for _, colour in panel.getcolors(1 << 20)}, "the first line's blue"


def test_throughput_and_progress_are_shown(tmp_path: Path) -> None:
    rows = [{"step": 500, "g/loss": 1.0, "speed/images_per_second": 1234.56, "waiting/for_data": 0.0123}]
    text = "".join(Elements(run_page(RunFolder(tmp_path), rows, [], ["<i>ill</i>"], 2000)).text)
    assert "500 of 2,000" in text and "1,234.6" in text and "1.2%" in text and "<i>ill</i>" in text


def test_the_time_to_the_first_pictures_includes_the_data_and_is_kept(
    fakes_installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, waited = time.monotonic, list[float]()

    def prepared_slowly(*arguments: Any) -> Any:
        waited.append(100.0)
        return prepared(*arguments)

    monkeypatch.setattr("time.monotonic", lambda: clock() + sum(waited))
    monkeypatch.setattr("t2i.training.run.prepared", prepared_slowly)
    train = {"steps": 4, "batch_size": 4, "tracker": "none", "checkpoint_every": 2, "sample_every": 2}
    made = {"technique": "cgan", "data": str(write_squares(tmp_path / "squares")), "text_encoder": "fake"}
    start(read_recipe("cgan", "tiny") | made | {"train": train}, tmp_path / "run", device="cpu")
    resume(tmp_path / "run", steps=6, device="cpu")
    page = "".join(Elements((tmp_path / "run" / "index.html").read_text()).text)
    assert "6 of 6" in page and "2 minto the first pictures" in page


def test_a_run_without_rows_or_samples_has_a_page(tmp_path: Path) -> None:
    page = Elements(run_page(RunFolder(tmp_path), [], ["a cat"], [], 10))
    assert not page.all("img") and not page.all("script") and "0 of 10" in "".join(page.text)


def test_a_held_out_score_is_shown_with_its_bounds_and_a_doubt() -> None:
    row = {"step": 500.0, "held_out/r_precision": 0.0, "held_out/r_precision_chance": 0.01, "held_out/kid": 0.1}
    for ceiling, kind in ((0.0185, "warning"), (0.6, "score")):
        rows = [row | {"held_out/r_precision_ceiling": ceiling}, {"step": 520.0}]
        page = Elements(run_page(RunFolder(Path("none")), rows, (), (), 1000))
        assert [attributes["class"] for attributes in page.all("p")] == [kind]
        text = "".join(page.text)
        assert f"At step 500, held-out r_precision is 0; real pictures reach {ceiling:.3g}, and chance is 0.01." in text
        assert ("means little" in text) == (kind == "warning")
