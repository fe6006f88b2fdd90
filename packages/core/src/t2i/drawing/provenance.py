"""Provenance: the prompt, seed, options and artist of a picture, stored in its file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, cast

from PIL import Image
from pydantic import TypeAdapter, ValidationError

from t2i.drawing.formats import DESCRIPTION, FORMATS, SOFTWARE, encoded, read_text, with_texts
from t2i.drawing.picture_file import picture_at, picture_in
from t2i.errors import InvalidInputError

CHUNK = "t2i"


@dataclass(frozen=True)
class ArtistIdentity:
    """An artist with its weights and versions; recorded in every picture and with every score.

    Attributes:
        name: the name that `t2i.pipeline` opens it by, such as "cgan.world64".
        revision: the weights' revision on the Hub, or "" if they are bundled or local.
        weights: the sha256 of each weights file, by its name.
        text_encoders: the sha256 of each text encoder with files of its own, by its name; "" if it is unknown.
        device: "cpu", "cuda" or "mps"; other devices round differently.
        versions: versions of t2i-core, torch and the distribution that draws.
        adapters: the sha256 of each adapter that was loaded on top of the weights, by its name.
        licenses: the licence of each network of a model that has several, by the name of its folder in `weights`.
        parent: the model whose weights its training started from, with their sha256; "" if there is none.
    """

    name: str
    revision: str
    weights: Mapping[str, str] = field(hash=False)
    text_encoders: Mapping[str, str] = field(hash=False)
    device: str
    versions: Mapping[str, str] = field(hash=False)
    adapters: Mapping[str, str] = field(default_factory=dict, hash=False)
    licenses: Mapping[str, str] = field(default_factory=dict, hash=False)
    parent: str = ""

    @property
    def weights_sha256(self) -> str:
        """One hash of all weights: the file's own, or for several files the hash of what `sha256sum` prints."""
        if len(self.weights) == 1:
            return next(iter(self.weights.values()))
        listing = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(self.weights.items()))
        return hashlib.sha256(listing.encode()).hexdigest()


@dataclass(frozen=True)
class Widened:
    """How a language model wrote the prompt.

    Attributes:
        typed: the prompt that a person typed.
        model: the language model's name, such as "smollm2".
        sha256: of the language model's weights, or "" if they are on a server.
        seed: the seed it wrote with.
    """

    typed: str
    model: str
    sha256: str
    seed: int


@dataclass(frozen=True)
class Source:
    """The picture that another one was made from.

    Attributes:
        sha256: of its pixels: see `pixels_sha256`.
        how: the kind of edit, such as "image-to-image" or "inpainting".
        mask_sha256: of the pixels of the mask that says where; "" if there is none.
    """

    sha256: str
    how: str
    mask_sha256: str = ""


@dataclass(frozen=True)
class Frame:
    """What was added around the drawn picture.

    Attributes:
        padding: in pixels, on each side.
        background: the colour of the padding, or "edge": the median colour of the picture's edges.
    """

    padding: int
    background: str


@dataclass(frozen=True)
class Provenance:
    """Everything a picture depends on.

    Attributes:
        prompt, seed: as drawn.
        options: all of the artist's options.
        artist: the artist that drew it.
        widened: how the prompt came from a shorter one; None if it was drawn as typed. Drawing again needs only
            `prompt`, so it needs no language model.
        source: the picture it was edited from; None if it was drawn from text alone.
        frame: the padding around it; None if there is none.
    """

    prompt: str
    seed: int
    options: Mapping[str, Any] = field(hash=False)
    artist: ArtistIdentity
    widened: Widened | None = None
    source: Source | None = None
    frame: Frame | None = None


@cache
def provenance_type() -> TypeAdapter[Provenance]:
    """Reads a Provenance from untrusted values; made once, because that takes longer than reading a picture."""
    return TypeAdapter(Provenance)


class SignedImage(Image.Image):
    """A drawn picture as a PIL image whose `save` keeps its provenance.

    Images that PIL derives from it (a copy, a crop, another size) are plain images without provenance.
    """

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:  # noqa: A002
        """Save as PIL does; a PNG, JPEG or WebP file also gets the picture's provenance."""
        name = getattr(fp, "name", fp)
        suffix = Path(name).suffix.lower() if isinstance(name, str | Path) else ""
        texts = {name: self.info[name] for name in (DESCRIPTION, SOFTWARE, CHUNK) if name in self.info}
        kept = with_texts(texts, format.upper() if format else FORMATS.get(suffix, ""))
        super().save(fp, format, **{**kept, **params})


def signed(image: Image.Image, provenance: Provenance) -> SignedImage:
    """A copy of the image with its provenance."""
    copy = image.copy()
    copy.info = {
        DESCRIPTION: provenance.prompt,
        SOFTWARE: f"t2i {provenance.artist.versions.get('t2i-core', '')}",
        CHUNK: json.dumps(asdict(provenance), sort_keys=True),
    }
    copy.__class__ = SignedImage
    return cast(SignedImage, copy)


def png_bytes(image: Image.Image) -> bytes:
    """The image as PNG, with its provenance if it is signed; equal images give equal bytes."""
    return encoded(image)


def pixels_sha256(image: Image.Image) -> str:
    """The sha256 of a picture's size and RGB pixels, the same for every file format without loss."""
    pixels = image.convert("RGB")
    return hashlib.sha256(f"{pixels.width}x{pixels.height}\n".encode() + pixels.tobytes()).hexdigest()


def read_provenance(path: Path) -> Provenance:
    """The provenance in the picture at `path`.

    Raises:
        InvalidInputError: the file is missing, is not a PNG, JPEG or WebP picture, or has no complete provenance of
            this tool.
    """
    found = find_provenance(path)
    if found is None:
        raise InvalidInputError(
            f"{path} carries no provenance, so it cannot be drawn again. Pictures written by `t2i generate`, or in "
            f"Python by `Picture.save`, carry it; editors, messengers and PIL's save of a changed picture drop it."
        )
    return found


def find_provenance(path: Path) -> Provenance | None:
    """The provenance in the picture at `path`; None if the picture is complete and has none.

    Raises:
        InvalidInputError: the file is missing, is not a PNG, JPEG or WebP picture, or its provenance is damaged.
    """
    with picture_at(path) as picture:
        text = read_text(picture, CHUNK)
    return _parsed(text, str(path))


def provenance_in(file: BufferedReader | BytesIO, what: str) -> Provenance | None:
    """The provenance in the picture that `file` holds; None if the picture is complete and has none.

    Args:
        what: the picture's path or name, for messages.

    Raises:
        InvalidInputError: it is not a PNG, JPEG or WebP picture, or its provenance is damaged.
    """
    with picture_in(file, what) as picture:
        text = read_text(picture, CHUNK)
    return _parsed(text, what)


def _parsed(text: str | None, what: str) -> Provenance | None:
    if text is None:
        return None
    try:
        return provenance_type().validate_json(text, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "all of it"
        raise InvalidInputError(f"The provenance in {what} is damaged ({where}: {problem['msg']}).") from None
