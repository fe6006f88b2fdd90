"""The real Hub client against a Hub on loopback: its requests, its cache, and the error messages of refusals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import pytest
from fastapi import Request, Response
from huggingface_hub import constants

from fakes.hub import STRANGER, TOKEN, FakeHub, cut
from t2i.errors import InvalidInputError, OfflineError, OutputError, SnapshotError
from t2i.hub.download import download
from t2i.hub.layout import FILES
from t2i.hub.listing import files_among

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SNAPSHOT = {"config.json": b"{}", "model.safetensors": b"0123456789" * 5000, "README.md": b"a card"}


@pytest.fixture
def repo(hub: FakeHub):
    return hub.repo("org/name", SNAPSHOT)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_branch_a_tag_and_a_commit_give_their_files(hub, repo):
    first = repo.refs["main"]
    repo.refs["v1.0"] = first
    second = repo.commit(SNAPSHOT | {"config.json": b'{"second": 2}'})
    for revision, commit in ((None, second), ("main", second), ("v1.0", first), (first, first)):
        folder, found = download("org/name", revision)
        assert found == commit
        assert contents(folder) == repo.commits[commit]


def test_only_the_files_of_a_snapshot_are_downloaded(hub):
    hub.repo("org/name", SNAPSHOT | {"pytorch_model.bin": b"a pickle", "modeling.py": b"code", "more.png": b""})
    folder, _ = download("org/name", None)
    assert contents(folder) == SNAPSHOT
    assert not [asked for asked in hub.asked if asked.endswith((".bin", ".py", ".png"))]
    assert {Path(name).suffix for name in FILES} == {".json", ".safetensors", ".md"}


def test_files_that_are_too_large_are_not_downloaded(hub):
    hub.repo("org/numbers", {"small.npz": b"1" * 10, "large.npz": b"1" * 99, "config.json": b" " * 2_000_000})
    folder, _ = download("org/numbers", None, ["small.npz"], max_bytes=50)
    assert contents(folder) == {"small.npz": b"1" * 10}  # a config.json that was not requested is ignored
    hub.requests.clear()
    with pytest.raises(
        SnapshotError, match=r"large\.npz of org/numbers may have at most 50 bytes, got 99; nothing was"
    ):
        download("org/numbers", None, ["large.npz"], max_bytes=50)
    assert not [asked for asked in hub.asked if "/resolve/" in asked]


def test_a_cached_commit_needs_no_request_and_a_cached_branch_needs_one(hub, repo):
    commit = download("org/name", None)[1]
    hub.requests.clear()
    assert download("org/name", commit)[1] == commit
    assert hub.asked == []
    assert download("org/name", None)[1] == commit
    assert hub.asked == ["GET /api/models/org/name"]


def test_one_request_says_which_artist_draws_with_a_repository(hub, repo):
    """However many artists are installed; none if a snapshot of it is in the cache."""
    markers = {"model_index.json", "onnx.json", "README.md"}
    assert files_among("org/name", "", markers) == {"README.md"}
    assert hub.asked == ["GET /api/models/org/name"]
    download("org/name", None)
    hub.requests.clear()
    assert files_among("org/name", "", markers - {"README.md"}) == set()
    assert hub.asked == []


def test_only_changed_files_of_a_new_commit_are_downloaded(hub, repo):
    download("org/name", None)
    hub.requests.clear()
    repo.commit(SNAPSHOT | {"config.json": b'{"new": 1}'})
    folder, _ = download("org/name", None)
    assert contents(folder)["config.json"] == b'{"new": 1}'
    assert [asked for asked in hub.asked if asked.startswith("GET") and "/api/" not in asked] == [
        f"GET /org/name/resolve/{repo.refs['main']}/config.json"
    ]


def test_a_private_repository_needs_its_token(hub, monkeypatch):
    hub.repo("org/name", SNAPSHOT, private=True)
    for token in ("", STRANGER):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(SnapshotError, match=r"there is no repository of that name, or it is private|HTTP 401"):
            download("org/name", None)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert contents(download("org/name", None)[0]) == SNAPSHOT


def test_the_token_is_sent_to_the_hub_but_not_to_redirect_targets(hub, repo):
    download("org/name", None)
    elsewhere = [request for request in hub.requests if request.url.path.startswith("/cdn/")]
    assert elsewhere and all(request.url.hostname == "localhost" for request in elsewhere)
    for request in hub.requests:
        assert ("authorization" in request.headers) == (request not in elsewhere)


def test_offline_commits_and_branches_come_from_the_cache_without_a_request(hub, repo, monkeypatch, caplog):
    folder, commit = download("org/name", None)
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert download("org/name", None) == download("org/name", commit) == (folder, commit)
    assert hub.asked == [] and caplog.records == []
    with pytest.raises(OfflineError, match=r"HF_HUB_OFFLINE is set.* unset HF_HUB_OFFLINE, or use a bundled model"):
        download("org/other", None)


def test_if_the_hub_is_unreachable_the_cached_copy_is_used_with_a_warning(hub, repo, monkeypatch, caplog):
    folder, commit = download("org/name", None)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # the discard port, where nothing listens
    assert download("org/name", None) == (folder, commit)
    assert f"Using the copy in the cache, commit {commit}" in caplog.text
    with pytest.raises(OfflineError, match=r"cannot be reached, or the connection broke \(ConnectError\)"):
        download("org/other", None)


def test_an_interrupted_download_continues_where_it_stopped(hub, repo, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    whole, ranges = SNAPSHOT["model.safetensors"], []

    async def breaks_off_once(request: Request) -> Response | None:
        if request.method == "GET" and request.url.path.startswith("/cdn/"):
            ranges.append(request.headers.get("range"))
            return cut(whole[:20_000], len(whole), {}) if len(ranges) == 1 else None
        return None

    hub.fault = breaks_off_once
    folder, _ = download("org/name", None)
    assert contents(folder) == SNAPSHOT
    assert ranges == [None, "bytes=20000-"]


def test_an_interrupted_load_leaves_no_partial_file_and_complete_files_are_kept(hub, repo, cache, monkeypatch):
    async def fails(request: Request) -> Response | None:
        return Response(status_code=500) if request.url.path.startswith("/cdn/") else None

    hub.fault = fails
    with pytest.raises(OfflineError, match=r"HTTPStatusError|HTTP 500"):
        download("org/name", None)
    for path in (path for path in cache.rglob("*") if path.is_file() and "snapshots" in path.parts):
        assert path.read_bytes() == SNAPSHOT[path.name]
    assert not list(cache.rglob("*.incomplete"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OfflineError):  # the cached snapshot is known to be incomplete
        download("org/name", None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.fault = None
    hub.requests.clear()
    assert contents(download("org/name", None)[0]) == SNAPSHOT
    assert not [asked for asked in hub.asked if asked.endswith(("config.json", "README.md"))]


LOAD = """
import sys
from t2i.hub.download import download
folder, commit = download("org/name", None)
assert "torch" not in sys.modules
print(commit, (folder / "model.safetensors").stat().st_size)
"""


def test_two_processes_that_load_concurrently_both_get_all_files(hub, repo, cache, tmp_path):
    endpoint = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    processes = [
        subprocess.Popen([sys.executable, "-c", LOAD], env=os.environ | endpoint, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = {process.communicate(timeout=120)[0].strip() for process in processes}
    assert said == {f"{repo.refs['main']} {len(SNAPSHOT['model.safetensors'])}"}
    assert [process.returncode for process in processes] == [0, 0]
    assert not list(cache.rglob("*.incomplete"))


@pytest.mark.parametrize("name", ["org/name/more", "..", "a b", "org//x", "-x/y"])
def test_an_invalid_repository_name_is_refused_by_the_client(hub, name):
    with pytest.raises(InvalidInputError, match="A Hub model must be named org/name"):
        download(name, None)
    assert hub.asked == []


@pytest.mark.parametrize("revision", ["../../x", "/etc", "a//b", "a b", "", "v1/", "-d", "x\n"])
def test_an_invalid_revision_is_refused_before_any_request(hub, revision):
    with pytest.raises(InvalidInputError, match="A revision must be a commit, branch or tag"):
        download("org/name", revision)
    assert hub.asked == []


@pytest.mark.parametrize(
    ("status", "headers", "kind", "says"),
    [
        (401, {}, SnapshotError, r"missing or invalid \(HTTP 401\): `hf auth login`"),
        (403, {}, SnapshotError, r"the token lacks permission \(HTTP 403\)"),
        (403, {"X-Error-Code": "GatedRepo"}, SnapshotError, "request access on its page"),
        (404, {"X-Error-Code": "RepoNotFound"}, SnapshotError, "no repository of that name, or it is private"),
        (404, {"X-Error-Code": "RevisionNotFound"}, SnapshotError, "it has no such revision"),
        (404, {}, SnapshotError, r"it was not found \(HTTP 404\)"),
        (418, {}, SnapshotError, "it responded with HTTP 418"),
        (429, {}, OfflineError, r"it is overloaded \(HTTP 429\)"),
        (500, {}, OfflineError, r"it has a server error \(HTTP 500\)"),
        (503, {}, OfflineError, r"HTTP 503"),
    ],
)
def test_each_refusal_is_one_sentence_and_the_older_copy_is_kept(hub, repo, monkeypatch, status, headers, kind, says):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    commit = download("org/name", None)[1]

    async def refuses(request: Request) -> Response:
        return Response("<html>a page\n of their own</html>", status, headers)

    hub.fault = refuses
    with pytest.raises(kind, match=says) as caught:
        download("org/other", "v1")
    assert "org/other@v1" in str(caught.value) and "\n" not in str(caught.value)
    assert type(caught.value) is kind and caught.value.__suppress_context__
    assert download("org/name", commit)[1] == commit
    if kind is OfflineError:
        assert download("org/name", None)[1] == commit
    else:
        with pytest.raises(SnapshotError, match=f"An older copy is in the cache: hf-hub:org/name@{commit}"):
            download("org/name", None)


@pytest.mark.parametrize("answer", [b"", b"{", b"[]", b"{}", b'{"id": 3, "sha": "../../x", "siblings": [{}]}', b"null"])
def test_a_response_that_is_not_from_a_hub_is_a_one_sentence_error(hub, answer):
    async def babbles(request: Request) -> Response:
        return Response(answer, media_type="application/json")

    hub.fault = babbles
    with pytest.raises(SnapshotError, match=r"it does not respond like a Hub .*check HF_ENDPOINT"):
        download("org/name", None)


def test_the_shared_session_is_restored(hub, repo):
    session = huggingface_hub.get_session()
    before = session.event_hooks
    download("org/name", None)
    with pytest.raises(SnapshotError):
        download("org/none", None)
    assert huggingface_hub.get_session() is session and session.event_hooks == before


def test_a_full_disk_is_an_error(hub, repo, cache, monkeypatch):
    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.snapshot_download", full)
    with pytest.raises(OutputError, match="No space left on device"):
        download("org/name", None)
