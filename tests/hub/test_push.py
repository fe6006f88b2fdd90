"""Models are published with the real client on a Hub on loopback, and loaded from there."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, ModelCard, constants
from PIL import Image

import t2i as package
from fakes.command_line import T2I
from fakes.hub import STRANGER, FakeHub
from fakes.models import FakeGenerator, FakeTextEncoder
from t2i.drawing.provenance import png_bytes
from t2i.errors import InvalidConfigError, InvalidInputError, SnapshotError
from t2i.evaluation.card import write_card_scores
from t2i.evaluation.scores import Scored
from t2i.evaluator import Score
from t2i.images import grid
from t2i.noise import Noise
from t2i.publishing.pretrained import from_pretrained, push_to_hub, save_pretrained
from t2i.publishing.push import Target, push
from t2i.registry.discovery import Registry
from t2i.registry.specs import WeightsSpec
from t2i.snapshots.golden import GOLDEN_TOLERANCE, golden_error
from t2i.snapshots.load import load_generator
from t2i.snapshots.resolve import resolve
from t2i.training.checkpoint import save_checkpoint
from t2i_starter.publish import publish_bundled

pytestmark = pytest.mark.usefixtures("fakes_installed")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder as after training, with two checkpoints and three sheets of samples."""
    folder = tmp_path / "runs" / "a"
    for step in (1, 3):
        facts = {"text_encoder": FakeTextEncoder().identity, "dataset": "squares", "license": "MIT", "steps": step}
        save_checkpoint(
            folder, step, {}, lambda path, facts=facts: save_pretrained(FakeGenerator(), path, **facts), keep=9
        )
    (folder / "run.yaml").write_text("technique: fake\ndata: squares\n")
    (folder / "samples").mkdir()
    for step, colour in ((1, "red"), (2, "green"), (4, "blue")):
        sheet = grid([Image.new("RGB", (8, 8), colour)])
        (folder / "samples" / f"step-{step:08d}.png").write_bytes(png_bytes(sheet))
    return folder


def drawn(generator: package.Generator) -> torch.Tensor:
    text = FakeTextEncoder().encode(["a red heart", "pizza"])
    with torch.inference_mode():
        return generator.generate(text, Noise([1, 2]), generator.options())


def test_a_pushed_model_is_loaded_by_branch_tag_and_commit(hub: FakeHub):
    first, second = FakeGenerator(), FakeGenerator()
    address = push_to_hub(first, "org/name", license="MIT")
    HfApi().create_tag("org/name", tag="v1.0")
    push_to_hub(second, "org/name")
    commit = address.rpartition("/")[2]
    assert address == f"{hub.url}/org/name/commit/{commit}"
    for name, generator in (("", second), ("@main", second), ("@v1.0", first), (f"@{commit}", first)):
        loaded = from_pretrained(f"hf-hub:org/name{name}")
        assert torch.equal(drawn(loaded), drawn(generator))
        assert loaded.config == generator.config
    snapshot = resolve("hf-hub:org/name@v1.0")
    assert (snapshot.revision, snapshot.config.facts.license) == (commit, "MIT")
    assert golden_error(snapshot, load_generator(snapshot)) <= GOLDEN_TOLERANCE


def test_pictures_of_a_hub_model_record_its_commit(hub: FakeHub, run: Path):
    commit = push(str(run), Target("org/name")).commit
    hub.requests.clear()
    picture = package.pipeline(f"hf-hub:org/name@{commit}")("a red heart", seed=7)[0]
    artist = picture.provenance.artist
    assert (artist.name, artist.revision) == (f"hf-hub:org/name@{commit}", commit)
    assert hub.asked
    hub.requests.clear()
    again = package.pipeline(f"hf-hub:org/name@{commit}")("a red heart", seed=7)[0]
    assert hub.asked == []
    assert again.image.tobytes() == picture.image.tobytes()


def test_a_run_is_pushed_with_newest_weights_sheet_settings_and_card(hub: FakeHub, run: Path):
    commit = push(str(run), Target("org/name")).commit
    tree = hub.repos["org/name"].commits[commit]
    snapshot = run / "checkpoints" / "step-00000003" / "snapshot"
    for name in ("config.json", "model.safetensors", "golden.safetensors"):
        assert tree[name] == (snapshot / name).read_bytes()
    assert tree["run.yaml"] == (run / "run.yaml").read_bytes()
    assert Image.open(io.BytesIO(tree["samples.png"])).getpixel((6, 6)) == (0, 128, 0)  # step 2's, not step 4's
    card = tree["README.md"].decode()
    for said in ("hf-hub:org/name", "](samples.png)", "squares", "3 steps", "t2i train fake --recipe run.yaml"):
        assert said in card
    assert set(tree) == {
        ".gitattributes",
        "README.md",
        "run.yaml",
        "samples.png",
        *(p.name for p in snapshot.iterdir()),
    }


def test_pushing_the_same_again_makes_no_new_commit_and_uploads_nothing(hub: FakeHub, run: Path):
    first = push(str(run), Target("org/name"))
    uploads = list(hub.uploads)
    assert push(str(run), Target("org/name")) == first
    assert hub.uploads == uploads and len(uploads) == 3


def test_prompts_are_drawn_for_the_card(hub: FakeHub, run: Path):
    commit = push(str(run), Target("org/name"), prompts=["a red heart", "a blue star", "pizza"]).commit
    sheet = Image.open(io.BytesIO(hub.repos["org/name"].commits[commit]["samples.png"]))
    images = package.pipeline(str(run))(["a red heart", "a blue star", "pizza"], seed=0).images
    expected = grid(images, captions=["a red heart", "a blue star", "pizza"], scale=12)
    assert sheet.tobytes() == expected.tobytes()


def test_a_snapshot_that_cannot_draw_is_pushed_without_pictures(hub: FakeHub, tmp_path: Path):
    save_pretrained(FakeGenerator(), tmp_path / "m", text_encoder=FakeTextEncoder().identity, dataset="gone")
    said: list[str] = []
    commit = push(str(tmp_path / "m"), Target("org/name"), warn=said.append).commit
    tree = hub.repos["org/name"].commits[commit]
    assert "samples.png" not in tree and b"samples.png" not in tree["README.md"]
    assert len(said) == 1 and "The card has no pictures" in said[0] and "gone" in said[0]


def test_scores_in_a_card_are_pushed(hub: FakeHub, run: Path):
    path = run / "checkpoints" / "step-00000003" / "snapshot" / "README.md"
    score = Score(12.5, {"data": "squares:test", "n_real": "2000"}, standard_error=0.3, higher_is_better=False)
    write_card_scores(path, [Scored("fid2k", score, "runs/a", "0" * 64, {"gain": 2.0}, "2026-11-24T08:00:00+00:00")])
    commit = push(str(run), Target("org/name")).commit
    local, pushed = ModelCard.load(path), ModelCard(hub.repos["org/name"].commits[commit]["README.md"].decode())
    assert pushed.data.eval_results == local.data.eval_results and pushed.data.model_name == "name"
    shown = "| fid2k | 12.5 ± 0.3 | squares:test | gain 2.0 | 2026-11-24 |"
    assert shown in local.text and shown in pushed.text


@pytest.mark.parametrize("card", [b"no head", b"---\n[: \n---\n", b"---\n- a\n---\n", b"\xff"])
def test_an_unreadable_card_is_replaced(hub: FakeHub, run: Path, card: bytes):
    (run / "checkpoints" / "step-00000003" / "snapshot" / "README.md").write_bytes(card)
    commit = push(str(run), Target("org/name")).commit
    assert ModelCard(hub.repos["org/name"].commits[commit]["README.md"].decode()).data.library_name == "t2i"


def test_a_private_repository_is_private_from_the_start(hub: FakeHub, monkeypatch):
    push_to_hub(FakeGenerator(), "org/name", private=True)
    assert hub.repos["org/name"].private
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    with pytest.raises(SnapshotError, match="no repository of that name, or it is private"):
        resolve("hf-hub:org/name")


def test_a_private_push_to_a_public_repository_is_refused(hub: FakeHub):
    push_to_hub(FakeGenerator(), "org/name")
    before = dict(hub.repos["org/name"].refs)
    with pytest.raises(InvalidInputError, match="already exists and is public"):
        push_to_hub(FakeGenerator(), "org/name", private=True)
    assert hub.repos["org/name"].refs == before


def test_a_branch_is_created_and_main_is_unchanged(hub: FakeHub):
    push_to_hub(FakeGenerator(), "org/name")
    main = hub.repos["org/name"].refs["main"]
    generator = FakeGenerator()
    push_to_hub(generator, "org/name", revision="next")
    push_to_hub(generator, "org/name", revision="next", license="MIT")
    assert hub.repos["org/name"].refs["main"] == main
    assert torch.equal(drawn(from_pretrained("hf-hub:org/name@next")), drawn(generator))
    assert b"hf-hub:org/name@next" in hub.repos["org/name"].commits[hub.repos["org/name"].refs["next"]]["README.md"]


def test_a_pull_request_of_another_user_can_be_loaded(hub: FakeHub, monkeypatch):
    push_to_hub(FakeGenerator(), "org/name")
    main = hub.repos["org/name"].refs["main"]
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    generator = FakeGenerator()
    assert push_to_hub(generator, "org/name", create_pr=True) == f"{hub.url}/org/name/discussions/1"
    assert hub.repos["org/name"].refs["main"] == main
    assert torch.equal(drawn(from_pretrained("hf-hub:org/name@refs/pr/1")), drawn(generator))


@pytest.mark.parametrize(
    ("token", "says"), [("", r"HTTP 401\): `hf auth login`"), (STRANGER, r"lacks permission \(HTTP 403\)")]
)
def test_without_the_right_token_nothing_is_pushed(hub: FakeHub, monkeypatch, token, says):
    push_to_hub(FakeGenerator(), "org/name")
    before = dict(hub.repos["org/name"].refs)
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(SnapshotError, match=says) as caught:
        push_to_hub(FakeGenerator(), "org/name")
    assert "org/name could not be published on the Hub" in str(caught.value) and "\n" not in str(caught.value)
    assert hub.repos["org/name"].refs == before


def test_offline_nothing_is_pushed(hub: FakeHub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SnapshotError, match="org/name could not be published on the Hub: HF_HUB_OFFLINE is set"):
        push_to_hub(FakeGenerator(), "org/name")
    assert hub.asked == []


@pytest.mark.parametrize("repo", ["name", "a/b/c", "", "/"])
def test_a_repository_is_named_with_its_owner(hub: FakeHub, repo):
    with pytest.raises(InvalidInputError, match="A Hub model must be named org/name"):
        push_to_hub(FakeGenerator(), repo)


def test_an_unknown_fact_is_refused_before_any_request(hub: FakeHub):
    with pytest.raises(InvalidConfigError, match="Did you mean 'license'"):
        push_to_hub(FakeGenerator(), "org/name", licence="MIT")
    assert hub.asked == []


def test_names_resolve_in_the_documented_order(hub: FakeHub, tmp_path: Path, monkeypatch):
    """A path first; then a bundled snapshot, the cache, and the Hub at its pinned revision."""
    from t2i.snapshots import resolve as snapshots

    commit = push_to_hub(FakeGenerator(), "org/name").rpartition("/")[2]
    weights = hub.repos["org/name"].commits[commit]["model.safetensors"]
    bundled = save_pretrained(FakeGenerator(), tmp_path / "bundled")
    local = save_pretrained(FakeGenerator(), tmp_path / "here" / "fake.x")
    sha256 = {path: json.loads((path / "config.json").read_text())["weights_sha256"] for path in (bundled, local)}
    common = {"model": "fake", "tag": "x", "size_bytes": 1, "dataset": "", "resolution": 8, "license": "MIT"}
    spec = WeightsSpec(**common, text_encoder="fake", sha256=sha256[bundled], bundled=f"fakes:{bundled}")
    monkeypatch.setattr(snapshots, "weights_spec", lambda name: spec)
    monkeypatch.chdir(tmp_path / "here")
    hub.requests.clear()
    assert resolve("./fake.x").folder == resolve("fake.x").folder == Path("fake.x")  # nothing is registered
    shutil.rmtree("fake.x")
    assert resolve("fake.x").folder == bundled
    assert hub.asked == []
    import hashlib

    spec = WeightsSpec(
        **common, text_encoder="fake", sha256=hashlib.sha256(weights).hexdigest(), repo="org/name", revision=commit
    )
    assert resolve("fake.x").revision == commit
    assert hub.asked
    hub.requests.clear()
    assert resolve("fake.x").revision == commit
    assert hub.asked == []


def test_weights_without_a_location_are_an_error(hub: FakeHub, monkeypatch):
    from t2i.snapshots import resolve as snapshots

    spec = WeightsSpec("fake", "x", "0" * 64, 1, "", 8, "MIT", "fake")
    monkeypatch.setattr(snapshots, "weights_spec", lambda name: spec)
    with pytest.raises(SnapshotError, match=r"fake\.x is declared without the location of its files"):
        resolve("fake.x")


def test_every_bundled_snapshot_is_published_once(hub: FakeHub, tmp_path: Path, monkeypatch):
    from t2i.snapshots import resolve as snapshots

    folder = save_pretrained(FakeGenerator(), tmp_path / "m", text_encoder=FakeTextEncoder().identity, license="MIT")
    sha256 = json.loads((folder / "config.json").read_text())["weights_sha256"]
    spec = WeightsSpec("fake", "x", sha256, 1, "squares", 8, "MIT", "fake", f"fakes:{folder}")
    monkeypatch.setattr(Registry, "all", lambda self, kind: [(spec, None)] if kind is WeightsSpec else [])
    monkeypatch.setattr(snapshots, "weights_spec", lambda name: spec)
    said: list[str] = []
    first = publish_bundled("org", say=said.append)
    commit = first["fake.x"].commit
    assert said == [f'fake.x: repo="org/fake-x", revision="{commit}"']
    tree = hub.repos["org/fake-x"].commits[commit]
    assert tree["model.safetensors"] == (folder / "model.safetensors").read_bytes()
    assert "# fake-x" in tree["README.md"].decode()
    assert publish_bundled("org") == first


def test_t2i_push_prints_the_address_and_exits_with_0_or_2(hub: FakeHub, run: Path, t2i: T2I, monkeypatch):
    result = t2i("push", run, "org/name")
    commit = hub.repos["org/name"].refs["main"]
    assert (result.code, result.out) == (0, f"{hub.url}/org/name/commit/{commit}\n")
    assert f"--model hf-hub:org/name (exactly this commit: hf-hub:org/name@{commit})" in result.err
    assert t2i("push", run, "org/secret", "--private", "--prompt", "a red heart").code == 0
    assert hub.repos["org/secret"].private
    assert t2i("push", run, "org/name", "--revision", "next").code == 0
    assert "next" in hub.repos["org/name"].refs
    monkeypatch.setenv("HF_TOKEN", STRANGER)
    assert t2i("push", run, "org/name", "--create-pr", "--prompt", "x").out == f"{hub.url}/org/name/discussions/1\n"
    assert "HTTP 403" in t2i("push", run, "org/name").error
    assert "named org/name" in t2i("push", run, "name").error
    assert "Leave private out" in t2i("push", run, "org/name", "--private", "--create-pr").error
    assert "A branch must have a name" in t2i("push", run, "org/name", "--revision", "../x").error
    assert "There is no folder" in t2i("push", "runs/none", "org/name").error


def test_the_files_to_publish_can_be_written_to_a_folder(hub: FakeHub, run: Path, t2i: T2I, tmp_path: Path):
    folder = tmp_path / "dry"
    result = t2i("push", run, "org/name", "--to-folder", folder)
    assert result.code == 0 and not hub.requests
    push(str(run), Target("org/name"))
    (commit,) = (commit for ref, commit in hub.repos["org/name"].refs.items() if ref == "main")
    published = {name: data for name, data in hub.repos["org/name"].commits[commit].items() if name != ".gitattributes"}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == published
    assert "already exists" in t2i("push", run, "org/name", "--to-folder", folder).error
