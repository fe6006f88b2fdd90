"""Encodes texts and pictures as vectors, and finds records that have none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from t2i.arguments import shown
from t2i.data.decode import decode_picture
from t2i.data.fit import Fitting
from t2i.errors import DataError, InvalidInputError, PluginBrokenError
from t2i.progress import Progress
from t2i_index.store import Space, Store

Array = NDArray[np.float32]
SIDE = 64  # pixels of the image encoder's input


def encode_text(text: str) -> Array:
    """[384], a unit vector for the meaning of the text."""
    from t2i_index.encoder import sentences

    vector: Array = sentences().encode([text])[0]
    return vector


def encode_picture(picture: str | Path | Image.Image) -> Array:
    """[d], a unit vector for the look of the picture.

    Raises:
        InvalidInputError: it is not a picture, or its file cannot be read.
        PluginBrokenError: t2i-metrics, whose encoder this is, is not installed.
    """
    if isinstance(picture, Image.Image):
        return _look([picture])[0]
    try:
        image, _ = decode_picture(Path(picture), SIDE, fitting=Fitting("squash"))
    except DataError as error:
        raise InvalidInputError(f"{shown(str(picture))} is not a picture that can be read ({error}).") from None
    return _look([image])[0]


def prepare(store: Store, space: Space, progress: Progress) -> int:
    """Encode every record that could have a vector in this space and has none; returns how many."""
    from t2i_index.encoder import ENCODER_SHA256

    store.use_encoder(space, f"minilm {ENCODER_SHA256}" if space == "meaning" else _look_name())
    done = 0
    for records in store.without_vector(space):
        with progress(f"Encoding new records ({done:,} done)", len(records)) as advance:
            ids, vectors = [record.id for record in records], None
            if space == "meaning":
                from t2i_index.encoder import sentences

                vectors = sentences().encode([record.meaning for record in records])
            else:
                small = store.thumbnails(ids)
                vectors = _look([Image.open(io.BytesIO(small[id_])) for id_ in ids])
            store.set_vectors(space, ids, vectors)
            advance(len(records))
        done += len(records)
    return done


def _look(pictures: list[Image.Image]) -> Array:
    """[n, d], by the bundled image encoder of t2i-metrics, which needs no network."""
    import torch

    from t2i.images import from_uint8

    size = (SIDE, SIDE)
    pixels = [np.array(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)) for picture in pictures]
    images = from_uint8(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))
    return np.asarray(_encoder().images(images).numpy(), np.float32)


def _look_name() -> str:
    encoder = _encoder()
    return f"{encoder.name} {encoder.sha256}"


def _encoder() -> Any:
    try:
        from t2i_metrics.encoders import create_image_text_encoder
        from t2i_metrics.image_text import BUNDLED
    except ImportError as error:
        raise PluginBrokenError(
            f"Searching by picture needs t2i-metrics, which cannot be imported ({error}). Install it: "
            f"pip install 't2i-index[like]'"
        ) from None
    global _loaded
    if _loaded is None:
        _loaded = create_image_text_encoder(BUNDLED)
    return _loaded


_loaded: Any = None  # takes seconds to load
