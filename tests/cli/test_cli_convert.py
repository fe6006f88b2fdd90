"""`t2i convert`: a checkpoint of other code becomes a snapshot, and anything else is a one-line error."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fakes.command_line import T2I
from fakes.official_stackgan import StageOne, StageTwo, Tree, with_batch_statistics
from t2i.drawing.pipeline import pipeline
from t2i.errors import EncoderMismatchError
from t2i.noise import Noise
from t2i.publishing.pretrained import from_pretrained
from t2i.snapshots.golden import golden_error
from t2i.snapshots.load import load_generator
from t2i.snapshots.resolve import resolve
from t2i.text import TextEmbedding

TEXT = 24
MAKE: dict[str, Callable[[], nn.Module]] = {
    "stage-one": lambda: StageOne(TEXT, c=8, z=10, gf=8),
    "stage-two": lambda: StageTwo(TEXT, c=8, z=10, gf=8, blocks=1),
    "tree": lambda: Tree(TEXT, c=8, z=10, gf=8, blocks=1, scales=2),
}
TECHNIQUE = {"stage-one": "stackgan", "stage-two": "stackgan", "tree": "stackgan-v2"}


def official(name: str) -> nn.Module:
    torch.manual_seed(0)
    return with_batch_statistics(MAKE[name]())


@pytest.mark.parametrize("name", MAKE)
def test_the_command_makes_a_snapshot_that_records_its_source(name: str, tmp_path: Path, t2i: T2I) -> None:
    path, out = tmp_path / "netG.pth", tmp_path / "snapshot"
    torch.save(official(name).state_dict(), path)
    result = t2i("convert", TECHNIQUE[name], path, "--out", out)
    assert result.code == 0 and "char-CNN-RNN" in result.err
    snapshot = resolve(str(out))
    facts = snapshot.config.facts
    assert facts.text_encoder is not None and (facts.text_encoder.name, facts.text_encoder.dim) == (
        "char-cnn-rnn",
        TEXT,
    )
    assert facts.source.startswith("netG.pth, sha256 ") and facts.command.startswith("t2i convert")
    assert "converted from" in (out / "README.md").read_text()
    generator = load_generator(snapshot)
    assert golden_error(snapshot, generator) == 0
    error = t2i("generate", "a bird", "--model", out, "-o", tmp_path / "x.png").error
    assert "'char-cnn-rnn'" in error and "of_sentences" in error and not (tmp_path / "x.png").exists()
    with pytest.raises(EncoderMismatchError, match="not installed"):
        pipeline(str(out))
    loaded = from_pretrained(str(out))
    images = loaded.generate(TextEmbedding.of_sentences(torch.randn(2, TEXT)), Noise([7, 8]), loaded.options())
    assert images.shape == (2, 3, generator.resolution, generator.resolution)


class Boom:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path("/tmp").joinpath("t2i-boom").write_text, ("boom",))


def huge() -> dict[str, Tensor]:
    """A few bytes whose header claims a terabyte."""
    return {"ca_net.fc.weight": torch.zeros(1).expand(10**6, 10**6)}


def implied() -> dict[str, Tensor]:
    """Small tensors whose shapes imply a network of terabytes."""
    wide = {f"upsample{n}.1.weight": torch.zeros(50_000, 1, 1, 1) for n in range(1, 5)}
    wide |= {f"h_net1.{name}": tensor for name, tensor in wide.items()}
    starts = {"fc.0.weight": torch.zeros(32, 9), "h_net1.fc.0.weight": torch.zeros(32, 9)}
    return wide | starts | {"ca_net.fc.weight": torch.zeros(8, 4)}


BAD: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"\x80\x04 no tensors at all"),
    "text": lambda path: path.write_text("not a checkpoint\n" * 50),
    "pickled-code": lambda path: path.write_bytes(pickle.dumps(Boom())),
    "code-in-torchs-format": lambda path: torch.save({"a": Boom()}, path),
    "a-whole-module": lambda path: torch.save(nn.Linear(2, 2), path),
    "a-list": lambda path: torch.save([torch.zeros(3)], path),
    "numbers": lambda path: torch.save({"epoch": 3}, path),
    "nested": lambda path: torch.save({"state_dict": {"a": torch.zeros(2)}}, path),
    "nothing": lambda path: torch.save({}, path),
    "sparse": lambda path: torch.save({"a": torch.eye(3).to_sparse()}, path),
    "infinite": lambda path: torch.save({"ca_net.fc.weight": torch.full((4, 4), float("inf"))}, path),
    "huge": lambda path: torch.save(huge(), path),
    "claims-a-huge-network": lambda path: torch.save(implied(), path),
    "another-network": lambda path: torch.save(nn.Linear(3, 3).state_dict(), path),
    "a-discriminator": lambda path: torch.save({"img_code_s16.0.weight": torch.zeros(4, 3, 4, 4)}, path),
    "scalars": lambda path: torch.save({"ca_net.fc.weight": torch.tensor(1.0)}, path),
    "a-folder": lambda path: path.mkdir(),
    "missing": lambda path: None,
}


@pytest.mark.parametrize("bad", BAD)
def test_a_file_that_is_not_a_checkpoint_is_a_one_line_error_and_writes_nothing(
    bad: str, tmp_path: Path, t2i: T2I
) -> None:
    path, out = tmp_path / "netG.pth", tmp_path / "snapshot"
    BAD[bad](path)
    for technique in ("stackgan", "stackgan-v2"):
        assert "netG" in t2i("convert", technique, path, "--out", out).error
    assert not out.exists() and not Path("/tmp/t2i-boom").exists()


def test_a_pickled_module_is_refused_with_a_fix(tmp_path: Path, t2i: T2I) -> None:
    """The error is a sentence of t2i, not torch's advice to load it anyway."""
    path = tmp_path / "netG.pth"
    torch.save(official("tree"), path)
    message = t2i("convert", "stackgan-v2", path, "--out", tmp_path / "out").error
    assert "contains a Python object, fakes.official_stackgan.Tree: probably a pickled module" in message
    assert "torch.save(network.state_dict(), PATH)" in message and "can still be loaded" not in message


def test_a_truncated_checkpoint_is_refused(tmp_path: Path, t2i: T2I) -> None:
    path = tmp_path / "netG.pth"
    torch.save(official("tree").state_dict(), path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "netG.pth" in t2i("convert", "stackgan-v2", path, "--out", tmp_path / "out").error


def test_techniques_without_a_converter_and_existing_folders_are_refused(tmp_path: Path, t2i: T2I) -> None:
    path = tmp_path / "netG.pth"
    torch.save(official("tree").state_dict(), path)
    assert "stackgan, stackgan-v2" in t2i("convert", "cgan", path, "--out", tmp_path / "out").error
    assert "Did you mean" in t2i("convert", "stackgan-2", path, "--out", tmp_path / "out").error
    assert "already exists" in t2i("convert", "stackgan-v2", path, "--out", tmp_path).error
    assert "netG" in t2i("convert", "stackgan", path, "--out", tmp_path / "out").error  # v2's, given as v1's
