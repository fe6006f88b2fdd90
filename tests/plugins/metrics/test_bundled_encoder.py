"""The bundled encoder: its file, the claims of its card, and the training of its heads."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file

from t2i.create import create_evaluator, load_dataset
from t2i.data.dataset import CaptionedDataset
from t2i.errors import IntegrityError, SnapshotError
from t2i.evaluation.pictures import to_images
from t2i.files import sha256_of
from t2i.images import from_uint8
from t2i_metrics import bundled_encoder as module
from t2i_metrics.bundled_encoder import FEATURES, SHA256, WEIGHTS, BundledEncoder, Heads
from t2i_metrics.encoders import create_image_text_encoder
from t2i_metrics.r_precision import RPrecision
from t2i_metrics.train_heads import Texts, blur, changed, fit, held_out_groups, write_heads

FOLDER = Path(str(files("t2i_metrics"))) / WEIGHTS


@pytest.fixture(scope="module")
def encoder() -> BundledEncoder:
    return create_image_text_encoder("judge")


@pytest.fixture(scope="module")
def train() -> CaptionedDataset:
    return load_dataset("openmoji", "train")


@pytest.fixture(scope="module")
def unseen() -> tuple[list, torch.Tensor]:
    """OpenMoji's withheld combinations, at 64 px."""
    data = load_dataset("openmoji", "compose")
    return list(data.examples), to_images([data.picture(index, 64)[0] for index in range(len(data))], 64)


@pytest.fixture(scope="module")
def evaluator(encoder: BundledEncoder, unseen: tuple[list, torch.Tensor]) -> RPrecision:
    """R-precision after an update with those pictures."""
    return evaluate(encoder, *unseen)


def evaluate(encoder: BundledEncoder, examples: list, images: torch.Tensor) -> RPrecision:
    evaluator = create_evaluator("r_precision", encoder=encoder)
    evaluator.update(images, captions=[e.captions[0] for e in examples], groups=[e.group for e in examples])
    return evaluator


def value(evaluator: RPrecision) -> float:
    return evaluator.compute()["r_precision"].value


def test_the_file_is_small_and_has_the_hash_in_its_card(encoder: BundledEncoder):
    assert sha256_of(FOLDER) == SHA256 == encoder.sha256
    assert FOLDER.stat().st_size <= 16 * 2**20
    card = (FOLDER.parent / "README.md").read_text()
    assert SHA256 in card and "license: cc-by-sa-4.0" in card and "openmoji.org" in card
    assert "CC BY-SA 4.0" in (FOLDER.parent / "LICENSE").read_text()


def test_the_scores_in_its_card_are_reproduced(encoder: BundledEncoder, unseen, evaluator):
    examples, images = unseen
    card = (FOLDER.parent / "README.md").read_text()
    said = {row: float(value) for row, value in re.findall(r"^\| ([^|]+?) \| ([\d.]+)", card, re.MULTILINE)}
    found = value(evaluator)
    assert found == pytest.approx(said["figures and skin tones never seen together"], abs=0.011)
    assert found > 0.8
    assert value(evaluate(encoder, examples, blur(images, 16))) == pytest.approx(
        said["the same, blurred to 16 px"], abs=0.011
    )
    assert said["concepts never seen"] > 0.1


def test_wrong_captions_score_chance(encoder: BundledEncoder, evaluator: RPrecision):
    seen, shuffled = evaluator.fake, RPrecision(encoder)
    order = np.random.default_rng(0).permutation(len(seen))
    shuffled.fake.add(seen.vectors()[order], seen.captions, seen.groups)
    assert value(shuffled) < 0.06


def test_it_recognises_colours_also_when_blurred(encoder: BundledEncoder, train: CaptionedDataset):
    colours = ("red", "blue", "green", "black", "yellow", "purple", "white", "brown", "orange")
    names = [f"{colour} heart" for colour in colours]
    index = {example.captions[0]: position for position, example in enumerate(train.examples)}
    pictures = [train.picture(index[name], 64)[0] for name in names]
    for shown in (pictures, [picture.filter(ImageFilter.GaussianBlur(2)) for picture in pictures]):
        cosine = encoder.images(to_images(shown, 64)) @ encoder.captions(names).T
        found = sum(best == own for own, best in enumerate(cosine.argmax(1).tolist()))
        assert found >= 6  # its card says 7 sharp and 6 blurred; chance is 1


def test_vectors_depend_neither_on_neighbours_nor_on_size(encoder: BundledEncoder, unseen):
    images = unseen[1][:6]
    whole = encoder.images(images)
    assert torch.allclose(whole.norm(dim=1), torch.ones(6), atol=1e-5)
    torch.testing.assert_close(encoder.images(images[2:3])[0], whole[2], atol=1e-4, rtol=0)
    large = F.interpolate(images, scale_factor=4, mode="nearest")
    assert (encoder.images(large) * whole).sum(1).min() > 0.95


def test_features_are_the_backbones_own(encoder: BundledEncoder):
    """The last 1,280 numbers equal the mean of timm's forward_features."""
    network = encoder._features
    images = from_uint8(
        torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    )
    with torch.no_grad():
        features = network(images)
        enlarged = F.interpolate(images, size=(96, 96), mode="bicubic", align_corners=False, antialias=True).clamp(
            -1, 1
        )
        expected = network.backbone.forward_features(enlarged).mean((2, 3))
    assert features.shape == (3, FEATURES)
    torch.testing.assert_close(features[:, -1280:], expected, atol=1e-4, rtol=1e-4)
    thumbnail = images.unflatten(2, (8, 8)).unflatten(4, (8, 8)).mean((3, 5)).flatten(1)
    torch.testing.assert_close(features[:, :192], thumbnail, atol=1e-5, rtol=0)


def test_damaged_and_foreign_heads_are_refused(tmp_path: Path, monkeypatch):
    tensors = load_file(FOLDER)
    path = tmp_path / "heads.safetensors"
    save_file({**tensors, "mean": tensors["mean"] + 1}, path)
    assert BundledEncoder(path).sha256 == sha256_of(path)  # a user's own heads are accepted
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    (tmp_path / WEIGHTS).parent.mkdir()
    path.rename(tmp_path / WEIGHTS)
    with pytest.raises(IntegrityError, match="pip install --force-reinstall"):
        BundledEncoder()
    (tmp_path / WEIGHTS).write_bytes(b"no")
    with pytest.raises(SnapshotError, match="cannot be read"):
        BundledEncoder()
    save_file({"mean": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(SnapshotError, match="does not hold the heads of this encoder"):
        BundledEncoder(tmp_path / "other.safetensors")
    with pytest.raises(SnapshotError, match="cannot be read"):
        BundledEncoder(tmp_path / "none.safetensors")


def test_random_changes_preserve_the_content():
    images = to_images([Image.new("RGB", (64, 64), colour) for colour in ("red", "white", "black")], 64)
    one, again = (changed(images, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, again) and not torch.equal(one, changed(images, torch.Generator().manual_seed(6)))
    assert one.shape == images.shape and one.abs().max() <= 1
    middles = one[:, :, 24:40, 24:40].mean((2, 3))
    assert (middles - images[:, :, 32, 32]).abs().max() < 0.4  # a red square stays red


def test_training_is_deterministic_and_learns_twelve_kinds(monkeypatch, tmp_path: Path):
    """Twelve artificial kinds of picture: the heads find each caption, with the same bits in every run."""
    monkeypatch.setattr("t2i_metrics.train_heads.STEPS", 30)
    monkeypatch.setattr("t2i_metrics.train_heads.BATCH", 12)
    stream = torch.Generator().manual_seed(0)
    kinds = torch.randn(12, 1, FEATURES, generator=stream)
    features = (kinds + 0.3 * torch.randn(12, 3, FEATURES, generator=stream)).half()
    sentences = F.normalize(torch.randn(24, 384, generator=stream), dim=1)
    texts = Texts(sentences, [range(2 * index, 2 * index + 2) for index in range(12)])
    first, second = (fit(features, texts, torch.arange(12)) for _ in range(2))
    assert all(torch.equal(mine, yours) for mine, yours in zip(first.parameters(), second.parameters(), strict=True))
    with torch.no_grad():
        cosine = first.of_pictures(features[:, 0].float()) @ first.of_captions(sentences).T
    assert (cosine.argmax(1) // 2).tolist() == list(range(12))
    write_heads(first, tmp_path / "heads.safetensors")
    loaded, _ = module.read_heads(tmp_path / "heads.safetensors")
    assert isinstance(loaded, Heads) and torch.equal(loaded.mean, first.mean)


def test_held_out_concepts_are_a_tenth_and_always_the_same(train: CaptionedDataset):
    examples = train.examples
    held = held_out_groups(examples)
    assert held == held_out_groups(examples) and len(held) == len({e.group for e in examples}) // 10
