"""Pipelines from a Hub on loopback, through the real client: pinned by a lock, verified, confirmed, offline."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request as HttpRequest
from fastapi import Response
from huggingface_hub import constants

from fakes.command_line import T2I
from fakes.hub import STRANGER, TOKEN, FakeHub, cut
from fakes.pipelines import Written, tree_of
from t2i.drawing.artist import Request
from t2i.drawing.pipeline import pipeline
from t2i.drawing.provenance import read_provenance
from t2i.drawing.regenerate import regenerate
from t2i.errors import IntegrityError, InvalidInputError, OfflineError, OutputError, SnapshotError
from t2i.registry.names import ModelName
from t2i_diffusers.artist import DiffusersArtist
from t2i_diffusers.files import machine, pinned
from t2i_diffusers.files.lock import lock_path, read_lock

NAME = "hf-hub:org/tiny"
UNET = "unet/diffusion_pytorch_model.safetensors"
SMALL = {"steps": 2, "width": 32, "height": 32}


def opened(name: str = NAME, **how: Any) -> DiffusersArtist:
    artist = pipeline(name, device="cpu", **how)
    assert isinstance(artist, DiffusersArtist)
    return artist


def commit(hub: FakeHub, changes: dict[str, bytes], name: str = "org/tiny") -> str:
    """Add a commit with these files changed; returns its hash."""
    repo = hub.repos[name]
    return repo.commit(repo.commits[repo.refs["main"]] | changes)


def other_weights(hub: FakeHub) -> bytes:
    """The UNet's weights with one byte changed."""
    weights = hub.repos["org/tiny"].commits[hub.repos["org/tiny"].refs["main"]][UNET]
    return weights[:-1] + bytes([weights[-1] ^ 1])


def test_the_first_use_records_commit_and_hashes(repo: FakeHub, tmp_path: Path) -> None:
    tree = {"unet/run.py": b"raise SystemExit", "unet/old.bin": b"a pickle", "picture.png": b"large"}
    head = commit(repo, tree)
    repo.requests.clear()
    artist = opened()
    downloaded = {asked.rpartition(f"{head}/")[2] for asked in repo.asked if asked.startswith("GET /org/tiny/resolve")}
    assert {Path(name).suffix for name in downloaded} <= {".json", ".safetensors", ".txt", ".md"} and len(
        downloaded
    ) > 5
    files = repo.repos["org/tiny"].commits[head]
    hashes = {n: hashlib.sha256(data).hexdigest() for n, data in files.items() if n.endswith(".safetensors")}
    assert artist.identity.weights == hashes and artist.identity.revision == head
    locked = read_lock("org/tiny").revisions["main"]
    assert locked.commit == head and {n: i for n, i in locked.files.items() if n in hashes} == hashes
    assert lock_path("org/tiny").parent.parent == Path(constants.HF_HUB_CACHE).parent
    (picture,) = artist.draw([Request("a red square", 7)], artist.options(**SMALL))
    repo.requests.clear()
    again = regenerate(picture.save(tmp_path / "red.png"))  # offline, at the recorded commit
    assert again.difference <= 1 and repo.asked == []
    assert read_provenance(tmp_path / "red.png").artist.weights == hashes


def test_a_revision_that_moved_is_refused_until_it_is_accepted(repo: FakeHub) -> None:
    first = opened().identity
    commit(repo, {"README.md": b"# a better card"})
    assert opened().identity.weights == first.weights  # the card draws nothing
    moved = commit(repo, {UNET: other_weights(repo)})
    with pytest.raises(
        IntegrityError, match=rf"that were used first .*{UNET}.*name {NAME}@\w+\. .*--model {NAME} --accept-new"
    ):
        opened()
    assert opened(f"{NAME}@{first.revision}").identity.weights == first.weights
    assert opened(accept_new=True).identity.revision == moved
    assert opened().identity.revision == moved
    assert opened(f"{NAME}@{first.revision}").identity.weights == first.weights


def test_a_changed_config_is_refused_too(repo: FakeHub) -> None:
    opened()
    commit(repo, {"scheduler/scheduler_config.json": b'{"_class_name": "DDIMScheduler", "beta_start": 0.5}'})
    with pytest.raises(IntegrityError, match=r"other ones: scheduler/scheduler_config\.json"):
        opened()


def test_without_a_network_the_locked_commit_is_used(repo: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened().identity
    commit(repo, {UNET: other_weights(repo)})
    repo.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert opened().identity == first and repo.asked == []
    with pytest.raises(OfflineError, match="org/never"):
        opened("hf-hub:org/never")


def test_an_interrupted_download_continues(repo: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1_000)
    whole = repo.repos["org/tiny"].commits[repo.repos["org/tiny"].refs["main"]][UNET]
    place, ranges = f"/cdn/{hashlib.sha256(whole).hexdigest()}", []

    async def breaks_off_once(request: HttpRequest) -> Response | None:
        if request.method == "GET" and request.url.path == place:
            ranges.append(request.headers.get("range"))
            return cut(whole[:5_000], len(whole), {}) if len(ranges) == 1 else None
        return None

    repo.fault = breaks_off_once
    assert opened().identity.weights[UNET] == hashlib.sha256(whole).hexdigest()
    assert ranges == [None, "bytes=5000-"]


def test_damaged_weights_are_refused_and_removed(repo: FakeHub) -> None:
    damaged = other_weights(repo)
    place = next(iter(repo.repos["org/tiny"].commits.values()))[UNET]

    async def damages(request: HttpRequest) -> Response | None:
        found = request.url.path == f"/cdn/{hashlib.sha256(place).hexdigest()}" and request.method == "GET"
        return Response(damaged, 200) if found else None

    repo.fault = damages
    with pytest.raises(IntegrityError, match=rf"{UNET} .* must have the hash .* was removed from the cache"):
        opened()
    repo.fault = None
    assert opened().identity.weights[UNET] == hashlib.sha256(place).hexdigest()


def test_weights_that_are_changed_in_the_cache_are_refused(repo: FakeHub) -> None:
    artist = opened()
    blob = (artist.model_files.folder / UNET).resolve()
    blob.write_bytes(other_weights(repo))
    with pytest.raises(IntegrityError, match="it is damaged"):
        opened()
    assert opened().identity == artist.identity


def test_a_gated_repository_needs_a_token(repo: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.repos["org/tiny"].gated = True
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    with pytest.raises(SnapshotError, match="it is gated: request access on its page"):
        opened()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert opened().identity.weights


def test_a_large_download_is_confirmed_with_licence_gate_and_size(
    repo: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pinned, "LARGE_BYTES", 1_000)
    repo.repos["org/tiny"].gated = True
    repo.repos["org/tiny"].card = {"license": "other", "license_name": "some-community-license"}
    asked: list[str] = []

    def refuse(question: str) -> bool:
        asked.append(question)
        return False

    with pytest.raises(InvalidInputError, match="nothing was downloaded"):
        opened(confirm=refuse)
    assert not [request for request in repo.asked if "/cdn/" in request]
    assert "0.0 GB of org/tiny (licence: some-community-license). Its authors ask you to accept terms" in asked[0]
    assert opened(confirm=lambda question: True).model_files.license == "some-community-license"
    opened(confirm=refuse)  # it is there, so nobody is asked
    assert len(asked) == 1


def test_a_known_commit_that_is_no_longer_in_the_cache_is_confirmed_too(
    repo: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock, which outlives the cache, knows the commit's files."""
    first = opened().identity
    shutil.rmtree(cache)
    monkeypatch.setattr(pinned, "LARGE_BYTES", 1_000)
    at_commit, asked = f"{NAME}@{first.revision}", list[str]()
    repo.requests.clear()
    with pytest.raises(InvalidInputError, match="nothing was downloaded"):
        opened(at_commit, confirm=lambda question: bool(asked.append(question)))
    assert "of org/tiny (licence: " in asked[0] and not [request for request in repo.asked if "/cdn/" in request]
    with monkeypatch.context() as patch:
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(OfflineError, match="not on this machine"):
            opened(at_commit)
    assert opened(at_commit, confirm=lambda question: True).identity.weights == first.weights


def test_disk_and_memory_are_checked_before_the_download(repo: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    with monkeypatch.context() as patch:
        patch.setattr(machine.shutil, "disk_usage", lambda folder: usage._replace(free=1_000))
        with pytest.raises(OutputError, match=r"takes 0\.0 GB, but the disk of .* has 0\.0 GB free"):
            opened()
    asked: list[str] = []
    monkeypatch.setattr("t2i_diffusers.load.main_memory", lambda: 10_000)
    with pytest.raises(InvalidInputError, match="not confirmed"):
        opened(confirm=lambda question: bool(asked.append(question)))
    assert "of main memory, but this machine has 0.0 GB" in asked[0]
    assert not [request for request in repo.asked if "/cdn/" in request]


def test_pickles_alone_are_refused_before_the_download(hub: FakeHub, written: Written, t2i_cache: Path) -> None:
    tree = {name.replace(".safetensors", ".bin"): data for name, data in tree_of(written("sd")).items()}
    hub.repo("org/pickled", tree)
    with pytest.raises(SnapshotError, match=r"text_encoder of .* has only 'model\.bin': a pickle, which can run code"):
        opened("hf-hub:org/pickled")
    assert not [asked for asked in hub.asked if "/cdn/" in asked]


def test_a_repository_of_another_layout_is_left_to_the_core(hub: FakeHub, t2i_cache: Path) -> None:
    hub.repo("org/other", {"config.json": b"{}", "pytorch_model.bin": b""})
    with pytest.raises(SnapshotError, match=r"Weights are only read from model\.safetensors"):
        opened("hf-hub:org/other")


def test_a_short_name_draws_with_its_authors_defaults(
    hub: FakeHub, written: Written, t2i_cache: Path, t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = ModelName.parse("sd-turbo")
    assert (name.kind, name.repo) == ("hub", "stabilityai/sd-turbo") and name.known is not None
    hub.repo("stabilityai/sd-turbo", tree_of(written("sd")))
    monkeypatch.chdir(tmp_path)
    small = ("--option", "width=32", "--option", "height=32", "--device", "cpu")
    drawn = t2i("generate", "a red square", "--model", "sd-turbo", *small, "--seed", 3, "-o", "red.png")
    assert drawn.code == 0, drawn
    facts = read_provenance(tmp_path / "red.png")
    assert (facts.options["steps"], facts.options["guidance"], facts.artist.name) == (1, 0.0, "sd-turbo")
    assert t2i("regenerate", "red.png", "-o", "again.png").code == 0
    assert (tmp_path / "red.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_the_command_line_asks_before_a_large_download(
    repo: FakeHub, t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pinned, "LARGE_BYTES", 1_000)
    monkeypatch.chdir(tmp_path)
    draw = ("generate", "a", "--model", NAME, "--option", "steps=1", "--device", "cpu", "-o", "a.png")
    assert "Confirm it: --yes" in t2i(*draw).error
    assert t2i(*draw, "--yes", "--memory", "low").code == 0
    assert "low, auto or fast" in t2i(*draw[:-1], "b.png", "--memory", "huge").error
    commit(repo, {UNET: other_weights(repo)})
    assert "--accept-new" in t2i(*draw[:-1], "c.png").error
    assert t2i(*draw[:-1], "c.png", "--accept-new", "--yes").code == 0


def test_models_and_info_know_them_without_a_download(hub: FakeHub, t2i: T2I) -> None:
    listed = t2i("models", "turbo").out
    assert "on the Hub" in listed and "sdxl-turbo" in listed and "6.9 GB" in listed
    facts = json.loads(t2i("info", "flux-schnell", "--json").out)["hub_model"]
    assert (facts["license"], facts["gated"], facts["steps"], facts["guidance"]) == ("apache-2.0", True, 4, 0.0)
    assert facts["memory_bytes"] > 10**10 and facts["size_bytes"] > 10**10
    assert hub.asked == []


def test_every_component_has_a_licence(repo: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = json.loads(repo.repos["org/tiny"].commits[repo.repos["org/tiny"].refs["main"]]["text_encoder/config.json"])
    copied = json.dumps({**config, "_name_or_path": "org/clip"}).encode()
    commit(repo, {"text_encoder/config.json": copied})
    repo.repos["org/tiny"].card = {"license": "openrail++"}
    repo.repo("org/clip", {"config.json": b"{}"}).card = {"license": "mit"}
    monkeypatch.setattr(pinned, "LARGE_BYTES", 1_000)
    asked: list[str] = []
    artist = opened(confirm=lambda question: bool(asked.append(question)) or True)
    assert "(licence: openrail++; text_encoder: mit)" in asked[0]
    expected = {"unet": "openrail++", "vae": "openrail++", "text_encoder": "mit"}
    assert artist.identity.licenses == expected == read_lock("org/tiny").revisions["main"].licenses
    (picture,) = artist.draw([Request("a red square", 7)], artist.options(**SMALL))
    assert read_provenance(picture.save(tmp_path / "red.png")).artist.licenses == expected
    repo.requests.clear()
    assert opened().identity == artist.identity
    assert not [request for request in repo.asked if "org/clip" in request]  # asked once, then locked


def test_a_folder_has_the_licence_of_its_card(written: Written, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written("sd"), tmp_path / "model"))
    assert {*opened(str(folder)).identity.licenses.values()} == {"unknown"}
    (folder / "README.md").write_text("---\nlicense: other\nlicense_name: some-licence\n---\n# license: mit\n")
    assert {*opened(str(folder)).identity.licenses.values()} == {"some-licence"}


def test_info_says_what_a_repository_holds_without_its_weights(
    repo: FakeHub, t2i: T2I, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.repos["org/tiny"].card = {"license": "openrail++"}
    half = {UNET.replace(".safetensors", ".fp16.safetensors"): b"0" * 100}
    head = commit(repo, half)
    told = t2i("info", NAME, "--json")
    assert told.code == 0, told
    facts = json.loads(told.out)
    assert (facts["commit"], facts["license"], facts["gated"]) == (head, "openrail++", False)
    assert facts["pipeline"] == "StableDiffusionPipeline" and facts["artist"] == "diffusers"
    sizes = {name: len(data) for name, data in repo.repos["org/tiny"].commits[head].items()}
    unet = {"class": "UNet2DConditionModel", "license": "openrail++", "weights_bytes": sizes[UNET]}
    assert facts["components"]["unet"] == unet
    assert facts["download_bytes"] - facts["download_bytes_16_bit"] == sizes[UNET] - 100
    assert not [request for request in repo.asked if "/cdn/" in request]
    assert "    weights_bytes: " in t2i("info", NAME).out

    repo.repos["org/tiny"].gated = True
    commit(repo, {"unet/config.json": b"{}"})
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    facts = json.loads(t2i("info", NAME, "--json").out)
    assert facts["gated"] and facts["repository_bytes"] > sizes[UNET] and "request access" in facts["unread"]
    assert "there is no repository of that name" in t2i("info", "hf-hub:org/none").error

    repo.repo("org/ours", {"config.json": b'{"format": 1}', "model.safetensors": b"123"}).card = {"license": "mit"}
    facts = json.loads(t2i("info", "hf-hub:org/ours", "--json").out)
    assert (facts["license"], facts["weights_bytes"], facts["config"]) == ("mit", 3, {"format": 1})
