"""The detector's training pictures, and that interrupted training continues with the same result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from t2i.errors import IntegrityError, SnapshotError
from t2i.files import sha256_of
from t2i_metrics.skills import batches, train
from t2i_metrics.skills.detector import GRID, Detector, Found, _sampled, load_detector, resized
from t2i_metrics.skills.renders import changed, labelled, to_images
from t2i_openmoji.world.colours import COLOURS, PALETTE
from t2i_openmoji.world.splits import entries
from t2i_openmoji.world.things import things


def test_a_labelled_picture_shows_what_its_labels_say() -> None:
    counts, blends = set(), 0
    for number in range(200):
        picture = labelled(f"test {number}")
        blends += picture.blended
        counts.add((len(picture.placed), len({placed.thing for placed in picture.placed})))
        corner = picture.pixels[0, 0].astype(int)
        for placed in picture.placed:
            x, y, half = placed.x * 64, placed.y * 64, placed.side * 32
            inside = picture.pixels[int(y - half) : int(y + half), int(x - half) : int(x + half)]
            assert (np.abs(inside.astype(int) - corner) > 20).any()
            assert placed.colour in ("", *COLOURS)
    assert {(1, 1), (2, 1), (5, 1), (2, 2), (4, 4)} <= counts
    assert 2 <= blends <= 25


def test_its_streams_are_not_those_of_splits() -> None:
    shown = {labelled(f"test {number}").pixels.tobytes() for number in range(40)}
    assert len(shown) == 40
    assert not {entry.stream for split in ("test", "names") for entry in entries(split)} & {
        f"openmoji-world detector {number}" for number in range(1_000_000)
    }


def test_batches_are_a_function_of_the_step() -> None:
    first, again, second = batches.make_batch(3), batches.make_batch(3), batches.make_batch(4)
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.images, second.images)
    assert first.images.shape == (batches.SIZE, 3, 64, 64)
    assert first.images.abs().max() <= 1
    assert (first.heat == 1).sum() == len(first.thing)  # one peak for each thing
    for name in ("picture", "x", "y", "colour"):
        assert len(getattr(first, name)) == len(first.thing)
    assert first.thing.max() <= len(things())


def test_changes_keep_the_colour() -> None:
    """A flat square of any basic colour stays closest to its own colour."""
    shades = torch.tensor([[int(light[i : i + 2], 16) for i in (0, 2, 4)] for light, _ in PALETTE.values()])
    squares = to_images([np.broadcast_to(shade.numpy().astype(np.uint8), (64, 64, 3)) for shade in shades])
    for seed in range(20):
        means = changed(squares, torch.Generator().manual_seed(seed))[..., 16:48, 16:48].mean((2, 3))
        nearest = torch.cdist(means, squares[:, :, 0, 0]).argmin(1)
        assert nearest.tolist() == list(range(len(shades)))


def test_interrupted_training_continues_with_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SIZE", 4)
    monkeypatch.setattr(batches, "FRESH", 2)
    monkeypatch.setattr(train, "KEEP_EVERY", 2)
    monkeypatch.setattr(train, "cache_home", lambda: tmp_path / "whole")
    whole = train.fit(3)
    monkeypatch.setattr(train, "cache_home", lambda: tmp_path / "broken")
    make = batches.make_batch

    def breaks(step: int) -> batches.Batch:
        if step == 2:
            raise KeyboardInterrupt
        return make(step)

    monkeypatch.setattr(batches, "make_batch", breaks)
    with pytest.raises(KeyboardInterrupt):
        train.fit(3)
    monkeypatch.setattr(batches, "make_batch", make)
    resumed = train.fit(3)
    for (name, one), other in zip(whole.state_dict().items(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_the_learning_rate_warms_up_and_decays() -> None:
    rates = [train.schedule(step / 1000) for step in range(1000)]
    assert rates[0] == 0
    assert rates[50] == pytest.approx(0.5)
    assert set(rates[100:670]) == {1.0}
    assert rates[835] == pytest.approx(0.5)
    assert rates[-1] == pytest.approx(1 / 330)


def test_peaks_become_things(monkeypatch: pytest.MonkeyPatch) -> None:
    """One peak in the map is one thing with the name and colour of its logits; a flat map has no things."""
    detector = Detector(["cat", "dog"], COLOURS).eval()
    images = torch.zeros(2, 3, 64, 64)
    maps = detector(images)
    maps.centre.fill_(-9)
    maps.centre[1, 3, 12] = 9
    maps.centre[1, 3, 13] = 8  # next to a higher one: not a peak
    monkeypatch.setattr(Detector, "forward", lambda self, images: maps)
    monkeypatch.setattr(Detector, "name", lambda *_: (torch.tensor([[0.0, 1, 0]]), torch.eye(11)[3:4]))
    assert detector.find(images) == [[], [Found("dog", COLOURS[3], 12.5 / GRID, 3.5 / GRID)]]


def test_features_are_sampled_at_their_place() -> None:
    scale = torch.arange(16.0).view(1, 1, 4, 4)
    at = _sampled(
        scale, torch.zeros(3, dtype=torch.long), torch.tensor([0.125, 0.875, 0.5]), torch.tensor([0.125, 0.625, 0.5])
    )
    assert at.flatten().tolist() == [0.0, 11.0, 7.5]


def test_pictures_of_another_size_are_resized() -> None:
    assert resized(torch.zeros(1, 3, 128, 128)).shape == (1, 3, 64, 64)
    same = torch.rand(1, 3, 64, 64)
    assert resized(same) is same


def test_files(tmp_path: Path) -> None:
    detector = Detector(["cat", "dog"], COLOURS)
    path = tmp_path / "model.safetensors"
    train.write_detector(detector, path)
    loaded, sha256 = load_detector(path)
    assert sha256 == sha256_of(path)
    assert (loaded.things, loaded.colours) == (("cat", "dog"), COLOURS)
    with pytest.raises(IntegrityError, match="damaged or was changed"):
        load_detector(path, "0" * 64)
    with pytest.raises(SnapshotError, match="nox -s train-detector"):
        load_detector(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other)
    with pytest.raises(SnapshotError, match="holds no detector"):
        load_detector(other)
