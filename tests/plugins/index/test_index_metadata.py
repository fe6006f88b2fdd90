"""Metadata of four programs is read; a malicious picture is ignored or refused with one sentence."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from t2i.drawing.picture import Picture
from t2i.drawing.provenance import ArtistIdentity, Provenance, Widened
from t2i.errors import DataError
from t2i.files import sha256_of
from t2i_index.adding import add_folder
from t2i_index.filters import Filters
from t2i_index.metadata.read import read_picture, understand
from t2i_index.record import Entry, Record
from t2i_index.sqlite_store import SQLiteStore

A1111 = (
    "a castle, (masterpiece:1.2)\nat dusk\nNegative prompt: blurry, lowres\n"
    'Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x512, Model hash: abc, Model: dream, Note: "a, b"'
)
INVOKE = {"positive_prompt": "a castle", "negative_prompt": "x", "seed": 5, "model": {"name": "sdxl"}, "steps": 30}
OLD_INVOKE = {"model_weights": "sd-1.5", "image": {"prompt": [{"prompt": "a castle", "weight": 1}], "seed": 6}}
COMFY = {
    "3": {
        "class_type": "KSampler",
        "inputs": {"seed": 2**63 + 5, "steps": 8, "positive": ["10", 0], "negative": ["7", 0], "model": ["4", 0]},
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dream.safetensors"}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a castle", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry and very long negative text", "clip": ["4", 1]}},
    "10": {"class_type": "ControlNetApply", "inputs": {"conditioning": ["6", 0], "image": ["10", 0]}},
}
FLUX = {
    "25": {"class_type": "RandomNoise", "inputs": {"noise_seed": 77}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a castle"}},
    "12": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux1"}},
}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"parameters": A1111}, ("a1111", "a castle, (masterpiece:1.2)\nat dusk", "dream", 1234)),
        ({"parameters": "a castle"}, ("a1111", "a castle", "", None)),
        ({"parameters": "Steps: 20, Seed: 1"}, None),
        ({"invokeai_metadata": json.dumps(INVOKE)}, ("invokeai", "a castle", "sdxl", 5)),
        ({"sd-metadata": json.dumps(OLD_INVOKE)}, ("invokeai", "a castle", "sd-1.5", 6)),
        ({"prompt": json.dumps(COMFY)}, ("comfyui", "a castle", "dream.safetensors", None)),
        ({"prompt": json.dumps(FLUX)}, ("comfyui", "a castle", "flux1", 77)),
        ({"prompt": "a plain text"}, None),
        ({"Comment": "hello"}, None),
    ],
)
def test_each_programs_metadata_is_read(texts: dict[str, str], expected: tuple[object, ...] | None):
    found = understand(texts)
    assert (found and (found.source, found.prompt, found.model, found.seed)) == expected


def test_settings_are_read():
    found = understand({"parameters": A1111})
    assert found is not None
    assert found.options["cfg scale"] == "7" and found.options["negative prompt"] == "blurry, lowres"
    assert found.options["note"] == "a, b" and "seed" not in found.options


def png(**texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "red").save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def jpeg(parameters: str) -> bytes:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + parameters.encode("utf-16-be")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def ours(folder: Path) -> Path:
    artist = ArtistIdentity("cgan.world64", "", {"model.safetensors": "0" * 64}, {}, "cpu", {})
    widened = Widened("cabin", "smollm2", "1" * 64, 3)
    return Picture(Image.new("RGB", (8, 8)), Provenance("a cosy cabin", 7, {"truncation": 1.0}, artist, widened)).save(
        folder / "ours.png"
    )


def test_a_folder_of_all_four_and_texts_is_added_once(tmp_path: Path, store: SQLiteStore):
    folder = tmp_path / "old"
    (folder / "deep" / "er").mkdir(parents=True)
    ours(folder)
    (folder / "a.png").write_bytes(png(parameters=A1111))
    (folder / "b.JPG").write_bytes(jpeg(A1111))
    (folder / "deep" / "c.png").write_bytes(png(invokeai_metadata=json.dumps(INVOKE)))
    (folder / "deep" / "er" / "d.png").write_bytes(png(prompt=json.dumps(COMFY)))
    (folder / "plain.png").write_bytes(png())
    (folder / "broken.png").write_bytes(png()[:100])
    (folder / "prompts.txt").write_text("\ufeffa red heart\n\n  a blue\u2028heart \na red heart\n", encoding="utf-8")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    warned: list[str] = []
    added = add_folder(store, folder, "run", warn=warned.append)
    assert dict(added.new) == {"t2i": 1, "a1111": 2, "invokeai": 1, "comfyui": 1, "file": 2}
    assert (added.known, added.unknown, added.unreadable) == (0, 1, 2) and len(warned) == 2
    assert add_folder(store, folder, "run").known == 7
    (record,) = store.records(store.by_words("cabin NOT castle", Filters(), 9))
    assert (record.typed, record.seed, record.options, record.model) == (
        "cabin",
        7,
        {"truncation": 1.0},
        "cgan.world64",
    )
    assert len(store.by_words("castle", Filters(), 9)) == 4
    ids = store.by_words("castle dusk", Filters(), 9)
    with Image.open(io.BytesIO(store.thumbnails(ids)[ids[0]])) as small:
        assert max(small.size) <= 128


def test_a_text_beside_a_picture_is_its_caption_and_known_if_a_model_wrote_it(tmp_path: Path, store: SQLiteStore):
    for name in ("a.png", "b.JPG"):
        (tmp_path / name).write_bytes(png())
    (tmp_path / "a.txt").write_text("two red hearts\n")
    (tmp_path / "b.txt").write_text("a castle\na red heart\n")
    (tmp_path / "c.txt").write_text("two red hearts\n")
    described = Record("text", "", "two red hearts", model="blip", path=str(tmp_path / "a.png"))
    store.add([Entry(replace(described, sha256=sha256_of(tmp_path / "a.png")))])
    added = add_folder(store, tmp_path, "run")
    assert (dict(added.new), added.known) == ({"file": 3}, 1)
    found = store.records(store.by_words("heart OR castle", Filters(), 9))
    assert sorted((Path(record.path).name, record.text, bool(record.sha256)) for record in found) == [
        ("a.png", "two red hearts", True),
        ("b.JPG", "a castle", True),
        ("b.JPG", "a red heart", True),
        ("c.txt", "two red hearts", False),
    ]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(kind: bytes, data: bytes) -> bytes:
    whole = png()
    return whole[:33] + chunk(kind, data) + whole[33:]


HOSTILE: dict[str, Callable[[], bytes]] = {
    "a text that unpacks to a gigabyte": lambda: with_chunk(
        b"zTXt", b"parameters\0\0" + zlib.compress(b"\0" * 2**26, 9)
    ),
    "a picture of 60,000 pixels a side": lambda: png()[:16] + struct.pack(">II", 60_000, 60_000) + png()[24:],
    "a wrong checksum": lambda: png()[:40] + b"\xff" + png()[41:],
    "no picture": lambda: b"\x89PNG\r\n\x1a\n",
    "another format": lambda: jpeg("x"),
    "empty": lambda: b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_malicious_picture_is_refused_with_one_sentence(tmp_path: Path, name: str):
    path = tmp_path / "x.png"
    path.write_bytes(HOSTILE[name]())
    with pytest.raises(DataError, match="it "):
        read_picture(path, "run")


def test_a_pipe_is_not_read(tmp_path: Path):
    import os

    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(DataError, match="it cannot be read"):
        read_picture(tmp_path / "x.png", "run")


DEEP = "[" * 100_000 + "]" * 100_000
JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["3", "6", "10"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["3", "6", "inputs", "positive", "text", "seed", "image", "prompt", "model", "class_type"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(JSON, st.sampled_from(["prompt", "invokeai_metadata", "sd-metadata", "t2i"]))
def test_any_json_is_read_or_ignored(value: object, key: str):
    found = understand({key: json.dumps(value)})
    if found is not None:
        assert isinstance(found.prompt, str) and found.prompt.strip()
        assert found.seed is None or 0 <= found.seed < 2**63
        json.dumps(found.options)


@pytest.mark.parametrize("key", ["prompt", "invokeai_metadata", "sd-metadata", "t2i"])
@pytest.mark.parametrize("text", [DEEP, '{"a":' * 50_000, "{" + '"a":1,' * 10, "NaN", "9" * 10_000, "\ud800"])
def test_broken_json_is_ignored(key: str, text: str):
    assert understand({key: text}) is None


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.sampled_from('Steps: 20,Seed"\\Negative prompt:\n'), max_size=300))
def test_any_parameters_are_read_or_ignored(text: str):
    understand({"parameters": text})


def test_long_parameters_are_read_quickly():
    understand({"parameters": "a\nSteps: 1, " + "A" * 50_000 + '"' * 50_000})
