"""Exporting: a technique becomes graphs that draw torch's pictures, in a folder that appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

import t2i
from fakes.command_line import T2I
from fakes.exported import WIDTH, export, pipeline_of
from fakes.models import FakeTextEncoder
from shapes import unchecked
from t2i.errors import InvalidInputError, OutputError, SnapshotError
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i_onnx.drawing import Drawing
from t2i_onnx.export.check import check
from t2i_onnx.export.graphs import OPSET, generator_graph
from t2i_onnx.export.int8 import quantised
from t2i_onnx.export.model import export_model
from t2i_onnx.folder import CARD, GENERATOR, NEEDED, RECORD
from t2i_onnx.tiny import write_record

ROOT = Path(__file__).parents[3]
UNCHECKED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from fakes.exported import export
export({name!r}, Path({out!r}), **{config!r})
"""


def exported(name: str, out: Path, **config: str) -> Path:
    """A tiny model of the technique, exported in another process, where no signature is checked: torch traces those."""
    code = UNCHECKED.format(tests=str(ROOT / "tests"), name=name, out=str(out), config=config)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def cgan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported in this process, which saves the imports of another; flow cannot be, even without checks."""
    out = tmp_path_factory.mktemp("exported") / "cgan"
    with unchecked():
        export("cgan", out)
    return out


def test_the_folder_says_what_is_in_it(cgan: Path) -> None:
    record = json.loads((cgan / RECORD).read_text())
    names = {path.name for path in cgan.iterdir()}
    assert names == {*NEEDED, RECORD, CARD}
    for name in names - {RECORD}:
        assert record["files"][name] == hashlib.sha256((cgan / name).read_bytes()).hexdigest()
    assert record["model"]["technique"] == "cgan" and record["model"]["license"] == "CC0-1.0"
    assert record["checked"]["difference"] < 1e-4 and record["opset"] == OPSET
    card = (cgan / CARD).read_text()
    assert record["model"]["weights_sha256"] in card and "license: cc0-1.0" in card
    assert str(ROOT) not in card + (cgan / RECORD).read_text()


def test_the_graphs_take_any_batch_and_name_nothing_of_this_machine(cgan: Path) -> None:
    content = (cgan / GENERATOR).read_bytes()
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model)
    assert [(one.domain, one.version) for one in model.opset_import] == [("", OPSET)]
    (sentence, words, mask, *noise) = model.graph.input
    assert [one.name for one in (sentence, words, mask, *noise)] == ["sentence", "words", "mask", "noise_0"]
    assert sentence.type.tensor_type.shape.dim[0].dim_param
    assert words.type.tensor_type.shape.dim[1].dim_param
    assert str(ROOT).encode() not in content and b".py" not in content


def test_it_draws_torchs_pictures(cgan: Path, tmp_path: Path) -> None:
    torchs = pipeline_of("cgan", tmp_path / "again")  # the same weights
    drawn = t2i.pipeline(str(cgan))("a red heart and a blue star", num_images_per_prompt=3, seed=7)
    expected = torchs("a red heart and a blue star", num_images_per_prompt=3, seed=7)
    for one, other in zip(drawn.images, expected.images, strict=True):
        assert max(abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True)) <= 1
    assert Drawing(cgan).record.model["weights_sha256"] == torchs.identity.weights_sha256


def test_other_pictures_than_torchs_are_refused(cgan: Path, tmp_path: Path) -> None:
    other = pipeline_of("cgan", tmp_path / "other", seed=1)
    with pytest.raises(SnapshotError, match="differs by"):
        check(other, other.options(), cgan, {})


def test_a_technique_that_cannot_be_one_graph_says_why(tmp_path: Path) -> None:
    artist = pipeline_of("transformer", tmp_path / "snapshot")
    with pytest.raises(InvalidInputError, match="one after the other"):
        export_model(artist, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"snapshot"}  # nothing half done


def test_an_encoder_without_a_graph_says_so(tmp_path: Path) -> None:
    artist = pipeline_of("cgan", tmp_path / "snapshot")
    artist.encoder = FakeTextEncoder(dim=WIDTH)
    with pytest.raises(InvalidInputError, match="has no graph"):
        export_model(artist, tmp_path / "out")


def test_an_exported_model_is_not_exported_again(tiny: Path, tmp_path: Path, t2i: T2I) -> None:
    assert "OnnxArtist" in t2i("export", tiny, "-o", tmp_path / "out").error
    assert "already exists" in t2i("export", "cgan.world64", "-o", tiny).error
    assert "--format" in t2i("export", "cgan.world64", "-o", tmp_path / "out", "--format", "gguf").error
    assert not (tmp_path / "out").exists()


def test_a_folder_that_exists_is_kept(tmp_path: Path) -> None:
    artist = pipeline_of("cgan", tmp_path / "snapshot")
    with pytest.raises(OutputError, match="already exists"):
        export_model(artist, tmp_path / "snapshot")


def test_8_bit_weights_are_a_quarter_and_need_no_operators_of_others(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "int8"))
    (folder / GENERATOR).write_bytes(quantised((folder / GENERATOR).read_bytes()))
    write_record(folder)
    rounded, exact = (Drawing(each).draw(["a red heart"], [7]).astype(float) for each in (folder, tiny))
    assert 0 < abs(rounded - exact).mean() < 5
    assert (folder / GENERATOR).stat().st_size < 0.5 * (tiny / GENERATOR).stat().st_size


EXPORTABLE = {spec.name for spec, _ in registry().all(ModelSpec)} - {"transformer", "diffusers-lora"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(EXPORTABLE))
def test_every_technique_exports(name: str, tmp_path: Path) -> None:
    folder = exported(name, tmp_path / "out")  # and compared with torch, or nothing would be written
    assert Drawing(folder).draw(["a red heart"], [7]).shape[0] == 1


@pytest.mark.slow
def test_the_masked_prior_of_the_transformer_exports(tmp_path: Path) -> None:
    assert Drawing(exported("transformer", tmp_path / "out", prior="masked")).record.noise[0].kind == "uniform"


def test_the_techniques_that_do_not_export_say_why() -> None:
    from t2i.create import create_model
    from t2i_diffusers.lora.generator import DiffusersLoRA

    with pytest.raises(InvalidInputError, match="one after the other"):
        transformer = create_model("transformer", text_dim=8)
        generator_graph(transformer, transformer.options())
    assert "scheduler" in str(DiffusersLoRA.not_one_graph.fget(None))  # type: ignore[attr-defined]
