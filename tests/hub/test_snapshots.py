"""A model on disk is saved and loaded bit for bit, and refused with a reason if anything is wrong."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from safetensors.torch import load_file, save_file

import t2i
from fakes.models import FakeConfig, FakeGenerator, FakeTextEncoder
from t2i.errors import (
    CheckpointError,
    IntegrityError,
    InvalidConfigError,
    OfflineError,
    OutputError,
    SnapshotError,
    UnknownNameError,
)
from t2i.files import sha256_of
from t2i.hub.layout import CARD, CONFIG, GOLDEN, MAX_CONFIG_BYTES, WEIGHTS
from t2i.noise import Noise
from t2i.publishing.pretrained import from_pretrained, save_pretrained
from t2i.registry import catalogue
from t2i.registry.specs import ModelSpec, WeightsSpec
from t2i.snapshots import resolve as snapshots
from t2i.snapshots.golden import GOLDEN_TOLERANCE, golden_error
from t2i.snapshots.load import load_generator
from t2i.snapshots.record import SnapshotFacts
from t2i.snapshots.resolve import _open, resolve
from t2i.snapshots.save import save_snapshot
from t2i.training.checkpoint import save_checkpoint
from t2i_cgan.config import CGANConfig
from t2i_cgan.generator import ConditionalGAN

CGAN = CGANConfig(resolution=16, text_dim=8, noise_dim=4, condition_dim=8, hidden_dim=8, widths=(8, 8))


pytestmark = pytest.mark.usefixtures("fakes_installed_for_module")


@pytest.fixture
def folder(tmp_path) -> Path:
    """A good snapshot of the fake generator."""
    return save_pretrained(FakeGenerator(), tmp_path / "model", text_encoder=FakeTextEncoder().identity)


def edit(folder: Path, **changes) -> None:
    """Change config.json; a change to None drops the field."""
    values = json.loads((folder / CONFIG).read_text()) | changes
    (folder / CONFIG).write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def rewrite_weights(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write other weights with a correct hash."""
    save_file(tensors, folder / WEIGHTS)
    edit(folder, weights_sha256=sha256_of(folder / WEIGHTS))


@pytest.mark.parametrize(
    "generator", [ConditionalGAN(CGAN), FakeGenerator(FakeConfig(resolution=5))], ids=lambda g: g.technique
)
def test_a_loaded_model_is_bit_equal_to_the_saved_one(generator, tmp_path):
    save_pretrained(generator.eval(), tmp_path / "m")
    loaded = from_pretrained(str(tmp_path / "m"))
    assert loaded.config == generator.config
    saved, found = generator.state_dict(), loaded.state_dict()
    assert saved.keys() == found.keys()
    assert all(torch.equal(saved[name], found[name]) and saved[name].dtype == found[name].dtype for name in saved)
    text = FakeTextEncoder().encode(["a red heart", "pizza"])
    with torch.inference_mode():
        assert torch.equal(
            generator.generate(text, Noise([1, 2]), generator.options()),
            loaded.generate(text, Noise([1, 2]), loaded.options()),
        )


def test_half_precision_halves_the_file_and_is_used_for_the_golden_pictures(tmp_path):
    torch.manual_seed(0)
    generator = ConditionalGAN(CGAN).eval()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    whole = save_snapshot(generator, tmp_path / "whole", SnapshotFacts())
    half = save_snapshot(generator, tmp_path / "half", SnapshotFacts(), torch.float16)
    assert all(torch.equal(tensor, before[name]) for name, tensor in generator.state_dict().items())
    assert (half / WEIGHTS).stat().st_size < 0.6 * (whole / WEIGHTS).stat().st_size
    loaded = load_generator(resolve(str(half)))
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    assert golden_error(resolve(str(half)), loaded) == 0
    assert 0 < golden_error(resolve(str(half)), generator) < GOLDEN_TOLERANCE
    again = save_snapshot(loaded, tmp_path / "again", SnapshotFacts(), torch.float16)
    assert sha256_of(again / WEIGHTS) == sha256_of(half / WEIGHTS)


def test_a_loaded_generator_is_ready_to_draw_and_not_to_train(folder):
    loaded = t2i.create_model(str(folder))
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_saving_twice_gives_the_same_files(tmp_path):
    generator = FakeGenerator()
    first, second = (save_pretrained(generator, tmp_path / name) for name in "ab")
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_a_snapshot_is_four_files_without_a_pickle(folder):
    assert {path.name for path in folder.iterdir()} == {CONFIG, WEIGHTS, GOLDEN, CARD}
    for path in folder.iterdir():
        content = path.read_bytes()
        assert not content.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x04", b"\x80\x05"))  # torch's zip; pickle 2-5
    assert set(load_file(folder / WEIGHTS)) == set(FakeGenerator().state_dict())


def test_facts_round_trip(tmp_path):
    facts = {
        "text_encoder": FakeTextEncoder().identity,
        "dataset": "openmoji:train",
        "license": "CC-BY-SA-4.0",
        "steps": 7,
        "images_seen": 448,
        "training_seconds": {"AMD EPYC, 2 threads": 12.345},
        "command": "t2i train",
    }
    save_pretrained(FakeGenerator(), tmp_path / "m", **facts)
    assert resolve(str(tmp_path / "m")).config.facts == SnapshotFacts(**facts)


def test_saving_a_model_in_training_mode_does_not_change_it(tmp_path):
    generator = ConditionalGAN(CGANConfig(architecture="paper", text_dim=8, noise_dim=4, condition_dim=8, ngf=8))
    generator.train()
    frozen = next(module for module in generator.modules() if isinstance(module, torch.nn.BatchNorm2d)).eval()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    snapshot = resolve(str(save_pretrained(generator, tmp_path / "m")))
    assert {module.training for module in generator.modules() if module is not frozen} == {True}
    assert not frozen.training
    assert all(torch.equal(before[name], tensor) for name, tensor in generator.state_dict().items())
    assert golden_error(snapshot, load_generator(snapshot)) == 0


def test_the_saved_weights_draw_the_golden_pictures(folder):
    snapshot = resolve(str(folder))
    assert golden_error(snapshot, load_generator(snapshot)) == 0


def test_golden_pictures_detect_one_changed_weight(folder):
    tensors = load_file(folder / WEIGHTS)
    tensors["to_pixels.bias"][5] += 0.1
    rewrite_weights(folder, tensors)
    snapshot = resolve(str(folder))
    assert golden_error(snapshot, load_generator(snapshot)) > GOLDEN_TOLERANCE


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x" * 99)])
def test_missing_or_damaged_golden_tensors_are_an_error(folder, damage):
    damage(folder / GOLDEN)
    snapshot = resolve(str(folder))
    with pytest.raises(SnapshotError, match="no readable golden"):
        golden_error(snapshot, load_generator(snapshot))


def test_golden_tensors_without_the_expected_names_are_an_error(folder):
    save_file({"pictures": torch.zeros(2)}, folder / GOLDEN)
    snapshot = resolve(str(folder))
    with pytest.raises(SnapshotError, match="no readable golden"):
        golden_error(snapshot, load_generator(snapshot))


@pytest.mark.parametrize("prefix", ["", "local-dir:"])
def test_a_folder_resolves_by_its_path(folder, prefix):
    snapshot = resolve(f"{prefix}{folder}")
    assert (snapshot.name, snapshot.folder, snapshot.revision) == (f"{prefix}{folder}", folder, "")


def test_a_run_folder_resolves_to_its_newest_complete_checkpoint(tmp_path):
    generators = [FakeGenerator(), FakeGenerator()]
    for step, generator in enumerate(generators, start=1):
        save_checkpoint(tmp_path / "run", step, {}, partial(save_pretrained, generator), keep=9)
    assert resolve(str(tmp_path / "run")).folder.parent.name == "step-00000002"
    (tmp_path / "run" / "checkpoints" / "step-00000002" / "state.safetensors").write_bytes(b"cut")
    loaded = load_generator(resolve(str(tmp_path / "run")))
    assert torch.equal(loaded.state_dict()["to_pixels.weight"], generators[0].state_dict()["to_pixels.weight"])


@pytest.mark.parametrize("prefix", ["", "local-dir:"])
def test_a_run_folder_without_a_checkpoint_is_not_a_model(tmp_path, prefix):
    (tmp_path / "run" / "checkpoints" / ".step-00000001.abc").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"so it cannot be used as a model\. Train until .* --resume"):
        resolve(f"{prefix}{tmp_path / 'run'}")


@pytest.mark.parametrize("name", ["local-dir:nowhere", "./nowhere", "runs/nowhere", "/nowhere/at/all"])
def test_a_missing_folder_is_an_error(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownNameError, match=f"There is no folder {Path(name.removeprefix('local-dir:'))}"):
        resolve(name)


def test_a_folder_without_a_model_is_an_error_that_names_the_missing_files(tmp_path):
    with pytest.raises(
        SnapshotError, match=r"a snapshot has a config.json and a run has a run.yaml, and it has neither"
    ):
        resolve(str(tmp_path))


def test_a_file_is_not_a_model(folder):
    with pytest.raises(UnknownNameError, match="There is no folder"):
        resolve(str(folder / WEIGHTS))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip_a_bit,
        lambda path: path.write_bytes(path.read_bytes()[:-8]),
        lambda path: path.write_bytes(path.read_bytes() + b"\0"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
    ],
    ids=["one bit", "truncated", "longer", "empty", "lfs pointer"],
)
def test_weights_that_are_not_the_published_ones_are_refused_before_use(folder, damage, monkeypatch):
    damage(folder / WEIGHTS)
    monkeypatch.setattr("t2i.snapshots.weights.load_file", Mock(side_effect=AssertionError("a tensor was read")))
    found = f"({sha256_of(folder / WEIGHTS)}|no readable safetensors header)"
    with pytest.raises(IntegrityError, match=f"must have the sha256 .*, but has {found}"):
        t2i.create_model(f"local-dir:{folder}")


def test_the_registered_sha256_overrides_the_snapshots_own(folder, monkeypatch):
    spec = WeightsSpec(
        model="fake",
        tag="x",
        sha256="f" * 64,
        size_bytes=1,
        dataset="",
        resolution=8,
        license="MIT",
        text_encoder="fake",
        bundled=f"fakes:{folder}",
    )
    monkeypatch.setattr(snapshots, "weights_spec", lambda name: spec)
    with pytest.raises(IntegrityError, match="f" * 64):
        resolve("fake.x")
    monkeypatch.setattr(snapshots, "weights_spec", lambda name: replace(spec, sha256=sha256_of(folder / WEIGHTS)))
    assert resolve("fake").name == "fake.x"


def test_offline_a_hub_model_is_an_error_with_a_fix():
    with pytest.raises(OfflineError, match="unset HF_HUB_OFFLINE"):
        t2i.pipeline("hf-hub:nobody/nothing")


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        (b"", SnapshotError, "is not JSON"),
        (b"{", SnapshotError, "is not JSON"),
        (b"\xff\xfe{}", SnapshotError, "is not JSON"),
        (b"[" * 100_000, SnapshotError, "is not JSON"),
        (b"[1]", SnapshotError, "must hold a JSON object, but holds a list"),
        (b'"x"', SnapshotError, "but holds a str"),
        (b"null", SnapshotError, "but holds a NoneType"),
        (b" " * (MAX_CONFIG_BYTES + 1), SnapshotError, "is larger than"),
        (b"{}", InvalidConfigError, "field 'technique'"),
    ],
    ids=["empty", "cut", "no UTF-8", "deep", "list", "text", "null", "large", "nothing said"],
)
def test_an_invalid_config_json_is_refused(folder, content, kind, says):
    (folder / CONFIG).write_bytes(content)
    with pytest.raises(kind, match=says):
        resolve(str(folder))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tecnique": "x"}, "unknown field 'tecnique'. Did you mean 'technique'"),
        ({"technique": None}, "field 'technique'"),
        ({"technique": 3}, "field 'technique': .* got 3"),
        ({"config": []}, "field 'config'"),
        ({"format": 2}, "field 'format': .* got 2"),
        ({"facts": {"step": 3}}, "unknown field 'facts.step'"),
        ({"facts": {"steps": -3}}, "field 'facts.steps'"),
        ({"facts": {"training_seconds": {"CPU": -3}}}, "field 'facts.training_seconds.CPU'"),
        ({"facts": {"text_encoder": {"name": "x"}}}, "field 'facts.text_encoder"),
    ],
)
def test_a_wrong_field_of_config_json_is_refused_and_named(folder, changes, says):
    edit(folder, **changes)
    with pytest.raises(InvalidConfigError, match=f"{folder / CONFIG}: .*{says}"):
        resolve(str(folder))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"widths": 3}, "unknown field 'widths'"),
        ({"resolutoin": 8}, "Did you mean 'resolution'"),
        ({"resolution": "big"}, "field 'resolution': .* got 'big'"),
    ],
)
def test_a_wrong_field_of_the_technique_s_config_is_refused_and_named(folder, config, says):
    edit(folder, config=config)
    with pytest.raises(InvalidConfigError, match=says):
        t2i.create_model(str(folder))


@pytest.mark.parametrize(
    ("technique", "says"), [("cgn", "Did you mean 'cgan'"), ("later", r"t2i-later"), ("zzz", "no model 'zzz'")]
)
def test_a_technique_that_is_not_installed_is_named(folder, technique, says, monkeypatch):
    known = catalogue.KnownPlugin("t2i-later", "gan", "", {ModelSpec: ("later",)})
    monkeypatch.setattr(catalogue, "KNOWN_PLUGINS", (*catalogue.KNOWN_PLUGINS, known))
    edit(folder, technique=technique)
    with pytest.raises(UnknownNameError, match=says):
        t2i.create_model(str(folder))


@pytest.mark.parametrize(("name", "says"), [(CONFIG, "no readable config.json"), (WEIGHTS, "no readable model.safe")])
def test_a_missing_file_is_named(folder, name, says):
    (folder / name).unlink()
    with pytest.raises(SnapshotError, match=says):
        _open("m", folder)


def test_a_deleted_folder_is_named(tmp_path):
    with pytest.raises(SnapshotError, match=r"m is in .*gone, which cannot be read \(No such file"):
        _open("m", tmp_path / "gone")


def test_the_card_and_the_golden_tensors_are_not_needed_to_draw(folder):
    (folder / CARD).unlink()
    (folder / GOLDEN).unlink()
    assert t2i.create_model(str(folder)).resolution == 8


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("to_pixels.bias"),
        lambda tensors: tensors.update(extra=torch.zeros(1)),
        lambda tensors: tensors.update({"to_pixels.bias": torch.zeros(3)}),
    ],
    ids=["one missing", "one too many", "another shape"],
)
def test_tensors_that_do_not_fit_the_config_are_refused(folder, change):
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    rewrite_weights(folder, tensors)
    with pytest.raises(SnapshotError, match="do not fit their config"):
        t2i.create_model(str(folder))


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80\x04\x95junk", b"\xff" * 64, b"\x08\0\0\0\0\0\0\0{}      more"],
    ids=["empty", "pickle", "huge header", "uncovered bytes"],
)
def test_weights_that_are_not_safetensors_are_refused_despite_a_correct_hash(folder, content):
    (folder / WEIGHTS).write_bytes(content)
    edit(folder, weights_sha256=sha256_of(folder / WEIGHTS))
    with pytest.raises(SnapshotError, match="no readable safetensors header"):
        t2i.create_model(str(folder))


def test_saving_over_a_model_is_refused(folder):
    before = (folder / WEIGHTS).read_bytes()
    with pytest.raises(OutputError, match="already exists"):
        save_pretrained(FakeGenerator(), folder)
    assert (folder / WEIGHTS).read_bytes() == before


def test_a_failed_save_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("t2i.snapshots.save.render_card", Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match="No space left on device"):
        save_pretrained(FakeGenerator(), tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_during_saving_leaves_nothing(tmp_path, monkeypatch):
    from safetensors import SafetensorError

    full = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    monkeypatch.setattr("t2i.snapshots.save.save_file", Mock(side_effect=full))
    with pytest.raises(OutputError, match="No space left on device"):
        save_pretrained(FakeGenerator(), tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_fact_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InvalidConfigError, match="Did you mean 'dataset'"):
        save_pretrained(FakeGenerator(), tmp_path / "m", datset="x")
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_may_be_moved(folder, tmp_path):
    shutil.move(folder, tmp_path / "elsewhere")
    assert t2i.create_model(str(tmp_path / "elsewhere")).resolution == 8


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@pytest.mark.parametrize("kind", ["FIFO", "zeros"])
def test_special_files_neither_hang_nor_fill_the_memory(folder, name, kind):
    (folder / name).unlink()
    if kind == "FIFO":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero")
    with pytest.raises(SnapshotError, match="not a regular file"):
        resolve(str(folder))


def test_golden_pictures_that_are_a_fifo_are_refused(folder):
    (folder / GOLDEN).unlink()
    os.mkfifo(folder / GOLDEN)
    with pytest.raises(SnapshotError, match="not a regular file"):
        golden_error(resolve(str(folder)), FakeGenerator())


@pytest.mark.parametrize("header", [b"", b"\x08\0\0\0\0\0\0\0{}      "], ids=["zeros", "no tensors"])
def test_a_sparse_file_of_10_gb_is_refused_by_its_header(folder, header, monkeypatch):
    (folder / WEIGHTS).write_bytes(header)
    os.truncate(folder / WEIGHTS, 10 * 2**30)
    monkeypatch.setattr(snapshots, "sha256_of", Mock(side_effect=AssertionError("it was hashed")))
    with pytest.raises(IntegrityError, match="has no readable safetensors header"):
        resolve(str(folder))


def test_a_sparse_file_of_10_gb_whose_header_fits_is_refused_before_it_is_hashed(folder, monkeypatch):
    size = 10 * 2**30
    header = json.dumps({"x": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    (folder / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(folder / WEIGHTS, 8 + len(header) + size)
    monkeypatch.setattr("hashlib.file_digest", Mock(side_effect=AssertionError("it was hashed")))
    with pytest.raises(SnapshotError, match="a sparse file: more than 1073741824 of its 10737418"):
        resolve(str(folder))


@pytest.mark.parametrize("sha256", ["\x1b]0;pwned\x07\x1b[2J", "A" * 64, "0" * 63, "0" * 900_000, "0" * 64 + "\n"])
def test_an_invalid_hash_is_a_short_error(folder, sha256):
    edit(folder, weights_sha256=sha256)
    with pytest.raises(InvalidConfigError, match="weights_sha256") as refused:
        resolve(str(folder))
    assert "\x1b" not in str(refused.value) and len(str(refused.value)) < 1000


def test_tensors_with_very_long_names_are_a_short_error(folder):
    for names in (["\x1b[2J" + "n" * 1_000_000], [f"extra{i}" for i in range(20_000)]):
        rewrite_weights(folder, load_file(folder / WEIGHTS) | {name: torch.zeros(1) for name in names})
        with pytest.raises(SnapshotError, match="do not fit their config") as refused:
            t2i.create_model(str(folder))
        assert "\x1b" not in str(refused.value) and len(str(refused.value)) <= 2000
