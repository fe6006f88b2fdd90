"""Malicious Hubs, repositories and files: a one-sentence error, nothing cached, and the older copy still usable."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
import sys
import time
from pathlib import Path

import pytest
import torch
from fastapi import Request, Response
from huggingface_hub import constants
from safetensors.torch import load, save, save_file

from fakes.command_line import T2I
from fakes.hub import FakeHub, Repo, cut
from fakes.models import FakeGenerator
from t2i.errors import IntegrityError, InvalidConfigError, OfflineError, OutputError, SnapshotError, T2IError
from t2i.hub.layout import MAX_CONFIG_BYTES
from t2i.registry.specs import WeightsSpec
from t2i.snapshots import resolve as snapshots
from t2i.snapshots.load import load_generator
from t2i.snapshots.resolve import resolve
from t2i.snapshots.weights import load_weights

pytestmark = pytest.mark.usefixtures("fakes_installed")

NAME = "hf-hub:org/name"
Tree = dict[str, bytes]


@pytest.fixture
def repo(hub: FakeHub, trees: tuple[Tree, Tree]) -> Repo:
    """A repository with a good commit that is in the cache; tests push bad commits."""
    repo = hub.repo("org/name", trees[0])
    load_generator(resolve(NAME))
    return repo


def with_config(tree: Tree, **changes: object) -> Tree:
    return tree | {"config.json": json.dumps(json.loads(tree["config.json"]) | changes).encode()}


def with_weights(tree: Tree, weights: bytes) -> Tree:
    """Other weights with a correct hash."""
    return with_config(tree | {"model.safetensors": weights}, weights_sha256=sha256(weights))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def safetensors(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def refused(kind: type[T2IError], says: str, name: str = NAME) -> str:
    with pytest.raises(kind, match=says) as caught:
        load_generator(resolve(name))
    assert len(str(caught.value)) <= 2000
    return str(caught.value)


def assert_the_old_version_still_loads(hub: FakeHub, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its commit, and by the branch's name if the Hub is unreachable."""
    hub.fault = None
    assert load_generator(resolve(f"{NAME}@{first}")).resolution == 8
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert resolve(NAME).revision == first


@pytest.mark.parametrize("same_length", [True, False])
def test_weights_that_are_not_the_published_ones(hub, repo, trees, cache, monkeypatch, same_length):
    first, before = repo.refs["main"], blobs(cache)
    weights = trees[1]["model.safetensors"]
    other = weights[:-1] + bytes([weights[-1] ^ 1]) if same_length else weights + b"\0"
    repo.commit(trees[1] | {"model.safetensors": other})
    monkeypatch.setattr("t2i.snapshots.weights.load_file", no_tensor_is_read)
    said = refused(IntegrityError, f"must have the sha256 .*, but has ({sha256(other)}|no readable safetensors header)")
    assert said.endswith(f"It was removed from the cache. An older copy is in the cache: hf-hub:org/name@{first}.")
    monkeypatch.undo()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    assert sha256(other) not in blobs(cache) and before <= blobs(cache)


def no_tensor_is_read(path: Path) -> None:
    raise AssertionError("a tensor was read")


def blobs(cache: Path) -> set[str]:
    return {path.name for path in cache.rglob("blobs/*")}


def test_a_bad_commit_leaves_the_old_version_usable(hub, repo, trees, monkeypatch):
    first = repo.refs["main"]
    repo.commit(trees[1] | {"model.safetensors": b"x" * len(trees[1]["model.safetensors"])})
    refused(IntegrityError, "An older copy is in the cache")
    assert_the_old_version_still_loads(hub, first, monkeypatch)


def test_a_server_that_sends_other_bytes_than_listed(hub, repo, trees, monkeypatch):
    first = repo.refs["main"]
    repo.commit(trees[1])
    weights = trees[1]["model.safetensors"]

    async def lies(request: Request) -> Response | None:
        return Response(b"x" * len(weights)) if request.url.path == f"/cdn/{sha256(weights)}" else None

    hub.fault = lies
    refused(IntegrityError, "must have the sha256")
    assert_the_old_version_still_loads(hub, first, monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert load_generator(resolve(NAME)).state_dict()["to_pixels.bias"].equal(load(weights)["to_pixels.bias"])


def test_a_damaged_cached_file_is_downloaded_again(hub, repo, cache):
    (blob,) = [path for path in cache.rglob("blobs/*") if len(path.name) == 64 and path.stat().st_size > 5000]
    blob.write_bytes(b"x" * blob.stat().st_size)
    name = f"{NAME}@{repo.refs['main']}"
    refused(IntegrityError, "It was removed from the cache", name)
    assert load_generator(resolve(name)).resolution == 8


def test_removing_a_bad_commit_keeps_weights_shared_with_a_good_one(hub, repo, trees, monkeypatch):
    first = repo.refs["main"]
    repo.commit(with_config(trees[0], weights_sha256="0" * 64))
    refused(IntegrityError, "must have the sha256 " + "0" * 64)
    assert_the_old_version_still_loads(hub, first, monkeypatch)


def test_registered_weights_are_refused_before_they_are_downloaded(hub, repo, trees, monkeypatch):
    spec = WeightsSpec("fake", "x", "f" * 64, 1, "", 8, "MIT", "fake", repo="org/name", revision=repo.commit(trees[1]))
    monkeypatch.setattr(snapshots, "weights_spec", lambda name: spec)
    hub.requests.clear()
    refused(IntegrityError, f"sha256 {'f' * 64}, but the Hub's has .*; nothing was downloaded", "fake.x")
    assert len(hub.asked) == 1


@pytest.mark.parametrize("name", ["pytorch_model.bin", "netG.pth", "model.pt", "last.ckpt", "weights.pkl"])
def test_a_repository_of_pickles(hub, name, tmp_path):
    hub.repo("org/pickle", {"config.json": b"{}", name: b"\x80\x04."})
    for where in ("hf-hub:org/pickle", f"local-dir:{tmp_path}"):
        (tmp_path / name).write_bytes(b"\x80\x04.")
        refused(SnapshotError, rf"holds '{name}': a pickle, which can run code.*`t2i convert`", where)
    assert not [asked for asked in hub.asked if name in asked]


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        ({"README.md": b""}, "no readable config.json and no model.safetensors"),
        ({"config.json": b"{}"}, "no readable model.safetensors"),
        ({"model.safetensors": b"x"}, "no readable config.json"),
        ({"sub/config.json": b"{}", "sub/model.safetensors": b""}, "no readable config.json and no"),
    ],
)
def test_a_repository_without_a_model(hub, tree, says):
    hub.repo("org/none", tree)
    refused(SnapshotError, f"A model needs .* but org/none has {says}", "hf-hub:org/none")
    assert len(hub.asked) == 1


WHOLE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


LIES = {
    "empty": b"",
    "short": b"\x08",
    "huge header": safetensors({"a": WHOLE}, b"\0" * 8, length=2**63),
    "long header": safetensors({"a": WHOLE}, b"\0" * 8, length=99_999_999),
    "too few bytes": safetensors({"a": WHOLE}, b"\0" * 4),
    "too many bytes": safetensors({"a": WHOLE}, b"\0" * 16),
    "huge shape": safetensors({"a": {**WHOLE, "shape": [2**40, 2**40]}}, b"\0" * 8),
    "negative shape": safetensors({"a": {**WHOLE, "shape": [-2]}}, b"\0" * 8),
    "huge offset": safetensors({"a": {**WHOLE, "data_offsets": [0, 2**62]}}, b"\0" * 8),
    "backwards": safetensors({"a": {**WHOLE, "data_offsets": [8, 0]}}, b"\0" * 8),
    "overlapping": safetensors({"a": WHOLE, "b": {**WHOLE, "data_offsets": [4, 12]}}, b"\0" * 12),
    "unknown dtype": safetensors({"a": {**WHOLE, "dtype": "PICKLE"}}, b"\0" * 8),
    "list": safetensors([1]),
    "no UTF-8": struct.pack("<Q", 4) + b"\xff\xfe{}",
    "metadata": safetensors({"__metadata__": {"a": ["x"]}, "a": WHOLE}, b"\0" * 8),
    "pickle": b"\x80\x04\x95junk" + b"\0" * 40,
}


@pytest.mark.parametrize("weights", LIES.values(), ids=list(LIES))
def test_safetensors_with_false_headers(hub, repo, trees, weights):
    first = repo.refs["main"]
    repo.commit(with_weights(trees[1], weights))
    refused(SnapshotError, "no readable safetensors header")
    assert load_generator(resolve(f"{NAME}@{first}")).resolution == 8


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite(hub, repo, trees, value):
    tensors = load(trees[0]["model.safetensors"])
    tensors["to_pixels.bias"][3] = value
    repo.commit(with_weights(trees[0], save(tensors)))
    refused(SnapshotError, "Weights must be finite numbers, but some of 'to_pixels.bias' in .* are not")


def test_a_config_that_names_code_imports_none(hub, repo, trees, tmp_path, monkeypatch):
    (tmp_path / "evil_plugin.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    target = "evil_plugin:Generator"
    for changes, kind, says in [
        ({"technique": target}, T2IError, "no model 'evil_plugin:Generator'"),
        ({"auto_map": {"AutoModel": target}}, InvalidConfigError, "unknown field 'auto_map'"),
        ({"config": {"_target_": target}}, InvalidConfigError, "unknown field '_target_'"),
        ({"facts": {"text_encoder": target}}, InvalidConfigError, "field 'facts.text_encoder'"),
    ]:
        repo.commit(with_config(trees[0], **changes))
        refused(kind, says)
    assert "evil_plugin" not in sys.modules


def test_a_config_of_100_mb_is_not_downloaded(hub, repo, trees, monkeypatch):
    first = repo.refs["main"]
    repo.commit(trees[0] | {"config.json": b" " * 100_000_000})
    hub.requests.clear()
    refused(SnapshotError, f"config.json is larger than {MAX_CONFIG_BYTES} bytes")
    assert len(hub.asked) == 1
    assert_the_old_version_still_loads(hub, first, monkeypatch)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, SnapshotError),
        (b"[" * 900 + b"]" * 900, SnapshotError),
        (b'{"format": 1, "technique": "fake", "config": ' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"}", T2IError),
        (json.dumps({f"field{i}": i for i in range(20_000)}).encode(), InvalidConfigError),
        (json.dumps({"technique": "x" * 900_000}).encode(), InvalidConfigError),
        (json.dumps({"technique": ["x" * 900_000]}).encode(), InvalidConfigError),
        (b'{"technique": NaN, "format": Infinity}', InvalidConfigError),
        (b'{"format": 1' + b"0" * 5000 + b"}", T2IError),
    ],
    ids=["deep", "deep-list", "deep-config", "many", "long", "long-value", "nan", "digits"],
)
def test_malicious_configs(hub, repo, trees, config, kind, monkeypatch):
    first = repo.refs["main"]
    repo.commit(trees[0] | {"config.json": config})
    refused(kind, "config.json")
    assert_the_old_version_still_loads(hub, first, monkeypatch)


@pytest.mark.parametrize("config", [{"resolution": 20_000}, {"resolution": 10**12}, {"noise_dim": 2**62}])
def test_a_config_that_needs_more_memory_than_its_weights(hub, repo, trees, config):
    repo.commit(with_config(trees[0], config=config))
    began = time.process_time()
    refused(SnapshotError, "do not fit their config|that this machine can build")
    assert time.process_time() - began < 5, "a network of 60 GB was allocated"


def test_file_names_outside_the_folder(hub, trees, cache, tmp_path):
    names = ["../../../evil", "/etc/evil", "sub/../../../evil", "a/../model.safetensors/../../evil", "..", "con\0fig"]
    hub.repo("org/climbs", trees[0] | dict.fromkeys(names, b"evil"))
    assert load_generator(resolve("hf-hub:org/climbs")).resolution == 8
    assert not [asked for asked in hub.asked if "evil" in asked]
    assert {path.name for path in tmp_path.iterdir()} <= {cache.name}
    assert not [path for path in tmp_path.rglob("*") if "evil" in path.name]


@pytest.mark.parametrize("header", ["ETag", "X-Linked-Etag", "X-Repo-Commit"])
def test_a_server_that_chooses_file_names(hub, trees, tmp_path, cache, header):
    hub.repo("org/climbs", trees[0])

    async def names(request: Request) -> Response | None:
        headers = {"X-Repo-Commit": "a" * 40, "ETag": '"abc"'} | {header: '"../../../../evil"'}
        return Response(b"evil", headers=headers) if "/resolve/" in request.url.path else None

    hub.fault = names
    refused(SnapshotError, "it does not respond like a Hub", "hf-hub:org/climbs")
    assert not [path for path in tmp_path.parent.rglob("*") if path.name == "evil"]


def test_a_read_only_cache_works(hub, repo, cache, monkeypatch):
    def read_only(*args: object) -> None:
        raise OutputError("read-only")

    (ref,) = cache.rglob("refs/main")
    ref.unlink()
    monkeypatch.setattr("t2i.hub.download.write_atomic", read_only)
    assert load_generator(resolve(NAME)).resolution == 8


def test_a_symlink_in_a_repository_is_not_followed(hub, repo, trees, tmp_path):
    """Git, and so the Hub, stores a symlink as a file that contains its target."""
    secret = tmp_path / "secret.safetensors"
    secret.write_bytes(trees[0]["model.safetensors"])
    repo.commit(trees[0] | {"model.safetensors": str(secret).encode()})
    refused(IntegrityError, "must have the sha256")


def test_a_server_that_redirects_to_other_bytes(hub, repo, trees, monkeypatch):
    first = repo.refs["main"]
    repo.commit(trees[1])

    async def redirects(request: Request) -> Response | None:
        if request.url.path == "/elsewhere":
            assert "authorization" not in request.headers
            return Response(b"x" * len(trees[1]["model.safetensors"]))
        moved = request.url.path == f"/cdn/{sha256(trees[1]['model.safetensors'])}"
        return Response(status_code=302, headers={"Location": f"{hub.other_host}/elsewhere"}) if moved else None

    hub.fault = redirects
    refused(IntegrityError, "must have the sha256")
    assert_the_old_version_still_loads(hub, first, monkeypatch)


@pytest.mark.parametrize("location", ["/api/models/org/name", "file:///etc/passwd", "http://127.0.0.1:9/x", "http://"])
def test_a_server_that_redirects_to_nowhere(hub, repo, location):
    async def redirects(request: Request) -> Response:
        return Response(status_code=302, headers={"Location": location})

    hub.fault = redirects
    refused(T2IError, "cannot be downloaded from the Hub", "hf-hub:org/other")


@pytest.mark.parametrize("claims", [True, False], ids=["breaks off", "is short"])
def test_a_server_that_truncates(hub, repo, trees, cache, monkeypatch, claims):
    first = repo.refs["main"]
    repo.commit(trees[1])
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)

    async def truncates(request: Request) -> Response | None:
        if request.method == "GET" and request.url.path.startswith("/cdn/"):
            start = int(request.headers.get("range", "bytes=0-")[6:-1])
            rest = trees[1]["model.safetensors"][start:]
            return cut(rest[: 3000 if start == 0 else 0], len(rest) if claims else None, {}, 206 if start else 200)
        return None

    hub.fault = truncates
    refused(OfflineError, "org/name is not on this machine")
    assert sum(waits) < 60
    assert not list(cache.rglob("*.incomplete"))
    assert_the_old_version_still_loads(hub, first, monkeypatch)


@pytest.mark.parametrize("where", ["/api/", "/tree/", "/resolve/", "/cdn/"])
def test_a_server_that_stalls(hub, repo, trees, cache, monkeypatch, where):
    first = repo.refs["main"]
    repo.commit(trees[1])
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.1)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.1)
    monkeypatch.setattr("huggingface_hub.file_download._ETAG_RETRY_TIMEOUT", 0.1)

    async def stalls(request: Request) -> Response | None:
        if where in request.url.path:
            await asyncio.sleep(1)
        return None

    hub.fault = stalls
    refused(
        OfflineError, "is not on this machine, and cannot be downloaded from the Hub", f"{NAME}@{repo.refs['main']}"
    )
    assert sum(waits) < 60 * len(trees[1])  # of files downloaded in parallel
    assert not list(cache.rglob("*.incomplete"))
    assert_the_old_version_still_loads(hub, first, monkeypatch)


@pytest.mark.parametrize("headers", [{"Retry-After": "100000"}, {"RateLimit": '"api";r=0;t=100000'}])
@pytest.mark.parametrize(("where", "status"), [("/tree/", 429), ("/resolve/", 429), ("/cdn/", 429), ("/tree/", 503)])
def test_a_server_that_asks_clients_to_wait_for_a_day(hub, repo, trees, monkeypatch, headers, where, status):
    repo.commit(trees[1])
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)

    async def delays(request: Request) -> Response | None:
        return Response(status_code=status, headers=headers) if where in request.url.path else None

    hub.fault = delays
    refused(OfflineError, f"HTTP {status}")
    assert max(waits, default=0) <= 60


def test_the_command_line_prints_one_line_and_exits_with_2(hub, repo, trees, t2i: T2I):
    hub.repo("org/pickle", {"config.json": b"{}", "pytorch_model.bin": b"\x80\x04."})
    repo.commit(with_config(trees[0], weights_sha256="0" * 64))
    for name, says in (
        ("org/pickle", "t2i convert"),
        ("org/name", "must have the sha256"),
        ("org/none", "there is no repository of that name"),
    ):
        assert says in t2i("generate", "a red heart", "--model", f"hf-hub:{name}").error


def test_an_infinite_mask_in_a_buffer_is_allowed(tmp_path):
    generator = FakeGenerator()
    generator.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
    save_file(generator.state_dict(), tmp_path / "good.safetensors")
    generator.mask[0] = torch.nan
    save_file(generator.state_dict(), tmp_path / "bad.safetensors")

    def build() -> FakeGenerator:
        generator = FakeGenerator()
        generator.register_buffer("mask", torch.zeros(2))
        return generator

    assert load_weights(build, tmp_path / "good.safetensors").mask[1] == -torch.inf
    with pytest.raises(SnapshotError, match="some of 'mask'"):
        load_weights(build, tmp_path / "bad.safetensors")
