"""Reference statistics give the same FID as the pictures, from files of ours and of pytorch-fid; other files fail."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fakes.hub import FakeHub
from fakes.pictures import pictures
from fakes.protocol import DIM, TINY
from t2i.create import create_evaluator
from t2i.data.dataset import CaptionedDataset
from t2i.errors import InvalidInputError, OfflineError, SnapshotError
from t2i_metrics import reference as module
from t2i_metrics.dataset_features import dataset_features, dataset_reference
from t2i_metrics.extractor import Extractor, get_extractor
from t2i_metrics.fid import FID
from t2i_metrics.moments import Moments
from t2i_metrics.reference import read_reference

pytestmark = pytest.mark.usefixtures("tiny")
REAL, FAKE = pictures(12, seed=7), pictures(9, seed=8)


def fid(**settings: object) -> FID:
    evaluator = create_evaluator("fid", protocol=TINY, min_images=2, **settings)
    assert isinstance(evaluator, FID)
    return evaluator


@pytest.fixture(scope="module")
def value(tiny: None) -> float:
    evaluator = fid()
    evaluator.update(REAL, real=True)
    evaluator.update(FAKE)
    return evaluator.compute()["fid"].value


@pytest.fixture(scope="module")
def packed() -> bytes:
    """A small compressed .npz of few features, so that most of its bytes are structure."""
    file = io.BytesIO()
    np.savez_compressed(file, mu=np.zeros(8), sigma=np.eye(8))
    return file.getvalue()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    evaluator = fid()
    evaluator.update(REAL, real=True)
    evaluator.save_statistics(tmp_path / "real.safetensors")
    return tmp_path / "real.safetensors"


def test_a_saved_reference_replaces_its_pictures(saved: Path, value: float) -> None:
    evaluator = fid(reference=saved)
    evaluator.update(FAKE[:1].expand(3, -1, -1, -1), real=True)  # ignored
    evaluator.update(FAKE)
    score = evaluator.compute()["fid"]
    assert score.value == pytest.approx(value, rel=1e-6)
    assert score.protocol["n_real"] == "12"
    assert len(score.protocol["reference_sha256"]) == 64
    evaluator.reset()
    with pytest.raises(InvalidInputError, match="got 48x48 after 32x32"):
        evaluator.update(pictures(2, side=48))


def test_pytorch_fids_files_are_read(tmp_path: Path, value: float) -> None:
    features = get_extractor(TINY)(REAL).features.double().numpy()
    np.savez_compressed(tmp_path / "real.npz", mu=features.mean(axis=0), sigma=np.cov(features, rowvar=False))
    evaluator = fid(reference=tmp_path / "real.npz")
    evaluator.update(FAKE)
    score = evaluator.compute()["fid"]
    assert score.value == pytest.approx(value, rel=1e-6)
    assert score.protocol["n_real"] == "not stated"


def test_a_datasets_statistics_are_computed_once(
    training_path: Path,
    training_folder: CaptionedDataset,
    value: float,
    t2i_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluator = fid(reference=str(training_path))
    evaluator.update(FAKE)
    assert evaluator.compute()["fid"].value == pytest.approx(value, rel=1e-6)
    looks: list[int] = []
    look = Extractor.__call__
    monkeypatch.setattr(Extractor, "__call__", lambda self, images: looks.append(len(images)) or look(self, images))
    extractor = get_extractor(TINY)
    (file,) = (t2i_cache / "statistics").iterdir()
    assert dataset_reference(training_folder, 32, extractor).count == 12
    assert looks == []
    assert read_reference(file, extractor).size == (32, 32), "the cached file can be copied and shared"
    file.write_bytes(file.read_bytes()[:100])
    dataset_reference(training_folder, 32, extractor)
    assert looks == [12], "a damaged file is regenerated"
    dataset_reference(training_folder, 16, extractor)
    assert looks == [12, 12], "and so is a file for another size"


def test_features_of_a_dataset_are_those_of_its_pictures(training_folder: CaptionedDataset, t2i_cache: Path) -> None:
    extractor = get_extractor(TINY)
    for _ in range(2):
        features, positions = dataset_features(training_folder, 32, extractor)
        assert positions == list(range(12))
        torch.testing.assert_close(features, extractor(REAL).features, rtol=1e-4, atol=1e-5)
    assert len(list((t2i_cache / "features").iterdir())) == 1


def write(path: Path, metadata: dict[str, str] | None = None, **tensors: Tensor) -> None:
    said = {"format": "1", "protocol": json.dumps(dict(get_extractor(TINY).identity)), "count": "12"}
    safetensors.torch.save_file(tensors, path, metadata={**said, **(metadata or {})})


def lie(path: Path) -> None:
    """An array file of a few bytes whose header claims terabytes."""
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)})
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("mu.npy", "sigma.npy"):
            archive.writestr(name, array.getvalue())


MEAN, COVARIANCE = torch.zeros(DIM, dtype=torch.float64), torch.eye(DIM, dtype=torch.float64)
NAN = torch.full((DIM, DIM), float("nan"), dtype=torch.float64)
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing.safetensors": (lambda path: None, "FileNotFoundError"),
    "missing.npz": (lambda path: None, "FileNotFoundError"),
    "text.safetensors": (lambda path: path.write_text("statistics"), "cannot be read"),
    "text.npz": (lambda path: path.write_text("statistics"), "cannot be read"),
    "pickled.npz": (lambda path: np.savez(path, mu=np.array([{}]), sigma=np.array([{}])), "allow_pickle"),
    "keys.npz": (lambda path: np.savez(path, mean=MEAN), "cannot be read"),
    "keys.safetensors": (lambda path: write(path, mean=MEAN), "cannot be read"),
    "stale.safetensors": (
        lambda path: write(path, {"format": "0"}, mean=MEAN, covariance=COVARIANCE), "expected format 1, got 0"
    ),
    "lying.npz": (lie, "8000000000000 bytes, and statistics hold at most"),
    "prose.safetensors": (
        lambda path: write(path, {"protocol": "as usual"}, mean=MEAN, covariance=COVARIANCE), "JSONDecodeError"
    ),
    "list.safetensors": (
        lambda path: write(path, {"protocol": "[1, 2]"}, mean=MEAN, covariance=COVARIANCE), "cannot be read"
    ),
    "count.safetensors": (
        lambda path: write(path, {"count": "many"}, mean=MEAN, covariance=COVARIANCE), "cannot be read"
    ),
    "pictures.safetensors": (
        lambda path: write(path, {"protocol": '{"pictures": "axb"}'}, mean=MEAN, covariance=COVARIANCE), "cannot be"
    ),
    "short.npz": (lambda path: np.savez(path, mu=np.zeros(2048), sigma=np.eye(2048)), f"has {DIM} features.*2048"),
    "nan.safetensors": (lambda path: write(path, mean=MEAN, covariance=NAN), "finite and symmetric"),
    "skew.npz": (lambda path: np.savez(path, mu=np.zeros(DIM), sigma=np.tri(DIM)), "finite and symmetric"),
    "other.safetensors": (
        lambda path: write(
            path, {"protocol": json.dumps({**get_extractor(TINY).identity, "resize": "nearest 224"})},
            mean=MEAN, covariance=COVARIANCE,
        ),
        "differ in resize: nearest 224 and none",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_files_that_are_damaged_stale_or_of_another_protocol_are_refused(name: str, tmp_path: Path) -> None:
    make, says = BAD[name]
    make(tmp_path / name)
    with pytest.raises(InvalidInputError, match=says):
        fid(reference=tmp_path / name)


@settings(max_examples=200, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), what=st.integers(1, 255))
def test_damaged_files_give_a_one_sentence_error_or_statistics(packed: bytes, where: float, what: int) -> None:
    damaged = bytearray(packed)
    damaged[int(where * len(damaged))] ^= what
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.npz"
        path.write_bytes(damaged)
        with contextlib.suppress(InvalidInputError):
            read_reference(path, get_extractor(TINY))


def test_a_truncated_file_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-8])
    with pytest.raises(InvalidInputError, match="cannot be read"):
        fid(reference=saved)


def test_statistics_on_the_hub(saved: Path, hub: FakeHub, value: float) -> None:
    repo = hub.repo("org/repo", {"in/folder.safetensors": saved.read_bytes()})
    repo.refs["v1"] = repo.refs["main"]
    for _ in range(2):
        evaluator = fid(reference="hf-hub:org/repo/in/folder.safetensors@v1")
        evaluator.update(FAKE)
        assert evaluator.compute()["fid"].value == pytest.approx(value, rel=1e-6)
    assert sum("/cdn/" in asked for asked in hub.asked if asked.startswith("GET")) == 1
    for missing in ("other.npz", "model.safetensors"):
        with pytest.raises(SnapshotError, match=f"The repository org/repo has no file {missing}"):
            fid(reference=f"hf-hub:org/repo/{missing}")
    with pytest.raises(SnapshotError, match="there is no repository of that name"):
        fid(reference="hf-hub:org/none/other.npz")


def test_statistics_on_the_hub_without_a_network() -> None:
    with pytest.raises(OfflineError, match=r"hf-hub:org/repo/fid.safetensors@main are not on this machine"):
        fid(reference="hf-hub:org/repo/fid.safetensors@main")


@pytest.mark.parametrize("wrong", ["org/fid.safetensors", "org//fid.npz", "org/repo/../fid.npz", "org/repo/*"])
def test_invalid_names_of_statistics_on_the_hub_are_refused(wrong: str) -> None:
    with pytest.raises(InvalidInputError, match="hf-hub:org/repo/file"):
        fid(reference=f"hf-hub:{wrong}")


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_a_decompression_bomb_is_not_unpacked(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1_000_000)
    path = tmp_path / f"bomb.{suffix}"
    if suffix == "npz":
        np.savez_compressed(path, mu=np.zeros(400), sigma=np.zeros((400, 400)))
        assert path.stat().st_size < 100_000
    else:
        safetensors.torch.save_file({"mean": torch.zeros(400), "covariance": torch.zeros(800, 400)}, path)
    with pytest.raises(InvalidInputError, match=r"and statistics hold at most 1000000\)"):
        fid(reference=path)


def test_statistics_without_pictures_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="at least 2 real pictures, got 0"):
        fid().save_statistics(tmp_path / "none.safetensors")
    assert not list(tmp_path.iterdir())


def test_the_size_of_moments_does_not_grow() -> None:
    moments = Moments(64)
    size = sum(tensor.nbytes for tensor in moments.state("real").values())
    for _ in range(100):
        moments.add(torch.ones(50, 64))
    assert moments.count == 5000
    assert sum(tensor.nbytes for tensor in moments.state("real").values()) == size
    assert module.Reference.of(moments).count == 5000
