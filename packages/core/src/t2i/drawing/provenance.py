"""A picture says how to make it again: what was asked, of which weights, with which seed and versions."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError
from pydantic import TypeAdapter, ValidationError

from t2i.errors import InvalidInputError

CHUNK = "t2i"


@dataclass(frozen=True)
class Provenance:
    """Everything a picture depends on.

    Attributes:
        prompt, seed, options: what was asked; `options` are the generator's own.
        model: the name that resolves to the weights, such as "cgan.openmoji64".
        revision: of the weights on the Hub, or "" where they are bundled or local.
        weights_sha256, text_encoder, text_encoder_sha256: the files that drew it.
        device: "cpu", "cuda" or "mps"; other devices round differently.
        versions: of t2i-core, torch and the technique's distribution.
    """

    prompt: str
    seed: int
    model: str
    revision: str
    weights_sha256: str
    text_encoder: str
    text_encoder_sha256: str
    device: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    versions: Mapping[str, str] = field(default_factory=dict, hash=False)


def png_bytes(picture: Image.Image, provenance: Provenance | None = None) -> bytes:
    """The picture as PNG; equal pictures with equal provenance give equal bytes."""
    chunks = PngImagePlugin.PngInfo()
    if provenance is not None:
        chunks.add_itxt("Description", provenance.prompt)
        chunks.add_itxt("Software", f"t2i {provenance.versions.get('t2i-core', '')}")
        chunks.add_itxt(CHUNK, json.dumps(asdict(provenance), sort_keys=True, ensure_ascii=False))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", pnginfo=chunks)
    return buffer.getvalue()


def read_provenance(path: Path) -> Provenance:
    """What the PNG at `path` says of itself.

    Raises:
        InvalidInputError: the file is missing, no PNG, or carries no (whole) provenance of this tool.
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            text = getattr(picture, "text", {}).get(CHUNK)
    except FileNotFoundError:
        raise InvalidInputError(f"There is no picture at {path}.") from None
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise InvalidInputError(f"{path} is not a whole PNG picture ({error}).") from None
    if text is None:
        raise InvalidInputError(
            f"{path} carries no provenance, so it cannot be made again. Pictures written by `t2i generate` "
            f"do; editors and messengers often strip it."
        )
    try:
        return TypeAdapter(Provenance).validate_json(text, strict=True)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "all of it"
        raise InvalidInputError(f"The provenance in {path} is damaged ({where}: {problem['msg']}).") from None
