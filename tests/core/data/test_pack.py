"""Packs: complete or refused, resumed after a kill, and used only for their resolution and their encoder."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import t2i
from fakes.models import FakeTextEncoder
from t2i.data.dataset import CaptionedDataset, Example
from t2i.data.pack import features, pack, partial_folder
from t2i.data.pack.dataset import PackedDataset
from t2i.data.pack.features import encode_captions, features_name, open_features
from t2i.data.pack.pack import open_pack, write_pack
from t2i.data.pack.partial_folder import alone, scratch_of
from t2i.data.pack.store import FORMAT, Ragged, Texts, starts_of
from t2i.data.prepare import own_features, prepare
from t2i.errors import DataError, OutputError
from t2i.testing.datasets import DatasetSuite

pytestmark = pytest.mark.usefixtures("t2i_cache")


class Numbers(CaptionedDataset):
    """`count` pictures of one grey each, every third one broken; counts its calls."""

    def __init__(self, count: int = 20, stop_at: int | None = None) -> None:
        self.count, self.stop_at, self.asked = count, stop_at, []

    @property
    def name(self) -> str:
        return "numbers"

    @property
    def license(self) -> str:
        return "CC0-1.0"

    @property
    def examples(self) -> Sequence[Example]:
        return [Example(f"{n}.png", (f"number {n}", "a number"), f"of {n % 4}", 1 + n % 2) for n in range(self.count)]

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        self.asked.append(index)
        if index == self.stop_at:
            raise KeyboardInterrupt
        if index % 3 == 2:
            raise DataError("every third is broken")
        note = "was grey" if index % 5 == 0 else ""
        return Image.new("RGB", (resolution, resolution), (index, index, index)), note


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(pack, "CHUNK", 4)
    monkeypatch.setattr(features, "CHUNK", 4)


class TestPackedDataset(DatasetSuite):
    @pytest.fixture
    def splits(self, tmp_path):
        for count in (12, 15):
            write_pack(Numbers(count), tmp_path / str(count), 16)
        opened = {count: PackedDataset(open_pack(tmp_path / str(count))) for count in (12, 15)}
        return {"twelve": lambda: opened[12], "fifteen": lambda: opened[15]}

    def test_splits_are_distinguished(self, splits):  # instead of the suite's check of this name
        # the names are equal, because a pack has its source's name
        assert splits["twelve"]().fingerprint != splits["fifteen"]().fingerprint


def test_a_pack_is_its_dataset(tmp_path):
    numbers = Numbers()
    packed = PackedDataset(write_pack(numbers, tmp_path / "pack", 8))
    kept = [index for index in range(20) if index % 3 != 2]
    assert list(packed.examples) == [numbers.examples[index] for index in kept]
    assert packed.pack.images[:, :, 0, 0].tolist() == [[index] * 3 for index in kept]
    assert (packed.name, packed.license, packed.pack.resolution) == ("numbers", "CC0-1.0", 8)
    assert [problem.where for problem in packed.problems if problem.skipped] == [f"{n}.png" for n in range(2, 20, 3)]
    assert {p.where for p in packed.problems if not p.skipped} == {"0.png", "10.png", "15.png"}
    assert [np.asarray(packed.picture(index, 8)[0])[0, 0, 0] for index in range(14)] == kept


def test_training_reads_the_pack_without_copying(tmp_path):
    numbers, encoder = Numbers(), FakeTextEncoder()
    write_pack(numbers, tmp_path / "pack", 8)
    direct, packed = (prepare(data, 8, encoder) for data in (numbers, t2i.load_dataset(str(tmp_path / "pack"))))
    assert torch.equal(direct.images, packed.images)
    assert list(direct.caption_texts) == list(packed.caption_texts)
    assert list(direct.captions_of) == list(packed.captions_of)
    assert (direct.groups == packed.groups).all()
    assert direct.problems == packed.problems
    assert (direct.name, direct.license) == (packed.name, packed.license)


def test_pictures_are_memory_mapped(tmp_path):
    write_pack(Numbers(), tmp_path / "pack", 8)
    opened = open_pack(tmp_path / "pack")
    assert isinstance(opened.images, np.memmap) and opened.images.filename == tmp_path / "pack" / "images.bin"
    data = prepare(PackedDataset(opened), 8, FakeTextEncoder())
    assert data.images.data_ptr() == opened.images.ctypes.data


def test_another_resolution_is_refused(tmp_path):
    write_pack(Numbers(), tmp_path / "pack", 8)
    with pytest.raises(DataError, match=r"Expected pictures of 16 px, but .* 8 px. Pack the data again with --res"):
        prepare(t2i.load_dataset(str(tmp_path / "pack")), 16, FakeTextEncoder())


def test_captions_are_encoded_again_for_another_encoder_and_the_pack_is_unchanged(tmp_path):
    packed = write_pack(Numbers(), tmp_path / "pack", 8)
    first, other = FakeTextEncoder(sha256="1" * 64), FakeTextEncoder(sha256="2" * 64, dim=12)
    encode_captions(packed.captions, first, own_features(packed, first))
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "pack").rglob("*"))
    again = FakeTextEncoder(sha256="1" * 64)
    assert prepare(PackedDataset(packed), 8, again).captions.sentence.shape[1] == 8
    assert again.encoded == []
    assert prepare(PackedDataset(packed), 8, other).captions.sentence.shape[1] == 12
    assert len(other.encoded) == len(packed.captions)
    assert sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "pack").rglob("*")) == before


def test_features_of_another_encoder_or_other_captions_are_refused(tmp_path):
    first, other = FakeTextEncoder(sha256="1" * 64), FakeTextEncoder(sha256="2" * 64)
    encode_captions(["a", "b"], first, tmp_path / "f")
    assert len(open_features(tmp_path / "f", first.identity, ["a", "b"]).sentence) == 2
    with pytest.raises(DataError, match="holds features of the encoder"):
        open_features(tmp_path / "f", other.identity, ["a", "b"])
    with pytest.raises(DataError, match="of other captions"):
        open_features(tmp_path / "f", first.identity, ["b", "a"])
    assert features_name(first.identity) != features_name(other.identity)


# --- interrupted ---------------------------------------------------------------------------------------------------


def same_files(one: Path, other: Path) -> bool:
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    return names == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )


@pytest.mark.parametrize("stop_at", [0, 3, 9, 19])
def test_interrupted_packing_continues_after_the_last_complete_chunk(tmp_path, small_chunks, stop_at):
    write_pack(Numbers(), tmp_path / "whole", 8)
    with pytest.raises(KeyboardInterrupt):
        write_pack(Numbers(stop_at=stop_at), tmp_path / "pack", 8)
    assert not (tmp_path / "pack").exists()
    rest = Numbers()
    write_pack(rest, tmp_path / "pack", 8)
    assert sorted(rest.asked) == list(range(stop_at - stop_at % 4, 20))
    assert same_files(tmp_path / "whole", tmp_path / "pack")
    assert not scratch_of(tmp_path / "pack").exists()


@pytest.mark.parametrize("cut", [1, 5, 40, 100_000])
def test_data_beyond_the_journal_is_truncated(tmp_path, small_chunks, cut):
    write_pack(Numbers(), tmp_path / "whole", 8)
    with pytest.raises(KeyboardInterrupt):
        write_pack(Numbers(stop_at=13), tmp_path / "pack", 8)
    scratch = scratch_of(tmp_path / "pack")
    for path in (scratch / "images.bin", scratch / "looks.bin"):
        with path.open("ab") as file:
            file.write(b"junk" * 50)
    journal = scratch / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-cut])
    write_pack(Numbers(), tmp_path / "pack", 8)
    assert same_files(tmp_path / "whole", tmp_path / "pack")


def test_files_shorter_than_the_journal_says_are_discarded(tmp_path, small_chunks):
    write_pack(Numbers(), tmp_path / "whole", 8)
    with pytest.raises(KeyboardInterrupt):
        write_pack(Numbers(stop_at=13), tmp_path / "pack", 8)
    os.truncate(scratch_of(tmp_path / "pack") / "images.bin", 10)
    write_pack(Numbers(), tmp_path / "pack", 8)
    assert same_files(tmp_path / "whole", tmp_path / "pack")


def test_unfinished_files_of_other_data_are_not_used(tmp_path, small_chunks):
    with pytest.raises(KeyboardInterrupt):
        write_pack(Numbers(stop_at=13), tmp_path / "pack", 8)
    other = Numbers(19)
    write_pack(other, tmp_path / "pack", 8)
    assert len(set(other.asked)) == 19


def test_interrupted_encoding_continues_too(tmp_path, small_chunks):
    texts = [f"caption {number}" for number in range(11)]
    encode_captions(texts, FakeTextEncoder(), tmp_path / "whole")

    class Stops(FakeTextEncoder):
        def encode(self, captions):
            if "caption 9" in captions:
                raise KeyboardInterrupt
            return super().encode(captions)

    with pytest.raises(KeyboardInterrupt):
        encode_captions(texts, Stops(), tmp_path / "f")
    rest = FakeTextEncoder()
    encode_captions(texts, rest, tmp_path / "f")
    assert sorted(rest.encoded) == sorted(texts[8:])
    assert same_files(tmp_path / "whole", tmp_path / "f")


KILLED = """
import os, signal, sys
from pathlib import Path
from PIL import Image
from t2i.data.pack import pack
from t2i.data.readers.folder import read_folder
pack.CHUNK = 4
real, done = pack.decode, []
def decode(*arguments):
    done.append(1)
    if len(done) == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)
pack.decode = decode
pack.write_pack(read_folder(sys.argv[1]), Path(sys.argv[2]), 8)
"""


def test_after_kill_9_there_is_no_pack_and_the_next_call_completes_it(tmp_path, small_chunks):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(14):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(folder / f"{number:02}.png")
        (folder / f"{number:02}.txt").write_text(f"number {number}")
    result = subprocess.run([sys.executable, "-c", KILLED, folder, tmp_path / "pack"], capture_output=True)
    assert result.returncode == -signal.SIGKILL, result.stderr.decode()
    assert not (tmp_path / "pack").exists()
    assert scratch_of(tmp_path / "pack").is_dir()
    dataset = t2i.load_dataset(str(folder))
    write_pack(dataset, tmp_path / "pack", 8)
    write_pack(dataset, tmp_path / "whole", 8)
    assert same_files(tmp_path / "whole", tmp_path / "pack")


def test_two_concurrent_calls_make_one_pack(tmp_path, small_chunks):
    datasets = [Numbers(), Numbers()]
    threads = [threading.Thread(target=write_pack, args=(data, tmp_path / "pack", 8)) for data in datasets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(data.asked) for data in datasets) == [0, 20]
    assert len(open_pack(tmp_path / "pack").ids) == 14


# --- refused -------------------------------------------------------------------------------------------------------


def test_a_complete_pack_is_reused_and_other_folders_are_never_overwritten(tmp_path):
    write_pack(Numbers(), tmp_path / "pack", 8)
    again = Numbers()
    write_pack(again, tmp_path / "pack", 8)
    assert again.asked == []
    for data, resolution in ((Numbers(19), 8), (Numbers(), 9)):
        with pytest.raises(OutputError, match="already exists and is not this pack"):
            write_pack(data, tmp_path / "pack", resolution)
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputError, match="mine already exists"):
        write_pack(Numbers(), tmp_path / "mine", 8)


def test_strict_leaves_no_pack(tmp_path):
    with pytest.raises(DataError, match="numbers must have no problems, but has 9"):
        write_pack(Numbers(), tmp_path / "pack", 8, strict=True)
    assert not (tmp_path / "pack").exists()
    write_pack(Numbers(), tmp_path / "pack", 8)
    with pytest.raises(DataError, match="must have no problems"):
        write_pack(Numbers(), tmp_path / "pack", 8, strict=True)


FILES = ("pack.json", "images.bin", "looks.bin", "groups.bin", "captions.bin", "caption_starts.bin", "ids.bin")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["flip", "cut", "longer", "gone"])
def test_a_damaged_pack_is_refused_with_the_file_name(tmp_path, file, damage):
    write_pack(Numbers(), tmp_path / "pack", 8)
    path = tmp_path / "pack" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    changed = {"flip": content, "cut": content[:-1], "longer": content + b"\0"}.get(damage)
    path.unlink()
    if changed is not None:
        path.write_bytes(changed)
    if (file, damage) == ("pack.json", "longer"):
        path.write_bytes(b"[" + bytes(changed))
    with pytest.raises(DataError, match=rf"{file}"):
        t2i.load_dataset(f"pack:{tmp_path / 'pack'}")


def test_a_pack_of_another_format_says_so(tmp_path):
    write_pack(Numbers(), tmp_path / "pack", 8)
    manifest = tmp_path / "pack" / "pack.json"
    manifest.write_text(manifest.read_text().replace(f'"format": {FORMAT}', '"format": 99'))
    with pytest.raises(DataError, match=rf"pack.json has format 99, but this version reads format {FORMAT}"):
        open_pack(tmp_path / "pack")


def test_damaged_features_in_a_pack_are_refused_not_silently_regenerated(tmp_path):
    packed, encoder = write_pack(Numbers(), tmp_path / "pack", 8), FakeTextEncoder()
    encode_captions(packed.captions, encoder, own_features(packed, encoder))
    words = own_features(packed, encoder) / "words.bin"
    words.write_bytes(words.read_bytes()[:-2] + b"\0\0")
    with pytest.raises(
        DataError, match=r"words.bin is damaged: its sha256 does not match the recorded one. Nothing was read"
    ):
        prepare(PackedDataset(packed), 8, encoder)


def test_packing_onto_a_damaged_pack_says_what_to_do(tmp_path):
    write_pack(Numbers(), tmp_path / "pack", 8)
    images = tmp_path / "pack" / "images.bin"
    images.write_bytes(images.read_bytes()[:-1])
    with pytest.raises(DataError, match=rf"images.bin is damaged: .*\. Remove {tmp_path / 'pack'} and pack again"):
        write_pack(Numbers(), tmp_path / "pack", 8)


def rewritten(folder: Path, change) -> None:
    """Change a manifest and update its checksum."""
    from t2i.data.pack.store import _digest

    body = json.loads((folder / "pack.json").read_text())
    del body["sha256"]
    change(body)
    (folder / "pack.json").write_text(json.dumps({"sha256": _digest(body)} | body))


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body["arrays"].update({"../images": body["arrays"]["images"]}),
        lambda body: body["arrays"].update(images=body["arrays"]["images"] | {"dtype": "object"}),
        lambda body: body["arrays"].update(images=body["arrays"]["images"] | {"shape": [14, 3, 8, -8]}),
        lambda body: body["arrays"].update(images=body["arrays"]["images"] | {"shape": [14, 3, 16, 4]}),
        lambda body: body["arrays"].update(images=body["arrays"]["images"] | {"shape": [7, 6, 8, 8]}),
        lambda body: body["arrays"].update(groups=body["arrays"]["caption_numbers"]),
        lambda body: body["arrays"].pop("looks"),
        lambda body: body["facts"].pop("name"),
        lambda body: body.update(arrays=[]),
    ],
)
def test_an_inconsistent_pack_with_a_valid_checksum_is_refused(tmp_path, change):
    write_pack(Numbers(), tmp_path / "pack", 8)
    rewritten(tmp_path / "pack", change)
    with pytest.raises(DataError):
        open_pack(tmp_path / "pack")


@given(st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_other_manifest_is_refused_in_one_sentence(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("pack")
    (folder / "pack.json").write_bytes(content)
    with pytest.raises(DataError, match=r"pack.json"):
        open_pack(folder)


@pytest.mark.parametrize(
    ("kind", "reason"), [("FIFO", "not a regular file"), ("zeros", "not a regular file"), ("10 GB", "larger than")]
)
def test_a_manifest_can_neither_hang_nor_fill_the_memory(tmp_path, kind, reason):
    packed, encoder = write_pack(Numbers(), tmp_path / "pack", 8), FakeTextEncoder()
    encode_captions(packed.captions, encoder, own_features(packed, encoder))
    for manifest, opened in (
        (own_features(packed, encoder) / "text.json", lambda: prepare(PackedDataset(packed), 8, encoder)),
        (tmp_path / "pack" / "pack.json", lambda: open_pack(tmp_path / "pack")),
    ):
        manifest.unlink()
        if kind == "FIFO":
            os.mkfifo(manifest)
        elif kind == "zeros":
            manifest.symlink_to("/dev/zero")
        else:
            manifest.touch()
            os.truncate(manifest, 10 * 2**30)
        with pytest.raises(DataError, match=rf"{manifest.name} is damaged or not a manifest .*{reason}"):
            opened()


def test_a_pickle_is_never_read(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path(tmp_path / "exploded").touch, ())

    write_pack(Numbers(), tmp_path / "pack", 8)
    (tmp_path / "pack" / "looks.bin").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"looks.bin"):
        open_pack(tmp_path / "pack")
    assert not (tmp_path / "exploded").exists()


def test_a_copied_pack_is_the_same_pack(tmp_path):
    write_pack(Numbers(), tmp_path / "pack", 8)
    shutil.copytree(tmp_path / "pack", tmp_path / "elsewhere")
    assert open_pack(tmp_path / "elsewhere").sha256 == open_pack(tmp_path / "pack").sha256


# --- rows ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), min_size=1, max_size=6), st.data())
@settings(max_examples=50, deadline=None)
def test_ragged_rows_round_trip(rows, data):
    ragged = Ragged.of(rows)
    assert list(ragged) == rows
    assert ragged[-1] == rows[-1] and ragged[1:] == rows[1:]
    picks = data.draw(st.lists(st.tuples(st.integers(0, len(rows) - 1), st.floats(0, 0.999)), min_size=1))
    got = ragged.pick(np.array([row for row, _ in picks]), np.array([chance for _, chance in picks]))
    assert got.tolist() == [rows[row][int(chance * len(rows[row]))] for row, chance in picks]


@given(st.lists(st.text(max_size=6), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_texts_round_trip(texts):
    content = [text.encode() for text in texts]
    stored = Texts(np.frombuffer(b"".join(content), np.uint8), starts_of([len(each) for each in content]))
    assert list(stored) == texts
    assert stored[-1] == texts[-1] and stored[1:] == texts[1:]


def test_whoever_waits_for_another_process_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_folder, "PATIENCE", 0.01)
    said: list[str | int] = []
    twice = threading.Event()

    @contextmanager
    def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(steps: int) -> None:
            said.append(steps)
            if said.count(0) == 2:
                twice.set()

        said.append(title)
        yield advance

    def wait() -> None:
        with alone(tmp_path / "folder", progress):
            said.append("alone")

    with alone(tmp_path / "folder", progress):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert twice.wait(60)
        assert "alone" not in said
    waiting.join(60)
    assert said[:3] == ["Waiting for another process, which prepares the same data", 0, 0]
    assert said[-2:] == [1, "alone"]
