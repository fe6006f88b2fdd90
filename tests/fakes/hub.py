"""A Hub on loopback, with the parts of the real one that the huggingface_hub client uses.

Repositories, commits, branches, tags and pull requests; files in git or, from a size or suffix on, as LFS objects that
another host serves; tokens and private repositories. Every request is recorded, and a test may inject a fault.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub
import pytest
import uvicorn
import yaml
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from huggingface_hub import constants
from huggingface_hub.utils import _http, build_hf_headers

TOKEN, STRANGER = "hf_owner", "hf_stranger"
Tree = dict[str, bytes]
Fault = Callable[[Request], Awaitable[Response | None]]


def is_lfs(path: str) -> bool:
    return path.endswith((".safetensors", ".png", ".bin", ".pth"))


def git_id(content: bytes) -> str:
    """The git object id of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def object_id(path: str, content: bytes) -> str:
    return hashlib.sha256(content).hexdigest() if is_lfs(path) else git_id(content)


@dataclass
class Repo:
    """One repository; a ref is a branch, a tag or "refs/pr/N". Only the owner may download from a gated one."""

    private: bool = False
    gated: bool = False
    card: dict[str, object] = field(default_factory=dict)
    commits: dict[str, Tree] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, tree: Mapping[str, bytes], ref: str = "main") -> str:
        """Make `tree` the whole content of `ref`; returns the commit's hash."""
        said = repr((len(self.commits), ref, sorted((name, object_id(name, data)) for name, data in tree.items())))
        name = hashlib.sha1(said.encode()).hexdigest()
        self.commits[name] = dict(tree)
        self.refs[ref] = name
        return name

    def find(self, revision: str) -> str | None:
        return self.refs.get(revision, revision if revision in self.commits else None)


class FakeHub:
    """The state of a Hub, and its HTTP application."""

    def __init__(self) -> None:
        self.url = ""
        self.app = FastAPI()
        self.reset()
        _routes(self)

    def reset(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.uploads: list[str] = []
        self.requests: list[Request] = []
        self.fault: Fault | None = None

    def repo(self, name: str, tree: Mapping[str, bytes] | None = None, *, private: bool = False) -> Repo:
        """Create a repository, with one commit if a tree is given."""
        repo = self.repos.setdefault(name, Repo())
        repo.private = private
        repo.commit(tree or {".gitattributes": b"*.safetensors filter=lfs\n"})
        return repo

    @property
    def asked(self) -> list[str]:
        """ "METHOD /path" of every request."""
        return [f"{request.method} {request.url.path}" for request in self.requests]

    @property
    def other_host(self) -> str:
        """The same server under another host name, which serves LFS objects as a CDN does."""
        return self.url.replace("127.0.0.1", "localhost")

    def readable(self, request: Request, name: str) -> Repo | None:
        repo = self.repos.get(name)
        return repo if repo and (not repo.private or bearer(request) == TOKEN) else None


def bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def refusal(status: int, code: str = "", message: str = "") -> Response:
    headers = {"X-Error-Code": code} if code else {}
    return JSONResponse({"error": message or code}, status, headers)


def cut(content: bytes, length: int | None, headers: dict[str, str], status: int = 200) -> Response:
    """Announces `length` bytes, sends `content`, and closes the connection."""

    async def body():
        yield content

    sized = {"content-length": str(length)} if length is not None else {}
    return StreamingResponse(body(), status, {**headers, **sized})


def with_ranges(request: Request, content: bytes, headers: Mapping[str, str]) -> Response:
    """`content`, or the requested part of it."""
    asked = request.headers.get("range")
    if asked is None:
        return Response(content, 200, headers, "application/octet-stream")
    start = int(asked.removeprefix("bytes=").split("-")[0])
    part = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
    return Response(content[start:], 206, {**headers, **part}, "application/octet-stream")


def _routes(hub: FakeHub) -> None:
    _reading(hub)
    _writing(hub)

    @hub.app.middleware("http")
    async def watch(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        hub.requests.append(request)
        found = await hub.fault(request) if hub.fault else None
        return found or await answer(request)


def _reading(hub: FakeHub) -> None:
    @hub.app.get("/api/models/{org}/{name}")
    @hub.app.get("/api/models/{org}/{name}/revision/{revision:path}")
    def info(request: Request, org: str, name: str, revision: str = "main") -> Response:
        repo = hub.readable(request, f"{org}/{name}")
        if repo is None:
            return refusal(404 if bearer(request) else 401, "RepoNotFound")
        commit = repo.find(revision)
        if commit is None:
            return refusal(404, "RevisionNotFound")
        files = [{"rfilename": path, **_blob(path, data)} for path, data in repo.commits[commit].items()]
        said = {"id": f"{org}/{name}", "sha": commit, "private": repo.private, "siblings": files, "tags": []}
        return JSONResponse({**said, "gated": "manual" if repo.gated else False, "cardData": repo.card})

    @hub.app.get("/api/models/{org}/{name}/tree/{revision}")
    def tree(request: Request, org: str, name: str, revision: str) -> Response:
        repo = hub.readable(request, f"{org}/{name}")
        commit = repo and repo.find(revision)
        if not repo or not commit:
            return refusal(404, "RevisionNotFound" if repo else "RepoNotFound")
        entries = []
        for path, data in repo.commits[commit].items():
            lfs = {"lfs": {"oid": object_id(path, data), "size": len(data), "pointerSize": 130}} if is_lfs(path) else {}
            entries.append({"type": "file", "path": path, "size": len(data), "oid": git_id(data), **lfs})
        return JSONResponse(entries)

    @hub.app.api_route("/{org}/{name}/resolve/{revision}/{path:path}", methods=["GET", "HEAD"])
    def resolve(request: Request, org: str, name: str, revision: str, path: str) -> Response:
        repo = hub.readable(request, f"{org}/{name}")
        commit = repo and repo.find(revision)
        if not repo or not commit:
            return refusal(404, "RevisionNotFound" if repo else "RepoNotFound")
        if repo.gated and bearer(request) != TOKEN:
            return refusal(403, "GatedRepo", "Access to this model is restricted.")
        content = repo.commits[commit].get(path)
        if content is None:
            return refusal(404, "EntryNotFound")
        identity = object_id(path, content)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{identity}"'}
        if not is_lfs(path):
            return with_ranges(request, content, headers)
        hub.objects[identity] = content
        linked = {"X-Linked-Etag": f'"{identity}"', "X-Linked-Size": str(len(content))}
        return Response(status_code=302, headers={**headers, **linked, "Location": f"{hub.other_host}/cdn/{identity}"})

    @hub.app.api_route("/cdn/{identity}", methods=["GET", "HEAD"])
    def cdn(request: Request, identity: str) -> Response:
        return with_ranges(request, hub.objects[identity], {"ETag": f'"{identity}"'})


def _blob(path: str, data: bytes) -> dict[str, object]:
    lfs = {"lfs": {"sha256": object_id(path, data), "size": len(data), "pointerSize": 130}} if is_lfs(path) else {}
    return {"size": len(data), "blobId": git_id(data), **lfs}


def _writing(hub: FakeHub) -> None:
    def denied(request: Request, org: str, name: str) -> Response | None:
        if bearer(request) not in (TOKEN, STRANGER):
            return refusal(401, message="Invalid username or password.")
        if hub.readable(request, f"{org}/{name}") is None:
            return refusal(404, "RepoNotFound")
        proposes = request.query_params.get("create_pr") == "1"
        return None if bearer(request) == TOKEN or proposes else refusal(403, message="You don't have the rights.")

    @hub.app.post("/api/repos/create")
    async def create(request: Request) -> Response:
        asked = await request.json()
        name = f"{asked['organization']}/{asked['name']}"
        if bearer(request) != TOKEN:
            return refusal(403 if bearer(request) else 401, message="You don't have the rights.")
        if name in hub.repos:
            return JSONResponse({"error": "You already created this model repo", "url": f"{hub.url}/{name}"}, 409)
        hub.repo(name, private=asked.get("visibility") == "private" or asked.get("private") is True)
        return JSONResponse({"url": f"{hub.url}/{name}"})

    @hub.app.post("/api/validate-yaml")
    async def validate(request: Request) -> Response:
        head = yaml.safe_load((await request.json())["content"].split("---\n")[1])
        known = isinstance(head, dict) and isinstance(head.get("license"), str)
        errors = [] if known else [{"message": '"license" must be a string'}]
        return JSONResponse({"errors": errors, "warnings": []}, 400 if errors else 200)

    @hub.app.post("/api/models/{org}/{name}/preupload/{revision:path}")
    async def preupload(request: Request, org: str, name: str, revision: str) -> Response:
        if (no := denied(request, org, name)) is not None:
            return no
        repo = hub.repos[f"{org}/{name}"]
        commit = repo.find(revision)
        if commit is None:
            return refusal(404, "RevisionNotFound")
        files = []
        for file in (await request.json())["files"]:
            path, there = file["path"], repo.commits[commit].get(file["path"])
            mode = "lfs" if is_lfs(path) else "regular"
            oid = object_id(path, there) if there is not None else None
            files.append({"path": path, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        return JSONResponse({"files": files})

    @hub.app.post("/{org}/{name}.git/info/lfs/objects/batch")
    async def batch(request: Request, org: str, name: str) -> Response:
        objects = []
        for wanted in (await request.json())["objects"]:
            upload = {"href": f"{hub.url}/lfs/{wanted['oid']}"}
            actions = {"actions": {"upload": upload, "verify": {"href": f"{hub.url}/lfs/verify"}}}
            objects.append({**wanted, **({} if wanted["oid"] in hub.objects else actions)})
        return JSONResponse({"transfer": "basic", "objects": objects})

    @hub.app.put("/lfs/{identity}")
    async def upload(request: Request, identity: str) -> Response:
        content = await request.body()
        if hashlib.sha256(content).hexdigest() != identity:
            return refusal(400, message="the content has another sha256")
        hub.objects[identity] = content
        hub.uploads.append(identity)
        return Response()

    @hub.app.post("/lfs/verify")
    async def verify(request: Request) -> Response:
        said = await request.json()
        whole = len(hub.objects.get(said["oid"], b"")) == said["size"]
        return Response() if whole else refusal(404, message="not uploaded")

    @hub.app.post("/api/models/{org}/{name}/commit/{revision:path}")
    async def commit(request: Request, org: str, name: str, revision: str) -> Response:
        if (no := denied(request, org, name)) is not None:
            return no
        repo = hub.repos[f"{org}/{name}"]
        tree = dict(repo.commits[repo.find(revision) or ""])
        for line in (await request.body()).splitlines():
            said = json.loads(line)
            value = said["value"]
            if said["key"] == "file":
                tree[value["path"]] = base64.b64decode(value["content"])
            elif said["key"] == "lfsFile":
                tree[value["path"]] = hub.objects[value["oid"]]
        proposes = request.query_params.get("create_pr") == "1"
        number = 1 + sum(ref.startswith("refs/pr/") for ref in repo.refs)
        made = repo.commit(tree, f"refs/pr/{number}" if proposes else revision)
        page = f"{hub.url}/{org}/{name}"
        proposal = {"pullRequestUrl": f"{page}/discussions/{number}"} if proposes else {}
        return JSONResponse({"commitUrl": f"{page}/commit/{made}", "commitOid": made, **proposal})

    @hub.app.post("/api/models/{org}/{name}/branch/{branch:path}")
    async def branch(request: Request, org: str, name: str, branch: str) -> Response:
        if (no := denied(request, org, name)) is not None:
            return no
        repo = hub.repos[f"{org}/{name}"]
        if branch in repo.refs:
            return refusal(409, message="Reference already exists")
        repo.refs[branch] = repo.refs["main"]
        return Response()

    @hub.app.post("/api/models/{org}/{name}/tag/{revision:path}")
    async def tag(request: Request, org: str, name: str, revision: str) -> Response:
        if (no := denied(request, org, name)) is not None:
            return no
        repo = hub.repos[f"{org}/{name}"]
        repo.refs[(await request.json())["tag"]] = repo.find(revision) or ""
        return Response()


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """Serve the Hub on a free port of loopback while the block runs."""
    server = uvicorn.Server(
        uvicorn.Config(hub.app, port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    hub.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield hub
    server.should_exit = True
    thread.join(5)


@pytest.fixture(scope="session")
def server() -> Iterator[FakeHub]:
    with serving(FakeHub()) as hub:
        yield hub


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hub-cache"


@pytest.fixture
def hub(server: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """An empty Hub, an empty cache, and the owner's token, as HF_ENDPOINT, HF_HUB_CACHE and HF_TOKEN would set them."""
    server.reset()
    for name, value in {
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,  # Xet uses another protocol and server
    }.items():
        monkeypatch.setattr(constants, name, value)
    if hasattr(_http, "_HUB_ORIGINS"):  # newer clients send the token only to these hosts, which they read at import
        monkeypatch.setattr(_http, "_HUB_ORIGINS", frozenset({_http._url_origin(server.url)}))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    huggingface_hub.close_session()
    build_hf_headers()  # newer clients request a list of agents from the Hub when a process first needs it
    server.requests.clear()
    return server
