"""Draws with an exported folder. Read this first; the whole of it in three lines::

sentence, words, mask = text_graph(tokens of the prompts)
noise = numbers of each seed's own stream
pictures = generator_graph(sentence, words, mask, *noise)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from t2i_onnx.errors import OnnxError
from t2i_onnx.folder import EMOJI, GENERATOR, TEXT, TOKENIZER, Record, read_record, read_verified
from t2i_onnx.noise import Stream
from t2i_onnx.reading import Reader
from t2i_onnx.request import check_prompt, check_seed

KEPT = 1024  # prompts whose text is remembered
Floats = NDArray[np.float32]


class Drawing:
    """An exported model, ready to draw.

    A picture depends only on the folder, its prompt and its seed: each is drawn alone, so not even its last bit depends
    on its neighbours.

    Attributes:
        folder, record: where it is, and what its `onnx.json` says.
        reader: how it reads prompts.
    """

    def __init__(self, folder: str | Path, *, threads: int = 0) -> None:
        """Verify and load the folder.

        Args:
            threads: of onnxruntime; 0 for one per core.

        Raises:
            OnnxError: a file is missing, was changed, or cannot be used.
        """
        self.folder = Path(folder)
        self.record: Record = read_record(self.folder)
        tokenizer, emoji = (read_verified(self.folder, self.record, name) for name in (TOKENIZER, EMOJI))
        self.reader = Reader(tokenizer, emoji, latin_only=bool(self.record.text_encoder["latin_only"]))
        self._text, self._generator = (self._session(name, threads) for name in (TEXT, GENERATOR))
        self._read: dict[str, tuple[Floats, Floats]] = {}

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """One picture per prompt and seed.

        Args:
            prompts: b, each 1 to 2000 characters.
            seeds: b, each in [0, 2**63).

        Returns:
            RGB, [b, h, w, 3].

        Raises:
            OnnxError: a prompt or seed is outside its range, or the graphs cannot be run.
        """
        pictures = [
            self._one(check_prompt(prompt), check_seed(seed)) for prompt, seed in zip(prompts, seeds, strict=True)
        ]
        return np.stack(pictures)

    def images(self, sentence: Floats, words: Floats, mask: NDArray[np.bool_], seeds: Sequence[int]) -> Floats:
        """The generator alone.

        Args:
            sentence, words, mask: of b captions: [b, d], [b, l, d] and [b, l].
            seeds: b.

        Returns:
            RGB in [-1, 1], [b, 3, h, w].
        """
        given = {"sentence": sentence, "words": words, "mask": mask}
        given |= {f"noise_{number}": noise for number, noise in enumerate(self.noise(seeds))}
        (images,) = self._run(self._generator, given)
        side = self.record.resolution
        if images.shape != (len(seeds), 3, side, side) or not np.isfinite(images).all():
            raise OnnxError(
                f"{self.folder} must draw pictures of 3 x {side} x {side} finite numbers, but gave {images.shape} "
                f"or numbers that are not finite. Export the model again."
            )
        return images

    def noise(self, seeds: Sequence[int]) -> list[Floats]:
        """The numbers of each draw, [b, *shape], each row from its seed's own stream."""
        streams = [Stream(seed) for seed in seeds]
        return [
            np.stack([getattr(stream, draw.kind)(prod(draw.shape)).reshape(draw.shape) for stream in streams])
            for draw in self.record.noise
        ]

    def encode(self, prompt: str) -> tuple[Floats, Floats]:
        """The sentence [d] and the words [l, d] of a prompt."""
        if prompt not in self._read:
            sentence, words = self._run(self._text, {"ids": np.array([self.reader.ids(prompt)], np.int64)})
            while len(self._read) >= KEPT:
                del self._read[next(iter(self._read))]
            self._read[prompt] = sentence[0], words[0]
        return self._read[prompt]

    def _one(self, prompt: str, seed: int) -> NDArray[np.uint8]:
        sentence, words = self.encode(prompt)
        (image,) = self.images(sentence[None], words[None], np.ones((1, len(words)), np.bool_), [seed])
        return to_uint8(image)

    def _session(self, name: str, threads: int) -> onnxruntime.InferenceSession:
        content = read_verified(self.folder, self.record, name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = threads, 4  # errors are raised, not printed
        try:
            return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no common base
            raise OnnxError(
                f"onnxruntime cannot load {self.folder / name}: {_brief(error)}. Export the model again, or update "
                f"onnxruntime."
            ) from None

    def _run(self, session: onnxruntime.InferenceSession, given: dict[str, NDArray[np.generic]]) -> list[Floats]:
        used = {one.name: given[one.name] for one in session.get_inputs() if one.name in given}
        try:
            return [np.asarray(found) for found in session.run(None, used)]
        except Exception as error:
            raise OnnxError(
                f"onnxruntime cannot run the graphs in {self.folder}: {_brief(error)}. Export the model again, or "
                f"update onnxruntime."
            ) from None


def to_uint8(image: Floats) -> NDArray[np.uint8]:
    """[-1, 1], [3, h, w], to 0..255, [h, w, 3], rounded to nearest; values outside are clipped."""
    levels = np.rint((image + np.float32(1)) * np.float32(127.5)).clip(0, 255)
    return levels.astype(np.uint8).transpose(1, 2, 0)


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")
