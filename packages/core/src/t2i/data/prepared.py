"""A dataset made ready for training: pictures decoded once, captions encoded once, both cached by what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from t2i.data.dataset import CaptionedDataset, Problem
from t2i.errors import DataError
from t2i.files import cache_home, write_atomic
from t2i.text import TextEmbedding, TextEncoder

FORMAT = "2"  # part of every cache key; raise it when a layout below changes

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


@contextmanager
def silent(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A Progress that shows nothing."""
    yield lambda steps: None


@dataclass(frozen=True)
class EncodedCaptions:
    """c captions, their words stored end to end.

    Attributes:
        sentence: [c, d].
        words: [t, d], half precision; the words of caption i are rows starts[i] to starts[i + 1].
        starts: [c + 1].
    """

    sentence: Float[Tensor, "c d"]
    words: Float[Tensor, "t d"]
    starts: Int[Tensor, c1]

    def __getitem__(self, captions: Int[Tensor, b]) -> TextEmbedding:
        """The captions at these positions as one padded batch."""
        first, lengths = self.starts[captions], self.starts[captions + 1] - self.starts[captions]
        slots = torch.arange(int(lengths.max()))  # l
        mask = slots < lengths[:, None]
        rows = (first[:, None] + slots).clamp_(max=len(self.words) - 1)
        words = self.words[rows].float().masked_fill_(~mask[..., None], 0)  # b l d
        return TextEmbedding(self.sentence[captions], words, mask)


@dataclass(frozen=True)
class PreparedData:
    """What the sampler draws from.

    Attributes:
        images: [n, 3, r, r].
        captions: every distinct caption, encoded.
        caption_texts: the same captions as text.
        captions_of: for each picture the positions of its captions.
        groups: [n], the pictures' groups by number.
        problems: pictures left out or converted, each with its reason.
    """

    name: str
    license: str
    images: UInt8[Tensor, "n 3 r r"]
    captions: EncodedCaptions
    caption_texts: Sequence[str]
    captions_of: Sequence[Sequence[int]]
    groups: np.ndarray
    problems: Sequence[Problem]


def prepare(
    dataset: CaptionedDataset,
    resolution: int,
    encoder: TextEncoder,
    *,
    strict: bool = False,
    progress: Progress = silent,
) -> PreparedData:
    """Decode every picture at `resolution` and encode every caption, or take both from the cache.

    Pictures that cannot be used are left out and reported in `problems`; with `strict`, any problem is an
    error instead.

    Raises:
        DataError: no picture can be used, or `strict` and something is wrong with one.
    """
    images, kept, problems = _pictures(dataset, resolution, progress)
    problems = [*dataset.problems, *problems]
    if strict and problems:
        raise DataError(
            f"{dataset.name} must be flawless under --strict, but has {len(problems)} problems: "
            f"{'; '.join(map(str, problems[:5]))}. Mend or remove them, or leave --strict out."
        )
    if not kept:
        reasons = "; ".join(map(str, problems[:5]))
        raise DataError(f"None of the {len(dataset)} pictures of {dataset.name} can be used: {reasons}.")
    examples = [dataset.examples[index] for index in kept]
    texts = sorted({caption for example in examples for caption in example.captions})
    position = {text: index for index, text in enumerate(texts)}
    names = {group: number for number, group in enumerate(sorted({example.group for example in examples}))}
    return PreparedData(
        name=dataset.name,
        license=dataset.license,
        images=images,
        captions=_captions(texts, encoder, progress),
        caption_texts=texts,
        captions_of=[[position[caption] for caption in example.captions] for example in examples],
        groups=np.array([names[example.group] for example in examples]),
        problems=problems,
    )


def _pictures(
    dataset: CaptionedDataset, resolution: int, progress: Progress
) -> tuple[Tensor, list[int], list[Problem]]:
    path = _cached("pictures", dataset.fingerprint, str(resolution))
    cached = _load(path)
    if cached is not None:
        problems = [Problem(*entry) for entry in json.loads(bytes(cached["problems"].numpy()))]
        return cached["images"], cached["kept"].tolist(), problems

    def decode(index: int) -> np.ndarray | Problem | tuple[np.ndarray, Problem]:
        name = dataset.examples[index].id
        try:
            picture, note = dataset.picture(index, resolution)
        except DataError as error:
            return Problem(name, str(error))
        pixels = np.asarray(picture).transpose(2, 0, 1)
        return (pixels, Problem(name, note, skipped=False)) if note else pixels

    pixels, kept, problems = [], [], []
    with progress("Decoding pictures", len(dataset)) as advance, ThreadPoolExecutor() as pool:
        for index, result in enumerate(pool.map(decode, range(len(dataset)))):
            advance(1)
            if isinstance(result, Problem):
                problems.append(result)
                continue
            if isinstance(result, tuple):
                result, note = result
                problems.append(note)
            pixels.append(result)
            kept.append(index)
    if not kept:
        return torch.empty(0, 3, resolution, resolution, dtype=torch.uint8), kept, problems
    images = torch.from_numpy(np.ascontiguousarray(np.stack(pixels)))
    rows = json.dumps([astuple(problem) for problem in problems]).encode()
    tensors = {
        "images": images,
        "kept": torch.tensor(kept),
        "problems": torch.frombuffer(bytearray(rows), dtype=torch.uint8),
    }
    write_atomic(path, save(tensors))
    return images, kept, problems


def _captions(texts: Sequence[str], encoder: TextEncoder, progress: Progress) -> EncodedCaptions:
    path = _cached("captions", encoder.identity.sha256, json.dumps(texts))
    tensors = _load(path)
    if tensors is None:
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        sentences = torch.empty(len(texts), encoder.identity.dim)
        words: list[Tensor] = [torch.empty(0)] * len(texts)
        with progress("Encoding captions", len(texts)) as advance:
            for chunk in (order[start : start + 256] for start in range(0, len(order), 256)):
                text = encoder.encode([texts[index] for index in chunk]).to("cpu")
                sentences[chunk] = text.sentence
                for row, index in enumerate(chunk):
                    words[index] = text.words[row, text.mask[row]].half()
                advance(len(chunk))
        lengths = torch.tensor([0, *(len(rows) for rows in words)])
        tensors = {"sentence": sentences, "words": torch.cat(words), "starts": lengths.cumsum(0)}
        write_atomic(path, save(tensors))
    return EncodedCaptions(**tensors)


def _cached(kind: str, *key: str) -> Path:
    digest = hashlib.sha256("\0".join((FORMAT, kind, *key)).encode()).hexdigest()
    return cache_home() / "prepared" / f"{kind}-{digest[:32]}.safetensors"


def _load(path: Path) -> dict[str, Tensor] | None:
    """The cached tensors; None where they are absent or damaged, and so to be made again."""
    try:
        return load_file(path)
    except (FileNotFoundError, SafetensorError):
        return None
