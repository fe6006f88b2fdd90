"""Attention over a picture: words joined from tokens, pictures lit by words, strips, and who cannot show any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.create import create_model, create_text_encoder
from t2i.drawing.artist import Request
from t2i.drawing.attention import DARK, WordMaps, attend, joined
from t2i.drawing.pipeline import Pipeline, pipeline
from t2i.errors import InvalidInputError
from t2i.publishing.pretrained import save_pretrained

TINY: dict[str, Any] = {
    "word_dim": 12, "backbone": "", "reader": "linear", "widths": (16, 8), "branch_widths": (8,), "residual_blocks": 1,
    "condition_dim": 8, "noise_dim": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    generator = create_model("attngan", **TINY).eval()
    return save_pretrained(generator, tmp_path_factory.mktemp("models") / "attngan")


def test_tokens_of_one_word_are_joined_and_their_weights_summed() -> None:
    """MiniLM reads "firefighter" as one token and "snowwoman" as several; [CLS] and [SEP] are no part of the prompt."""
    encoder, prompt = create_text_encoder(), "a snowwoman, a snowwoman"
    tokens = encoder.tokens(prompt)
    maps = torch.arange(1.0, len(tokens) + 1)[:, None, None].expand(-1, 2, 2)
    words, sums = joined(tokens, prompt, maps)
    assert len(tokens) > len(words) and words == ("", "a", "snowwoman,", "a", "snowwoman", "")
    torch.testing.assert_close(sums.sum(0), maps.sum(0))
    first = next(place for place, token in enumerate(tokens) if token)
    torch.testing.assert_close(sums[1], maps[first])


def test_a_picture_is_lit_where_a_word_has_weight() -> None:
    maps = torch.tensor([[[0.5, 0.0]], [[0.5, 1.0]]])
    found = WordMaps(Image.new("RGB", (8, 4), (200, 100, 50)), "red", ("red", ""), maps)
    lit = np.asarray(found.lit(0))
    assert lit[0, 0].tolist() == [200, 100, 50] and lit[0, -1].tolist() == [200 * DARK, 100 * DARK, 50 * DARK]
    assert (np.diff(lit[0, :, 0].astype(int)) <= 0).all()
    assert found.strip.width > found.strip.height  # the picture and one word; "" is not shown


def test_maps_are_of_the_picture_that_is_drawn(model: Path) -> None:
    pipe = pipeline(str(model), device="cpu")
    request = Request("a red heart", 7)
    (drawn,), (maps,) = pipe.draw([request]), attend(pipe, [request])
    difference = np.abs(np.asarray(drawn.image, dtype=int) - np.asarray(maps.image, dtype=int))
    assert difference.max() <= 1 and maps.prompt == request.prompt
    assert maps.words == ("", "a", "red", "heart", "") and maps.maps.shape == (5, 8, 8)
    torch.testing.assert_close(maps.maps.sum(0), torch.ones(8, 8))


def test_the_command_writes_a_strip_beside_each_picture(
    t2i: T2I, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("generate", "a red heart", "--model", model, "--device", "cpu", "--seed", 1, "--attention")
    assert t2i(*words, "-o", "heart.png").code == 0
    strip = Image.open("heart-attention.png")
    assert Image.open("heart.png").size == (16, 16) and strip.width > 3 * strip.height
    assert t2i(*words, "-n", 2, "-o", "hearts").code == 0
    names = sorted(path.name for path in Path("hearts").iterdir())
    assert names == [f"0001-a-red-heart-{seed}{kind}.png" for seed in (1, 2) for kind in ("-attention", "")] + [
        "grid.png"
    ]
    assert Path("hearts/0001-a-red-heart-1-attention.png").read_bytes() == Path("heart-attention.png").read_bytes()


def test_who_shows_no_attention_says_who_does(t2i: T2I, tmp_path: Path) -> None:
    shape = {"resolution": 16, "widths": (16, 8), "condition_dim": 16, "hidden_dim": 16}
    other = save_pretrained(create_model("cgan", **shape).eval(), tmp_path / "cgan")
    pipe = pipeline(str(other), device="cpu")
    assert isinstance(pipe, Pipeline)
    with pytest.raises(
        InvalidInputError, match=r"a cgan, which cannot show its attention. Techniques that can: attngan"
    ):
        attend(pipe, [])
    result = t2i("generate", "a cat", "--model", other, "--device", "cpu", "--attention", "-o", tmp_path / "cat.png")
    assert "cannot show its attention" in result.error and not (tmp_path / "cat.png").exists()
