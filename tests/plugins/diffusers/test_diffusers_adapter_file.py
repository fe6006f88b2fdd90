"""A LoRA on a Hub on loopback is one file, treated as a pipeline's files are: locked, verified, confirmed, offline."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request, Response
from huggingface_hub import constants

from fakes.hub import FakeHub
from t2i.drawing.opening import Opening
from t2i.errors import IntegrityError, InvalidInputError, OfflineError, OutputError, SnapshotError
from t2i.registry.names import ModelName
from t2i_diffusers.artist import open_artist
from t2i_diffusers.files import machine, pinned
from t2i_diffusers.files.adapter_file import find_adapter
from t2i_diffusers.files.lock import Locked, read_lock, write_lock

pytestmark = pytest.mark.usefixtures("t2i_cache")
NAME, FILE = "hf-hub:org/lora", "pytorch_lora_weights.safetensors"
FIRST, SECOND = b"1" * 2_000, b"2" * 2_000


def found(name: str = NAME, **how: Any) -> tuple[bytes, str]:
    """The content of the file, and the name that finds it again."""
    path, name_at_commit = find_adapter(ModelName.parse(name), Opening("cpu", **how))
    return path.read_bytes(), str(name_at_commit)


def downloads(hub: FakeHub) -> list[str]:
    return [asked for asked in hub.asked if "/cdn/" in asked]


def test_commit_and_hash_are_locked_and_a_change_is_refused_until_it_is_accepted(hub: FakeHub) -> None:
    first = hub.repo("org/lora", {FILE: FIRST}).refs["main"]
    assert found() == (FIRST, f"{NAME}@{first}")
    locked = Locked(commit=first, files={FILE: hashlib.sha256(FIRST).hexdigest()})
    assert read_lock("org/lora").revisions == {"lora:main": locked, f"lora:{first}": locked}
    hub.repo("org/lora", {FILE: FIRST, "README.md": b"# a better card"})
    assert found()[0] == FIRST
    second = hub.repo("org/lora", {FILE: SECOND}).refs["main"]
    hub.requests.clear()
    with pytest.raises(IntegrityError, match=rf"other ones: {FILE}\. .*name {NAME}@\w+\. .*--lora {NAME} --accept-new"):
        found()
    assert not downloads(hub)
    assert found(f"{NAME}@{first}") == (FIRST, f"{NAME}@{first}")
    assert found(accept_new=True) == found() == (SECOND, f"{NAME}@{second}")


def test_another_file_that_would_be_chosen_is_a_change(hub: FakeHub) -> None:
    hub.repo("org/lora", {"style.safetensors": FIRST})
    assert found()[0] == FIRST
    hub.repo("org/lora", {"style.safetensors": FIRST, FILE: SECOND})
    with pytest.raises(IntegrityError, match="--accept-new"):
        found()


def test_a_repository_that_is_a_model_too_keeps_that_lock(hub: FakeHub) -> None:
    head = hub.repo("org/lora", {FILE: FIRST}).refs["main"]
    model = Locked(commit=head, files={"model_index.json": "0" * 40})
    write_lock("org/lora", "main", model)
    assert found()[0] == FIRST
    assert read_lock("org/lora").revisions["main"] == model


@pytest.mark.parametrize("chosen", [FILE, "model.safetensors", "style.safetensors"])
def test_one_file_is_downloaded(hub: FakeHub, chosen: str) -> None:
    others = {"README.md": b"#", "run.py": b"raise", "weights.bin": b"a pickle", "old/style.safetensors": SECOND}
    if chosen != "style.safetensors":
        others["golden.safetensors"] = SECOND
    hub.repo("org/lora", {**others, chosen: FIRST})
    assert found()[0] == FIRST
    assert {asked.rpartition("/")[2] for asked in hub.asked if "/resolve/" in asked} == {chosen}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["one.safetensors", "two.safetensors"], r"has 'one\.safetensors', 'two\.safetensors'\. Download one \(`hf "),
        ([f"{number:02}.safetensors" for number in range(12)], r"'09\.safetensors' and 2 more\. "),
        (["pytorch_lora_weights.bin"], "has none"),
        (["style/one.safetensors"], "has none"),
        (["on*.safetensors"], r"none of \* \? \[ in its name"),
    ],
)
def test_several_files_or_none_are_refused_with_the_list(hub: FakeHub, files: list[str], message: str) -> None:
    hub.repo("org/lora", dict.fromkeys(files, FIRST))
    with pytest.raises(SnapshotError, match=message):
        found()
    assert not downloads(hub)


def test_a_large_download_is_confirmed_and_the_disk_checked(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo = hub.repo("org/lora", {FILE: FIRST})
    repo.card = {"license": "mit"}
    asked: list[str] = []
    monkeypatch.setattr(pinned, "LARGE_BYTES", len(FIRST))
    found(confirm=lambda question: bool(asked.append(question)))
    assert asked == []  # it is not larger
    repo.commit({FILE: SECOND})
    monkeypatch.setattr(pinned, "LARGE_BYTES", len(SECOND) - 1)
    hub.requests.clear()
    with pytest.raises(InvalidInputError, match="nothing was downloaded"):
        found(accept_new=True, confirm=lambda question: bool(asked.append(question)))
    assert asked == ["Download 0.0 GB of org/lora (licence: mit).\nContinue?"]
    usage = shutil.disk_usage("/")
    with monkeypatch.context() as patch:
        patch.setattr(machine.shutil, "disk_usage", lambda folder: usage._replace(free=1_000))
        with pytest.raises(OutputError, match=r"of hf-hub:org/lora takes .* free"):
            found(accept_new=True)
    assert not downloads(hub)
    assert found(accept_new=True)[0] == SECOND


def test_without_a_network_the_locked_file_is_used(hub: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hub.repo("org/lora", {FILE: FIRST}).refs["main"]
    found()
    hub.repo("org/lora", {FILE: SECOND})
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert found() == found(f"{NAME}@{first}") == (FIRST, f"{NAME}@{first}") and hub.asked == []
    with pytest.raises(OfflineError, match="hf-hub:org/never is not on this machine"):
        found("hf-hub:org/never")
    shutil.rmtree(cache)
    with pytest.raises(OfflineError, match="not on this machine"):
        found()


def test_it_is_asked_for_before_the_files_of_the_model(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repo("org/lora", {FILE: FIRST})
    monkeypatch.setattr(pinned, "LARGE_BYTES", 1_000)
    asked: list[str] = []
    with pytest.raises(InvalidInputError, match="nothing was downloaded"):
        open_artist(
            ModelName.parse("hf-hub:org/model"),
            Opening("cpu", adapters=(NAME,), confirm=lambda question: bool(asked.append(question))),
        )
    assert len(asked) == 1 and "org/lora" in asked[0] and not any("org/model" in path for path in hub.asked)


def test_a_damaged_file_is_refused_and_removed(hub: FakeHub) -> None:
    hub.repo("org/lora", {FILE: FIRST})

    async def damages(request: Request) -> Response | None:
        return Response(SECOND, 200) if "/cdn/" in request.url.path and request.method == "GET" else None

    hub.fault = damages
    with pytest.raises(IntegrityError, match=rf"{FILE} of {NAME} must have the hash .* was removed from the cache"):
        found()
    assert read_lock("org/lora").revisions == {}
    hub.fault = None
    assert found()[0] == FIRST
