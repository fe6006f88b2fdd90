"""Drawing without torch: the same picture alone, in a batch, through t2i, and again from its file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import emoji
import numpy as np
import pytest
from PIL import Image

import t2i
from fakes.command_line import T2I
from t2i.drawing.provenance import read_provenance
from t2i.errors import InvalidInputError, UnreadPromptWarning
from t2i.spelling import spelled
from t2i.testing.installed import sections
from t2i_onnx import program
from t2i_onnx.drawing import Drawing
from t2i_onnx.errors import OnnxError
from t2i_onnx.reading import Reader

WITHOUT_TORCH = """
import sys
class Refuses:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "t2i", "PIL", "pydantic", "onnx", "emoji", "huggingface_hub"):
            raise ImportError(f"{name} must not be imported")
sys.meta_path.insert(0, Refuses())
from t2i_onnx.program import main
main()
"""


@pytest.mark.usefixtures("t2i_cache")
def test_it_passes_every_check() -> None:
    found = [outcome for section in sections("onnx") for outcome in section.outcomes()]
    assert len(found) > 8
    assert {outcome.check: outcome.message for outcome in found if outcome.is_bad} == {}


def test_it_draws_where_torch_and_t2i_are_missing(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "heart.png"
    command = [sys.executable, "-c", WITHOUT_TORCH, str(tiny), "a red heart and a 🐼", "--seed", "7", "-o", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == f"{out} (seed 7)\n"
    again = np.asarray(t2i.pipeline(str(tiny))("a red heart and a 🐼", seed=7).images[0])
    assert np.array_equal(np.asarray(Image.open(out)), again)


def test_its_file_can_be_drawn_again_by_t2i(tiny: Path, tmp_path: Path, t2i: T2I) -> None:
    out, again = tmp_path / "heart.png", tmp_path / "again.png"
    program.run([str(tiny), " a red heart ", "--seed", "7", "-o", str(out)])
    recorded = read_provenance(out)
    assert (recorded.prompt, recorded.seed, recorded.options) == ("a red heart", 7, {"gain": 1.0})
    assert recorded.artist.weights["model.safetensors"] == "0" * 64  # the weights that were exported
    assert {"generator.onnx", "text.onnx"} < recorded.artist.weights.keys()
    result = t2i("regenerate", out, "-o", again)
    assert result.code == 0, result.err
    with Image.open(out) as first, Image.open(again) as second:
        assert np.array_equal(np.asarray(first), np.asarray(second)) and first.mode == "RGB"


def test_a_picture_does_not_depend_on_its_neighbours_by_a_bit(tiny: Path) -> None:
    drawing = Drawing(tiny)
    prompts, seeds = ["a red heart", "pizza", "a blue star"], [7, 8, 2**40]
    together = drawing.draw(prompts, seeds)
    for picture, prompt, seed in zip(together, prompts, seeds, strict=True):
        assert np.array_equal(drawing.draw([prompt], [seed])[0], picture)
    assert not np.array_equal(together[0], together[1])


def test_many_pictures_go_into_a_folder(tiny: Path, tmp_path: Path) -> None:
    program.run([str(tiny), "a red heart", "a/../b <b>", "-n", "2", "--seed", "3", "-o", str(tmp_path / "out")])
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0001-a-red-heart-3.png", "0002-a-red-heart-4.png", "0003-a-b-b-3.png", "0004-a-b-b-4.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "--seed", "-1"], "seed"),
        (["a", "--seed", str(2**63)], "seed"),
        (["a", "-o", "a.jpg"], ".png"),
        (["a", "b", "-o", "a.png"], "folder"),
        (["a", "-n", "0"], "At least 1 picture per prompt must be drawn, got 0"),
        (["a", "b", "-n", "60000"], "At most 100,000 pictures can be drawn at once, got 120,000"),
        ([" "], "empty"),
        (["x" * 2001], "2000"),
        (["\udcff"], "Unicode"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OnnxError, match=message):
        program.run([str(tiny), *arguments])
    assert not [*tmp_path.iterdir()]


def test_emoji_are_spelled_as_t2i_spells_them(tiny: Path) -> None:
    reader: Reader = Drawing(tiny).reader
    assert len(emoji.EMOJI_DATA) > 5000
    for symbol in emoji.EMOJI_DATA:
        assert reader.spelled(f"a {symbol}and {symbol}{symbol}!") == spelled(f"a {symbol}and {symbol}{symbol}!"), symbol
    for text in ("naïve café", "красное сердце", "a ❤️ and ☎", "🇯🇵🇫🇷", "👩‍🚒👩🏽‍🚒", "1️⃣ © ™"):
        assert reader.spelled(text) == spelled(text)


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a red heart!", ""),
        ("a red zebra", "does not know 'zebra'"),
        ("zebra", "knows no word"),
        ("красное", "knows no word"),
        ("a red " * 6 + "blue star", "left out 'blue star'"),
    ],
)
def test_what_is_not_read_is_said(tiny: Path, prompt: str, said: str) -> None:
    found = Drawing(tiny).reader.unread(prompt.replace("!", ""))
    assert said in found and bool(said) == bool(found)
    if said:
        with pytest.warns(UnreadPromptWarning, match=said):
            t2i.pipeline(str(tiny))(prompt, seed=1)


def test_an_option_that_was_exported_cannot_be_changed(tiny: Path) -> None:
    artist = t2i.pipeline(str(tiny))
    assert artist.options(gain=1).model_dump() == {"gain": 1.0}
    with pytest.raises(InvalidInputError, match="in this export, got"):
        artist.options(gain=2.0)
    for how in ({"memory": "low"}, {"adapters": ["x"]}):
        with pytest.raises(InvalidInputError, match="no adapters"):
            t2i.pipeline(str(tiny), **how)  # type: ignore[arg-type]
