"""A picture drawn again is the same, or its difference is reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fakes.models import FakeGenerator, FakeTextEncoder
from t2i.drawing.picture import Picture
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import read_provenance
from t2i.drawing.regenerate import regenerate
from t2i.errors import IntegrityError
from t2i.publishing.pretrained import save_pretrained

pytestmark = pytest.mark.usefixtures("fakes_installed")


@pytest.fixture
def picture(tmp_path: Path, fakes_installed: None) -> Picture:
    torch.manual_seed(0)
    save_pretrained(FakeGenerator(), tmp_path / "m", text_encoder=FakeTextEncoder().identity)
    return pipeline(str(tmp_path / "m"), device="cpu")("pizza", seed=3, gain=0.5)[0]


def test_it_is_the_same_file(picture: Picture, tmp_path: Path):
    path = picture.save(tmp_path / "x.png")
    said: list[str] = []
    again = regenerate(path, warn=said.append)
    assert again.difference == 0 and again.picture.png() == path.read_bytes() and not said
    assert again.picture.provenance == picture.provenance


def test_a_changed_picture_differs_by_its_largest_change(picture: Picture, tmp_path: Path):
    changed = picture.image.copy()
    red, green, blue = changed.getpixel((2, 3))
    changed.putpixel((2, 3), (red, green + 40 if green < 128 else green - 40, blue))
    assert regenerate(replace(picture, image=changed).save(tmp_path / "x.png")).difference == 40
    part = replace(picture, image=picture.image.crop((0, 0, 4, 4)))
    assert regenerate(part.save(tmp_path / "x.png")).difference == 255  # although all remaining pixels are equal


def test_moved_weights_can_be_given_by_path(picture: Picture, tmp_path: Path):
    path = picture.save(tmp_path / "x.png")
    (tmp_path / "m").rename(tmp_path / "moved")
    again = regenerate(path, model=str(tmp_path / "moved"))
    assert again.difference == 0 and again.picture.provenance.artist.name == str(tmp_path / "moved")
    save_pretrained(FakeGenerator(), tmp_path / "m", text_encoder=FakeTextEncoder().identity)
    with pytest.raises(IntegrityError, match=f"sha256 {read_provenance(path).artist.weights_sha256}.*--model FOLDER"):
        regenerate(path)
