"""Untrusted picture files: each becomes the right RGB square, or an error of half a sentence."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from t2i.data.decode import FORMATS, MAX_PIXELS, decode_picture, picture_size
from t2i.errors import DataError

RNG = np.random.default_rng(0)
PHOTO = Image.fromarray(RNG.integers(0, 256, (24, 20, 3), dtype=np.uint8))
WHITE, RED = (255, 255, 255), (255, 0, 0)


def written(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size but has no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", b""), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def decoded(folder: Path, content: bytes, name: str = "x.png", resolution: int = 8) -> tuple[Image.Image, str]:
    (folder / name).write_bytes(content)
    return decode_picture(folder / name, resolution)


def flat(picture: Image.Image) -> tuple[int, int, int]:
    """The colour of a picture of one colour."""
    [(_, colour)] = picture.getcolors()
    return colour


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".gif", ".webp", ".jpg", ".jpeg", ".JPG"])
def test_every_format_named_is_read_without_a_note(tmp_path, suffix):
    kind = FORMATS[suffix.lower()]
    options = {"lossless": True} if kind == "WEBP" else {}
    source = Image.new("L", (8, 8), 90) if kind == "GIF" else Image.new("RGB", (8, 8), (90, 90, 90))
    picture, note = decoded(tmp_path, written(source, kind, **options), f"x{suffix}")
    assert note == ("palette converted to RGB" if kind == "GIF" and note else "")
    assert flat(picture) == (90, 90, 90)


def test_a_picture_of_the_right_size_keeps_every_pixel(tmp_path):
    square = PHOTO.crop((0, 0, 16, 16))
    picture, note = decoded(tmp_path, written(square, "PNG"), resolution=16)
    assert (picture.tobytes(), note) == (square.tobytes(), "")


@pytest.mark.parametrize(("size", "box"), [((30, 10), (10, 0, 20, 10)), ((10, 30), (0, 10, 10, 20))])
def test_the_square_is_cut_from_the_centre(tmp_path, size, box):
    source = Image.new("RGB", size, "blue")
    source.paste("red", box)
    assert flat(decoded(tmp_path, written(source, "PNG"), resolution=10)[0]) == RED


def test_shrinking_averages_instead_of_skipping_pixels(tmp_path):
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (256, 128)))
    values = np.asarray(decoded(tmp_path, written(stripes, "PNG"), resolution=8)[0]).astype(float)
    assert abs(values - 127.5).max() < 12  # every second pixel alone would be 0 or 255


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_camera_picture_is_turned_upright(tmp_path, orientation):
    square = PHOTO.crop((0, 0, 16, 16))
    turns = {  # EXIF 2.3, tag 0x0112: how the upright picture was transformed
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = square
    for turn in turns.get(orientation, []):
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture, _ = decoded(tmp_path, written(stored, "PNG", exif=exif), resolution=16)
    assert picture.tobytes() == square.tobytes()


@pytest.mark.parametrize(
    ("mode", "ink", "colour", "note"),
    [
        ("RGB", (255, 0, 0), RED, ""),
        ("L", 77, (77, 77, 77), ""),
        ("1", 1, WHITE, "mode 1 converted to RGB"),
        ("RGBA", (255, 0, 0, 255), RED, ""),
        ("RGBA", (255, 0, 0, 0), WHITE, ""),
        ("RGBA", (255, 0, 0, 51), (255, 204, 204), ""),
        ("LA", (0, 51), (204, 204, 204), "mode LA converted to RGB"),
        ("LA", (0, 0), WHITE, "mode LA converted to RGB"),
        ("I;16", 65535, WHITE, "mode I;16 converted to RGB"),
        ("I;16", 257 * 100, (100, 100, 100), "mode I;16 converted to RGB"),
    ],
)
def test_each_kind_of_png_becomes_rgb_on_white(tmp_path, mode, ink, colour, note):
    picture, said = decoded(tmp_path, written(Image.new(mode, (9, 9), ink), "PNG"))
    assert picture.mode == "RGB"
    assert flat(picture) == colour
    assert said == note


def png_of(bits: int, kind: int, row: bytes, extra: tuple[bytes, bytes] | None = None) -> bytes:
    """A PNG 8 pixels wide and high of equal rows; kind 0 is grey, 2 is RGB."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 8, 8, bits, kind, 0, 0, 0)), *([extra] if extra else [])]
    chunks += [(b"IDAT", zlib.compress((b"\0" + row) * 8)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


@pytest.mark.parametrize(
    ("bits", "row", "key", "grey"),
    [
        (1, bytes([0b00001111]), 0, 255),
        (2, bytes([0b01010101, 0b10101010]), 1, 170),
        (4, bytes([0x22, 0x22, 0xAA, 0xAA]), 2, 170),
        (8, bytes([7] * 4 + [170] * 4), 7, 170),
        (16, struct.pack(">8H", *[7] * 4, *[170 * 257] * 4), 7, 170),
        (16, struct.pack(">8H", *[300] * 4, *[301] * 4), 300, 1),
    ],
)
def test_a_transparent_grey_is_compared_with_stored_samples(tmp_path, bits, row, key, grey):
    picture, _ = decoded(tmp_path, png_of(bits, 0, row, (b"tRNS", struct.pack(">H", key))))
    assert (picture.getpixel((1, 4)), picture.getpixel((6, 4))) == (WHITE, (grey,) * 3)


def test_a_transparent_16_bit_colour_is_put_on_white(tmp_path):
    row = struct.pack(">24H", *[0x1234, 0x5678, 0x9ABC] * 4, *[0xFFFF, 0, 0] * 4)
    picture, _ = decoded(tmp_path, png_of(16, 2, row, (b"tRNS", struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))))
    assert (picture.getpixel((1, 4)), picture.getpixel((6, 4))) == (WHITE, RED)


@pytest.mark.parametrize("value", [0, 100, 255, 300, 65535])
def test_16_bit_pictures_are_not_scaled_by_the_brightest_pixel(tmp_path, value):
    picture, _ = decoded(tmp_path, written(Image.fromarray(np.full((8, 8), value, np.uint16)), "PNG"))
    assert flat(picture) == (round(value / 257),) * 3


@pytest.mark.parametrize(
    ("values", "grey"),
    [
        (np.full((8, 8), 0.5, np.float32), 128),
        (np.full((8, 8), np.nan, np.float32), 0),
        (np.full((8, 8), 7.0, np.float32), 255),
        (np.full((8, 8), 32768, np.uint16), 128),
        (np.full((8, 8), 2**30, np.int32), 128),
    ],
    ids=["float", "nan", "too bright", "16 bits", "signed 32 bits"],
)
def test_tiff_is_scaled_by_its_declared_depth(tmp_path, values, grey):
    assert flat(decoded(tmp_path, written(Image.fromarray(values), "TIFF"), "x.tif")[0]) == (grey,) * 3


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        (b"P6 8 8 255\n" + bytes(RED) * 64, RED),
        (b"P5 8 8 65535\n" + struct.pack(">H", 257 * 9) * 64, (9, 9, 9)),
        (b"P2 8 8 15\n" + b"5 " * 64, (85, 85, 85)),
    ],
)
def test_portable_pixmaps_are_read(tmp_path, content, colour):
    assert flat(decoded(tmp_path, content, "x.ppm")[0]) == colour


def test_a_large_text_ppm_is_refused_because_it_takes_minutes(tmp_path):
    with pytest.raises(DataError, match="a PPM in text format or of an unusual depth"):
        decoded(tmp_path, b"P3 4000 4000 255\n1 2 3", "x.ppm")


@pytest.mark.parametrize("name", ["x.jfif", "x.JPE", "x.avif"])
def test_files_of_phones_and_browsers_are_read(tmp_path, name):
    if name.endswith("avif") and ".avif" not in FORMATS:
        pytest.skip("this Pillow reads no AVIF")
    content = written(Image.new("RGB", (8, 8), RED), "AVIF" if name.endswith("avif") else "JPEG", quality=100)
    picture, note = decoded(tmp_path, content, name)
    assert note == "" and np.abs(np.asarray(picture).astype(int) - RED).max() <= 3


def test_the_first_picture_of_several_in_a_jpeg_is_read(tmp_path):
    preview = Image.new("RGB", (4, 4), "blue")
    content = written(Image.new("RGB", (16, 16), RED), "MPO", save_all=True, append_images=[preview])
    picture, note = decoded(tmp_path, content, "DJI_1.JPG")
    assert (picture.getpixel((4, 4))[0] > 250, note) == (True, "")


def exif_of(*entries: tuple[int, int, int, bytes]) -> bytes:
    """EXIF data with these (tag, type, count, value) entries."""
    head, tail = b"II*\0" + struct.pack("<IH", 8, len(entries)), b""
    for tag, kind, count, value in entries:
        place = 8 + 2 + 12 * len(entries) + 4 + len(tail)
        head += struct.pack("<HHI", tag, kind, count)
        head += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", place)
        tail += value if len(value) > 4 else b""
    return b"Exif\0\0" + head + bytes(4) + tail


@pytest.mark.parametrize(
    "beside",
    [
        [(0x11A, 10, 1, struct.pack("<ii", -1, 0))],
        [(0x11A, 5, 1, b"")],
        [(0x9286, 7, 2**31, b"abcd")],
        [(0x13B, 2, 4, b"\xff\xfe\xfd\xfc")],
        [(0x8769, 4, 1, struct.pack("<I", 2**31))],
    ],
    ids=["negative", "cut", "too long", "no text", "a place beyond the end"],
)
def test_a_picture_is_turned_upright_despite_damaged_metadata(tmp_path, beside):
    stored = Image.new("RGB", (64, 32), "red")
    stored.paste("blue", (0, 0, 32, 32))
    content = written(stored, "JPEG", exif=exif_of((0x112, 3, 1, struct.pack("<H", 6)), *beside), quality=95)
    picture, _ = decoded(tmp_path, content, "x.jpg", 32)
    assert picture.getpixel((16, 4))[2] > 200 and picture.getpixel((16, 27))[0] > 200
    assert picture_size(content, name="x.jpg") == (32, 64)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", exif_of((0x112, 3, 1, b"\x63"))])
def test_an_invalid_orientation_is_ignored(tmp_path, exif):
    content = written(Image.new("RGB", (8, 4), RED), "JPEG", exif=exif)
    assert picture_size(content, name="x.jpg") == (8, 4)
    assert decoded(tmp_path, content, "x.jpg")[0].size == (8, 8)


def test_content_without_a_name_is_read_by_its_bytes():
    assert decode_picture(written(Image.new("RGB", (8, 8), RED), "PNG"), 8)[1] == ""


def test_16_bit_pictures_keep_their_upper_8_bits(tmp_path):
    deep = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    picture, _ = decoded(tmp_path, written(Image.fromarray(deep), "PNG"), resolution=16)
    assert np.array_equal(np.asarray(picture)[..., 0], np.round(deep / 257.0).astype(np.uint8))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
@pytest.mark.parametrize(
    ("ink", "colour"), [((0, 0, 0, 0), WHITE), ((255, 0, 0, 0), (0, 255, 255)), ((0,) * 3 + (255,), (0,) * 3)]
)
def test_cmyk_becomes_rgb(tmp_path, kind, ink, colour):
    suffix = {"JPEG": ".jpg", "TIFF": ".tif"}[kind]
    picture, note = decoded(tmp_path, written(Image.new("CMYK", (16, 16), ink), kind), f"x{suffix}")
    assert np.abs(np.asarray(picture).astype(int) - colour).max() <= 2  # JPEG rounds
    assert note == "CMYK converted to RGB"


def test_a_palette_with_a_transparent_colour_is_put_on_white(tmp_path):
    source = Image.new("P", (8, 8), 0)
    source.putpalette([0, 0, 255, 255, 0, 0])
    source.paste(1, (0, 0, 8, 4))
    picture, note = decoded(tmp_path, written(source, "PNG", transparency=0))
    assert note == "palette converted to RGB"
    assert (picture.getpixel((4, 1)), picture.getpixel((4, 6))) == (RED, WHITE)


def test_rgb_with_a_transparent_colour_is_put_on_white(tmp_path):
    source = Image.new("RGB", (8, 8), (1, 2, 3))
    picture, _ = decoded(tmp_path, written(source, "PNG", transparency=(1, 2, 3)))
    assert flat(picture) == WHITE


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", ".png"), ("PNG", ".jpg"), ("WEBP", ".gif")])
def test_a_mislabelled_picture_is_read_and_noted(tmp_path, kind, suffix):
    picture, note = decoded(tmp_path, written(Image.new("RGB", (8, 8), RED), kind, quality=100), f"x{suffix}")
    assert note == f"named {suffix} but holds {kind}"
    assert np.abs(np.asarray(picture).astype(int) - RED).max() <= 2


@pytest.mark.parametrize(("kind", "suffix"), [("GIF", ".gif"), ("PNG", ".png"), ("WEBP", ".webp"), ("TIFF", ".tif")])
def test_an_animation_is_refused(tmp_path, kind, suffix):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "green")]
    content = written(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="an animation of 3 frames"):
        decoded(tmp_path, content, f"x{suffix}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (b"a caption, mislaid", "not a readable picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a readable picture"),
        (png_header(60_000, 60_000), "60000x60000|3600000000 pixels"),
        (png_header(10_000, 10_000), "10000x10000 is more than 64 megapixels"),
        (png_header(8, 8), "not a readable picture"),
        (png_header(0, 8), "not a readable picture"),
        (written(PHOTO, "PNG")[:-500], "not a readable picture"),
        (written(PHOTO, "JPEG")[:-200], "not a readable picture"),
        (written(PHOTO, "GIF")[:60], "not a readable picture"),
    ],
    ids=["empty", "text", "svg", "bomb", "too large", "header only", "no width", "cut png", "cut jpeg", "cut gif"],
)
def test_an_unusable_picture_is_an_error_with_the_reason(tmp_path, content, says):
    with pytest.raises(DataError, match=says) as caught:
        decoded(tmp_path, content)
    assert str(tmp_path) not in str(caught.value)


def test_a_picture_of_the_largest_allowed_size_is_not_refused_for_its_size(tmp_path):
    side = int(MAX_PIXELS**0.5)
    with pytest.raises(DataError, match="not a readable picture"):  # the size is allowed, but it has no pixels
        decoded(tmp_path, png_header(side, side))


def test_a_decompression_bomb_in_a_text_chunk_is_refused(tmp_path):
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("bomb", "x" * 8_000_000, zip=True)
    content = written(Image.new("RGB", (2, 2)), "PNG", pnginfo=chunks)
    assert len(content) < 20_000
    with pytest.raises(DataError, match="not a readable picture"):
        decoded(tmp_path, content)


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        decode_picture(tmp_path / "gone.png", 8)


@given(
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    mode=st.sampled_from(["RGB", "L", "1", "P", "LA", "RGBA", "I;16"]),
    resolution=st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_any_shape_and_mode_becomes_an_rgb_square(tmp_path_factory, width, height, mode, resolution):
    content = written(Image.new(mode, (width, height)), "PNG")
    picture, _ = decoded(tmp_path_factory.mktemp("any"), content, resolution=resolution)
    assert (picture.mode, picture.size) == ("RGB", (resolution, resolution))


SOURCES = {
    f"{kind} {'odd' if options else 'plain'}": written(PHOTO, kind, **options)
    for kind, options in [
        ("PNG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("GIF", {"save_all": True, "append_images": [PHOTO.rotate(9)]}),
        ("BMP", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {}),
    ]
}


@pytest.mark.parametrize("kind", SOURCES)
@given(order=st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_damaged_file_is_a_picture_or_a_data_error(tmp_path_factory, kind, order: random.Random):
    damaged = bytearray(SOURCES[kind])
    for _ in range(order.choice([1, 2, 5])):
        damaged[order.randrange(min(len(damaged), order.choice([64, 10**6])))] = order.choice([0, 255, 127])
    if order.random() < 0.5:
        del damaged[order.randrange(1, len(damaged)) :]
    try:
        picture, _ = decoded(tmp_path_factory.mktemp("fuzz"), bytes(damaged))
    except DataError as error:
        assert str(error)
    else:
        assert picture.size == (8, 8)


def test_real_photos_decode_as_with_pillow(fashion):
    for path in sorted((fashion / "images").iterdir())[:5]:
        with Image.open(path) as file:
            expected = ImageOps.fit(file.convert("RGB"), (32, 32), Image.Resampling.LANCZOS)
        picture, note = decode_picture(path, 32)
        assert (picture.tobytes(), note) == (expected.tobytes(), "")
