"""Language models from a Hub on loopback, through the real client: safetensors of one commit, used offline later."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from huggingface_hub import constants

import t2i_lm.smollm2 as module
from fakes.hub import FakeHub
from fakes.hub import cache as cache
from fakes.hub import hub as hub
from fakes.hub import server as server
from t2i.create import create_language_model
from t2i.errors import OfflineError, SnapshotError
from t2i.language import WritingOptions

Tree = dict[str, bytes]
OPTIONS = WritingOptions(max_tokens=8, temperature=0)


@pytest.fixture
def tree(tiny: Path) -> Tree:
    return {path.name: path.read_bytes() for path in tiny.iterdir()}


def test_a_model_of_the_hub_is_downloaded_once_and_its_name_has_the_commit(
    hub: FakeHub, tree: Tree, tiny: Path, monkeypatch: pytest.MonkeyPatch
):
    left = {"pytorch_model.bin": b"\x80\x04.", "model.fp16.safetensors": b"half", "modeling.py": b"raise"}
    head = hub.repo("org/tiny", tree | left).refs["main"]
    model = create_language_model("hf:org/tiny")
    weights = hashlib.sha256(tree["model.safetensors"]).hexdigest()
    assert (model.identity.name, model.identity.revision, model.identity.sha256) == (
        f"hf:org/tiny@{head}",
        head,
        weights,
    )
    downloaded = {asked.rpartition("/")[2] for asked in hub.asked if "/resolve/" in asked}
    assert "model.safetensors" in downloaded and not {*left} & downloaded
    local = create_language_model(f"hf:{tiny}")
    assert model.write_all(["Hi."], [0], OPTIONS) == local.write_all(["Hi."], [0], OPTIONS)
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert create_language_model(f"hf:org/tiny@{head}").identity == model.identity and hub.asked == []
    with pytest.raises(OfflineError, match="org/other is not on this machine"):
        create_language_model("hf:org/other")


def test_a_repository_of_pickles_is_refused_before_they_are_downloaded(hub: FakeHub, tree: Tree):
    pickled = {name.replace("model.safetensors", "pytorch_model.bin"): data for name, data in tree.items()}
    hub.repo("org/pickled", pickled)
    with pytest.raises(SnapshotError, match="pickled weights are never read"):
        create_language_model("hf:org/pickled")
    assert not [asked for asked in hub.asked if "pytorch_model" in asked]


def test_smollm2_comes_from_the_hub_if_its_package_is_not_installed(
    hub: FakeHub, tree: Tree, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "packaged_weights", lambda: None)
    head = hub.repo(module.REPO, tree).refs["main"]
    identity = create_language_model("smollm2").identity
    assert (identity.name, identity.revision) == ("smollm2", head)
    assert identity.sha256 == hashlib.sha256(tree["model.safetensors"]).hexdigest()
