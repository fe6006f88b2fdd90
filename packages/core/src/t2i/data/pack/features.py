"""Encoded captions on disk, keyed by the identity of the encoder and the captions."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2i.data.pack.partial_folder import PartialFolder, alone
from t2i.data.pack.store import check_ragged, open_store, seal, starts_of, write_array
from t2i.data.remarks import unread_captions
from t2i.errors import DataError
from t2i.progress import Progress, silent
from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder

CHUNK, BATCH = 1024, 256
KIND = "text"


@dataclass(frozen=True)
class EncodedCaptions:
    """c captions, their words stored end to end; in half precision if read from disk.

    Attributes:
        sentence: [c, d].
        words: [t, d]; the words of caption i are rows starts[i] to starts[i + 1].
        starts: [c + 1], always on the CPU.
        remarks: sentences on captions that the encoder could not read; see `unread_captions`.
    """

    sentence: Float[Tensor, "c d"]
    words: Float[Tensor, "t d"]
    starts: Int[Tensor, c1]
    remarks: tuple[str, ...] = ()

    def __getitem__(self, captions: Int[Tensor, b]) -> TextEmbedding:
        """The captions at these positions (on the CPU) as one padded float32 batch on the features' device."""
        device = self.words.device
        first, lengths = self.starts[captions], self.starts[captions + 1] - self.starts[captions]
        slots = torch.arange(int(lengths.max()))  # l
        mask = slots < lengths[:, None]
        rows = (first[:, None] + slots).clamp_(max=len(self.words) - 1)
        mask, rows, captions = (tensor.to(device, non_blocking=True) for tensor in (mask, rows, captions))
        words = self.words[rows].float().masked_fill_(~mask[..., None], 0)  # b l d
        return TextEmbedding(self.sentence[captions].float(), words, mask)

    @property
    def nbytes(self) -> int:
        """The bytes of sentences and words together."""
        return self.sentence.nbytes + self.words.nbytes

    def to(self, device: torch.device) -> EncodedCaptions:
        """The same captions with their features on `device`."""
        return EncodedCaptions(self.sentence.to(device), self.words.to(device), self.starts, self.remarks)


def features_name(identity: EncoderIdentity) -> str:
    """The folder name for this encoder's features: readable, and unique to its weights."""
    return f"{re.sub('[^a-z0-9]+', '-', identity.name.lower()).strip('-')}-{_key(identity, '')[:16]}"


def captions_digest(texts: Sequence[str]) -> str:
    """The hash of these texts in this order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(json.dumps(text).encode() + b"\n")
    return digest.hexdigest()


def encode_captions(
    texts: Sequence[str], encoder: TextEncoder, folder: Path, *, repair: bool = False, progress: Progress = silent
) -> EncodedCaptions:
    """Encode `texts` into `folder`, or open existing features; continues an interrupted call.

    Args:
        repair: regenerate damaged features.

    Raises:
        DataError: existing features are damaged, or of other captions or another encoder; not with `repair`.
        OutputError: the folder cannot be written.
    """
    captions = captions_digest(texts)
    with alone(folder, progress):
        if folder.exists():
            try:
                return open_features(folder, encoder.identity, texts)
            except DataError as error:
                if not repair:
                    raise DataError(f"{error}. Nothing was read from it; remove {folder}, or pack again.") from None
                shutil.rmtree(folder)
        partial = PartialFolder(folder, _key(encoder.identity, captions))
        with progress("Encoding captions", len(texts)) as advance:
            advance(partial.done)
            while partial.done < len(texts):
                chunk = texts[partial.done : partial.done + CHUNK]
                sentences, words = _encode(chunk, encoder)
                content = {"sentence": sentences.tobytes(), "words": b"".join(row.tobytes() for row in words)}
                partial.append(len(chunk), content, [len(row) for row in words])
                advance(len(chunk))
        lengths = [length for chunk in partial.chunks for length in chunk]
        write_array(partial.scratch, "starts", starts_of(lengths))
        width, count = encoder.identity.dim, len(texts)
        seal(
            partial.scratch,
            KIND,
            {
                "encoder": asdict(encoder.identity),
                "captions": captions,
                "remarks": unread_captions(texts, encoder),
            },
            {
                "sentence": ("float16", (count, width)),
                "words": ("float16", (sum(lengths), width)),
                "starts": ("int64", (count + 1,)),
            },
        )
        partial.finish()
    return open_features(folder, encoder.identity, texts)


def open_features(folder: Path, identity: EncoderIdentity, texts: Sequence[str]) -> EncodedCaptions:
    """The memory-mapped features in `folder`, checked to be those of `texts` by exactly this encoder.

    Raises:
        DataError: they are damaged, from another encoder, or of other captions.
    """
    store = open_store(folder, KIND)
    if store.facts.get("encoder") != asdict(identity):
        raise DataError(f"{folder} holds features of the encoder {store.facts.get('encoder')}, not of {identity}")
    if store.facts.get("captions") != captions_digest(texts):
        raise DataError(f"{folder} holds features of other captions")
    sentence, words, starts = (store.arrays[name] for name in ("sentence", "words", "starts"))
    check_ragged(folder, starts, len(words))
    if not len(starts) - 1 == len(sentence) == len(texts):
        raise DataError(f"{folder} is inconsistent: {len(texts)} captions have {len(sentence)} sentences")
    remarks = tuple(map(str, store.facts.get("remarks", ())))
    return EncodedCaptions(as_tensor(sentence), as_tensor(words), torch.from_numpy(np.array(starts)), remarks)


def as_tensor(array: np.ndarray) -> Tensor:
    """A read-only array as a tensor sharing its memory, which must not be written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def _encode(texts: Sequence[str], encoder: TextEncoder) -> tuple[np.ndarray, list[np.ndarray]]:
    """Sentences [c, d] and each caption's words [l, d]; captions of similar length are encoded together."""
    sentences = np.empty((len(texts), encoder.identity.dim), np.float16)
    words: list[np.ndarray] = [np.empty(0, np.float16)] * len(texts)
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    for batch in (order[start : start + BATCH] for start in range(0, len(order), BATCH)):
        text = encoder.encode([texts[index] for index in batch]).to("cpu")
        sentences[batch] = text.sentence.half().numpy()
        for row, index in enumerate(batch):
            words[index] = text.words[row, text.mask[row]].half().numpy()
    return sentences, words


def _key(identity: EncoderIdentity, captions: str) -> str:
    return hashlib.sha256(repr((KIND, asdict(identity), captions)).encode()).hexdigest()
