"""The Hub is asked only for what is not here, and every refusal of it becomes one of our sentences."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import huggingface_hub
import pytest
from huggingface_hub import errors as hub_errors

from fakes.models import FakeGenerator, FakeTextEncoder
from t2i.errors import InvalidInputError, OfflineError, SnapshotError
from t2i.hub.download import PATTERNS, download
from t2i.hub.snapshots import load_generator, resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(monkeypatch) -> Mock:
    double = Mock(spec=huggingface_hub.snapshot_download)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", double)
    return double


def refusal(kind: type[Exception]) -> Exception:
    """A Hub error as its own client builds it, without a server."""
    error = kind.__new__(kind)
    Exception.__init__(error, "the server said no")
    return error


def test_a_pinned_revision_in_the_cache_needs_no_network(hub):
    hub.return_value = f"/cache/snapshots/{COMMIT}"
    assert download("org/name", COMMIT) == (Path(f"/cache/snapshots/{COMMIT}"), COMMIT)
    hub.assert_called_once_with("org/name", revision=COMMIT, allow_patterns=PATTERNS, local_files_only=True)


def test_a_pinned_revision_that_is_not_cached_is_fetched(hub):
    hub.side_effect = [hub_errors.LocalEntryNotFoundError("not cached"), f"/cache/snapshots/{COMMIT}"]
    assert download("org/name", COMMIT)[1] == COMMIT
    assert [call.kwargs.get("local_files_only", False) for call in hub.call_args_list] == [True, False]


@pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:12]])
def test_a_moving_revision_asks_the_hub_where_it_points(hub, revision):
    hub.return_value = f"/cache/snapshots/{COMMIT}"
    assert download("org/name", revision)[1] == COMMIT
    assert hub.call_args.kwargs["revision"] == revision
    assert not hub.call_args.kwargs.get("local_files_only")


def test_nothing_that_could_hold_code_or_a_pickle_is_fetched():
    assert {Path(name).suffix for name in PATTERNS} == {".json", ".safetensors", ".md"}
    assert not any(set(name) & set("*?[") for name in PATTERNS)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (refusal(hub_errors.RepositoryNotFoundError), SnapshotError, "The Hub has no org/name@v1, or it is private"),
        (refusal(hub_errors.RevisionNotFoundError), SnapshotError, "The Hub has no org/name@v1"),
        (refusal(hub_errors.GatedRepoError), SnapshotError, "org/name@v1"),
        (hub_errors.HFValidationError("bad"), InvalidInputError, "named org/name"),
        (hub_errors.LocalEntryNotFoundError("x"), OfflineError, "not on this machine"),
        (hub_errors.OfflineModeIsEnabled("x"), OfflineError, "unset HF_HUB_OFFLINE"),
        (refusal(hub_errors.HfHubHTTPError), OfflineError, "cannot be reached"),
        (ConnectionError("x"), OfflineError, "ConnectionError"),
    ],
)
def test_each_refusal_of_the_hub_is_one_sentence_of_ours(hub, error, kind, says):
    hub.side_effect = error
    with pytest.raises(kind, match=says) as caught:
        download("org/name", "v1")
    assert type(caught.value) is kind
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("revision", [None, COMMIT])
def test_offline_with_nothing_cached_the_real_client_ends_in_our_sentence(revision):
    with pytest.raises(OfflineError, match="unset HF_HUB_OFFLINE, or use a bundled model") as caught:
        download("org/name", revision)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("repo", ["org/name/more", "..", "a b", "org//x", "-x/y"])
def test_what_is_no_repository_name_is_refused_by_the_real_client(repo):
    with pytest.raises(InvalidInputError, match="A Hub model is named org/name"):
        download(repo, None)


def test_a_cached_snapshot_resolves_offline_through_the_real_client(fakes_installed, tmp_path):
    """The cache's layout is the Hub client's: refs/main names a commit, snapshots/<commit> holds the files."""
    cache = Path(huggingface_hub.constants.HF_HUB_CACHE) / "models--org--cached"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(COMMIT)
    generator = FakeGenerator()
    generator.save_pretrained(cache / "snapshots" / COMMIT, text_encoder=FakeTextEncoder().identity)
    for name in ("hf-hub:org/cached", f"hf-hub:org/cached@{COMMIT}"):
        snapshot = resolve(name)
        assert (snapshot.name, snapshot.revision) == (name, COMMIT)
        loaded = load_generator(snapshot)
        assert loaded.state_dict()["to_pixels.bias"].equal(generator.state_dict()["to_pixels.bias"])
