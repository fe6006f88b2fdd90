"""A PNG records how it was made, and equal pictures give equal files."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import pickle
import struct
import subprocess
import zlib
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from t2i.drawing.provenance import CHUNK, ArtistIdentity, Provenance, png_bytes, read_provenance, signed
from t2i.errors import InvalidInputError
from t2i.seeds import MAX_SEED

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8))
ARTIST = ArtistIdentity(
    name="cgan.world64",
    revision="",
    weights={"model.safetensors": "a" * 64},
    text_encoders={"minilm": "b" * 64},
    device="cpu",
    versions={"torch": "2.8", "t2i-core": "0.1.0"},
)
MADE = Provenance('a "red" heart ❤️\n日本', 7, {"truncation": 0.7, "steps": [1, 2]}, ARTIST)


def written(made: Provenance) -> bytes:
    return png_bytes(signed(PICTURE, made))


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
OPTIONS = st.dictionaries(TEXTS, st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS, max_size=3)


@given(prompt=TEXTS, seed=st.integers(0, MAX_SEED), options=OPTIONS)
@settings(max_examples=40, deadline=None)
def test_everything_written_is_read_again(tmp_path_factory, prompt, seed, options):
    made = replace(MADE, prompt=prompt, seed=seed, options=options)
    path = tmp_path_factory.mktemp("png") / "x.png"
    path.write_bytes(written(made))
    assert asdict(read_provenance(path)) == asdict(made)


def test_equal_pictures_with_equal_provenance_are_equal_bytes():
    artist = replace(ARTIST, versions=dict(reversed(ARTIST.versions.items())))
    again = replace(MADE, options=dict(reversed(MADE.options.items())), artist=artist)
    assert png_bytes(signed(PICTURE.copy(), again)) == written(MADE)


@pytest.mark.parametrize(
    "change", [{"seed": 8}, {"prompt": "x"}, {"options": {}}, {"artist": replace(ARTIST, device="cuda")}]
)
def test_another_provenance_changes_the_bytes_but_not_the_pixels(change):
    plain, changed = written(MADE), written(replace(MADE, **change))
    assert plain != changed
    assert Image.open(io.BytesIO(changed)).tobytes() == PICTURE.tobytes()


def test_any_png_reader_finds_the_prompt_in_the_standard_chunks(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(written(MADE))
    with Image.open(path) as picture:
        assert picture.text["Description"] == MADE.prompt
        assert picture.text["Software"] == "t2i 0.1.0"


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_any_exif_reader_finds_the_prompt(tmp_path, image_format):
    signed(PICTURE, MADE).save(tmp_path / "x", image_format)
    with Image.open(tmp_path / "x") as picture:
        exif = picture.getexif()
    assert exif[0x010E].encode("latin-1").decode() == MADE.prompt and exif[0x0131] == "t2i 0.1.0"
    assert exif.get_ifd(0x8769)[0x9286].startswith(b"ASCII\0\0\0{")


def test_the_chunks_bytes_are_those_of_the_png_specification():
    content = written(MADE)
    start = content.index(b"iTXtt2i\x00")
    length = struct.unpack(">I", content[start - 4 : start])[0]
    chunk, checksum = content[start : start + 4 + length], content[start + 4 + length : start + 8 + length]
    assert struct.unpack(">I", checksum)[0] == zlib.crc32(chunk)
    assert json.loads(chunk.removeprefix(b"iTXtt2i\x00\x00\x00\x00\x00").decode())["seed"] == 7


def test_a_picture_without_provenance_is_an_error(tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(png_bytes(PICTURE))
    with pytest.raises(InvalidInputError, match="carries no provenance"):
        read_provenance(path)


def test_a_missing_picture_is_an_error(tmp_path):
    with pytest.raises(InvalidInputError, match="There is no picture at"):
        read_provenance(tmp_path / "x.png")


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x89PNG\r\n\x1a\n", written(MADE)[:60], written(MADE)[:-40]],
    ids=["empty", "text", "only the signature", "cut in a chunk", "cut in the pixels"],
)
def test_an_incomplete_png_is_refused(tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError, match="not a complete PNG"):
        read_provenance(path)


def test_another_picture_format_is_refused(tmp_path):
    path = tmp_path / "x.png"
    PICTURE.save(path, format="GIF")
    with pytest.raises(InvalidInputError, match="not a complete PNG, JPEG or WebP"):
        read_provenance(path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_000, 60_000])  # Pillow itself refuses the second one
def test_a_picture_that_is_too_large_is_refused_with_the_limit(tmp_path, side):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")]
    (tmp_path / "x.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks)
    )
    with pytest.raises(InvalidInputError, match=rf"at most 64 megapixels, but .*x.png has more \(.*{side}"):
        read_provenance(tmp_path / "x.png")


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(InvalidInputError, match=r"cannot be read: not a regular file\. Give a picture file"):
        read_provenance(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", '"t2i"', json.dumps({"prompt": "x"}), json.dumps({"prompt": "x"})[:-1]]
)
def test_damaged_provenance_is_refused(tmp_path, text):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(CHUNK, text)
    PICTURE.save(tmp_path / "x.png", pnginfo=chunks)
    with pytest.raises(InvalidInputError, match="is damaged"):
        read_provenance(tmp_path / "x.png")


@pytest.mark.parametrize(
    ("change", "field"),
    [({"seed": "seven"}, "seed"), ({"seed": 7.5}, "seed"), ({"prompt": None}, "prompt"), ({"options": []}, "options")],
)
def test_provenance_with_wrong_types_is_refused_and_names_the_field(tmp_path, change, field):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(CHUNK, json.dumps(asdict(MADE) | change))
    PICTURE.save(tmp_path / "x.png", pnginfo=chunks)
    with pytest.raises(InvalidInputError, match=rf"is damaged \({field}: "):
        read_provenance(tmp_path / "x.png")


def test_provenance_of_a_later_version_with_more_fields_is_read(tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(CHUNK, json.dumps(asdict(MADE) | {"sampler": "euler"}))
    PICTURE.save(tmp_path / "x.png", pnginfo=chunks)
    assert read_provenance(tmp_path / "x.png") == MADE


def test_pil_s_own_save_of_a_drawn_picture_keeps_its_provenance(tmp_path):
    for image in (
        signed(PICTURE, MADE),
        copy.deepcopy(signed(PICTURE, MADE)),
        pickle.loads(pickle.dumps(signed(PICTURE, MADE))),
    ):
        image.save(tmp_path / "x.png")
        assert read_provenance(tmp_path / "x.png") == MADE
    for name, how in (("x.jpg", {"quality": 90}), ("x.webp", {}), ("x", {"format": "jpeg"})):
        signed(PICTURE, MADE).save(tmp_path / name, **how)
        assert read_provenance(tmp_path / name) == MADE
    signed(PICTURE, MADE).save(tmp_path / "x.gif")
    with Image.open(tmp_path / "x.gif") as picture:
        assert picture.format == "GIF"


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.copy(),
        lambda image: image.convert("L"),
        lambda image: image.resize((4, 4)),
        lambda image: image.crop((0, 0, 3, 3)),
        lambda image: image.rotate(90),
    ],
)
def test_images_that_pil_derives_have_no_provenance(tmp_path, change):
    change(signed(PICTURE, MADE)).save(tmp_path / "x.png")
    with pytest.raises(InvalidInputError, match=r"Picture\.save.*PIL's save"):
        read_provenance(tmp_path / "x.png")


def test_the_hash_of_several_files_is_that_of_sha256sums_output(tmp_path):
    shards = {f"model-{number}.safetensors": bytes([number]) * 9 for number in (2, 0, 1)}
    for name, content in shards.items():
        (tmp_path / name).write_bytes(content)
    listing = subprocess.run(["sha256sum", *sorted(shards)], cwd=tmp_path, capture_output=True, check=True).stdout
    weights = {name: hashlib.sha256(content).hexdigest() for name, content in shards.items()}
    assert replace(ARTIST, weights=weights).weights_sha256 == hashlib.sha256(listing).hexdigest()
    assert ARTIST.weights_sha256 == "a" * 64
