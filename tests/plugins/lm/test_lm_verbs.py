"""The verbs: write, widen, vary, caption, and generate --widen, with a small model and a small artist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from fakes.command_line import T2I
from fakes.painter import here as here
from plugins.lm.conftest import Scripted
from t2i import create
from t2i.drawing.provenance import Widened, read_provenance
from t2i_index.index import index
from t2i_lm import widening
from t2i_lm.captioning import Captioner

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")
ANSWERS = ["a red heart", "I cannot", "a blue boat", "in the snow, at dusk"]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """The language model of every verb."""
    model = Scripted(ANSWERS)
    monkeypatch.setattr(create, "create_language_model", lambda name="smollm2": model)
    monkeypatch.setattr(widening, "create_language_model", lambda name="smollm2": model)
    return model


def test_write_prints_prompts_or_writes_them_and_they_are_found(
    t2i: T2I, here: Path, scripted: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("T2I_INDEX", str(tmp_path / "index.sqlite"))
    written = t2i("write", "things", "-n", 2)
    assert written.code == 0 and written.out == "a red heart\na blue boat\n"
    assert t2i("write", "things", "-n", 2, "-o", "prompts.txt").code == 0
    assert (here / "prompts.txt").read_text() == written.out
    (hit,) = json.loads(t2i("search", "boat", "--kind", "text", "--json").out)
    assert (hit["prompt"], hit["text"], hit["model"]) == ("things", "a blue boat", "scripted")
    assert "needs a question" not in t2i("write", " ").error


def test_a_widened_picture_is_regenerated_without_a_language_model(
    t2i: T2I, here: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
):
    draw = ("generate", "red square", "--widen", "--model", "painter", "--device", "cpu")
    done = t2i(*draw, "--seed", 3, "-o", "red.png")
    assert done.code == 0 and "red square -> red square, in the snow, at dusk" in done.err
    found = read_provenance(here / "red.png")
    assert found.prompt == "red square, in the snow, at dusk"
    assert found.widened == Widened("red square", "scripted", "ab", 3)
    asked = len(scripted.asked)
    assert t2i("regenerate", "red.png", "-o", "again.png").code == 0
    assert (here / "again.png").read_bytes() == (here / "red.png").read_bytes() and len(scripted.asked) == asked
    assert "2 pictures" in t2i(*draw, "--seed", 3, "-n", 2, "-o", "out").err
    assert "0 pictures, 2 were there already" in t2i(*draw, "--seed", 3, "-n", 2, "-o", "out").err


def test_widen_prints_what_generate_would_draw(t2i: T2I, scripted: Scripted):
    assert t2i("widen", "cosy cabin", "--seed", 3).out == "cosy cabin, in the snow, at dusk\n"


def test_vary_prints_all_or_some(t2i: T2I, here: Path):
    assert t2i("vary", "a {red|blue} heart", "--all").out == "a red heart\na blue heart\n"
    assert len(t2i("vary", "a {red|blue|green} {heart|boat}", "-n", 4).out.splitlines()) == 4
    assert "Leave one out" in t2i("vary", "a", "--all", "-n", 2).error
    assert "does not close" in t2i("vary", "a {b").error


@pytest.fixture(scope="module")
def captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BLIP of random weights."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    folder = tmp_path_factory.mktemp("blip")
    assert pre_tokenizers
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "red", "blue", "square", "on", "white"]
    (folder / "vocab.txt").write_text("\n".join(words))
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = sizes | {"vocab_size": len(words), "encoder_hidden_size": 16, "bos_token_id": 2, "eos_token_id": 3}
    text |= {"sep_token_id": 3, "pad_token_id": 0, "max_position_embeddings": 64}
    torch.manual_seed(0)
    config = BlipConfig(text_config=text, vision_config=sizes | {"image_size": 32, "patch_size": 16}, projection_dim=16)
    BlipForConditionalGeneration(config).save_pretrained(folder)
    size = {"height": 32, "width": 32}
    BlipProcessor(BlipImageProcessor(size=size), BertTokenizer(str(folder / "vocab.txt"))).save_pretrained(folder)
    return folder


def test_captions_are_written_next_to_pictures(t2i: T2I, here: Path, captioner: Path):
    folder = here / "pictures"
    folder.mkdir()
    for colour in ("red", "blue", "white"):
        Image.new("RGB", (40, 30), colour).save(folder / f"{colour}.png")
    (folder / "red.txt").write_text("mine\n")
    (folder / "broken.png").write_bytes(b"\x89PNG")
    (folder / "program.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n")
    done = t2i("caption", folder, "--lm", f"hf:{captioner}")
    assert done.code == 0 and "broken.png was left out" in done.err and "1 were there already" in done.err
    assert "program.png was left out" in done.err and "Ghostscript" not in done.err  # it would run the PostScript
    assert (folder / "red.txt").read_text() == "mine\n" and not (folder / "broken.txt").exists()
    written = [path for path in (folder / "blue.txt", folder / "white.txt") if path.exists()]
    assert f"{len(written)} captions written" in done.err
    assert "There is no folder nowhere" in t2i("caption", "nowhere").error
    assert "holds no picture" in t2i("caption", here / "painter", "--lm", f"hf:{captioner}").error


def test_captions_are_recorded_with_their_pictures(
    t2i: T2I, here: Path, captioner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Captioner, "describe", lambda self, pictures: ["a small boat"] * len(pictures))
    picture = here / "pictures" / "blue.png"
    picture.parent.mkdir()
    Image.new("RGB", (40, 30), "blue").save(picture)
    caption, search = ("caption", picture.parent, "--lm", f"hf:{captioner}"), ("search", "boat", "--json")
    location = tmp_path / "index.sqlite"
    monkeypatch.setenv("T2I_INDEX", "off")
    assert t2i(*caption).code == 0 and picture.with_suffix(".txt").read_text() == "a small boat\n"
    monkeypatch.setenv("T2I_INDEX", str(location))
    assert t2i(*caption).code == 0 and not location.exists()  # nothing was written
    picture.with_suffix(".txt").unlink()
    assert t2i(*caption).code == 0
    (hit,) = json.loads(t2i(*search, "--kind", "text").out)
    assert (hit["kind"], hit["text"]) == ("text", "a small boat") and not {"prompt", "seed"} & {*hit}
    assert (hit["model"], hit["path"]) == (f"hf:{captioner}", str(picture))
    picture.rename(picture.with_name("moved.png"))
    assert index(location).search("boat")[0].picture().getpixel((0, 0)) == (0, 0, 255)
