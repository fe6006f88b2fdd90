"""DAMSM's released text encoder, from a file that `t2i convert-damsm` wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from t2i.errors import SnapshotError
from t2i.files import sha256_of
from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder, Unread, behind
from t2i_attngan.reader import LSTMReader
from t2i_text_hf.batching import check_captions

VOCABULARY = "vocabulary"  # the key of the words in the file's metadata
MAX_WORDS = 18  # as released for birds
WORD = re.compile(r"\w+")
END = 0  # the place of "<end>", which stands for a caption without known words


@final
class DAMSMTextEncoder(TextEncoder):
    """A bidirectional LSTM over a table of words (Xu et al. 2018, sec. 3.2).

    `words` are its two states at each word, `sentence` the last state of each direction. Case and punctuation do not
    matter, and words outside the vocabulary are left out.
    """

    def __init__(self, path: str) -> None:
        """
        Args:
            path: a file that `t2i convert-damsm` wrote.

        Raises:
            SnapshotError: it is not such a file.
        """
        tensors, words = _read(Path(path))
        self._places = {word: place for place, word in enumerate(words)}
        rows, inputs = tensors["table.weight"].shape
        self._network = nn.ModuleDict(
            {
                "table": nn.Embedding(rows, inputs),
                "reader": LSTMReader(inputs, 2 * tensors["reader.there.weight_hh_l0"].shape[1]),
            }
        )
        try:
            self._network.load_state_dict(tensors)
        except RuntimeError as error:
            raise SnapshotError(
                f"{path} does not hold DAMSM's text encoder: {error}. Write it again with t2i convert-damsm."
            ) from None
        self._network.eval().requires_grad_(False)
        self._identity = EncoderIdentity(
            name=f"damsm:{path}", revision="", sha256=sha256_of(Path(path)), dim=2 * self._reader.there.hidden_size
        )

    @property
    def identity(self) -> EncoderIdentity:
        """`damsm:PATH`, the file's sha256 and the width."""
        return self._identity

    @property
    def max_words(self) -> int:
        """18 known words."""
        return MAX_WORDS

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        """Encode b captions: sentence [b, d], words [b, l, d], mask [b, l].

        Raises:
            InvalidInputError: there is no caption, or one is empty.
        """
        check_captions(captions)
        rows = [[self._places[word.lower()] for word in self._known(one)] or [END] for one in captions]
        lengths = torch.tensor([len(row) for row in rows])
        places = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
        mask = torch.arange(places.shape[1]) < lengths[:, None]
        device = next(self._network.parameters()).device
        places, mask = places.to(device), mask.to(device)
        table = self._network["table"](places)
        embedding: TextEmbedding = self._reader(TextEmbedding(table[:, 0], table, mask))
        return embedding

    def tokens(self, caption: str) -> tuple[str, ...]:
        """The caption's known words; "" alone if it has none.

        Raises:
            InvalidInputError: the caption is empty.
        """
        check_captions([caption])
        return tuple(self._known(caption)) or ("",)

    def unread(self, prompts: Sequence[str]) -> list[Unread]:
        """The words outside the vocabulary, and what follows the first 18 known ones.

        Raises:
            InvalidInputError: there is no prompt, or one is empty.
        """
        check_captions(prompts)
        return [self._unread(prompt.strip()) for prompt in prompts]

    def to(self, device: torch.device | str) -> DAMSMTextEncoder:
        self._network.to(device)
        return self

    @property
    def _reader(self) -> LSTMReader:
        reader = self._network["reader"]
        assert isinstance(reader, LSTMReader)
        return reader

    def _known(self, caption: str) -> list[str]:
        return [word for word in WORD.findall(caption) if word.lower() in self._places][:MAX_WORDS]

    def _unread(self, prompt: str) -> Unread:
        known = self._known(prompt)
        rest = behind(known, prompt) if len(known) == MAX_WORDS else ""
        cut = rest if WORD.search(rest) else ""
        read = prompt[: len(prompt) - len(cut)]
        unknown = dict.fromkeys(word for word in WORD.findall(read) if word.lower() not in self._places)
        return Unread(tuple(unknown), cut, nothing=not known)


def _read(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors and the vocabulary in a converted file.

    Raises:
        SnapshotError: it is not such a file.
    """
    if not path.is_file():
        raise SnapshotError(f"There is no file {path}. Write one with t2i convert-damsm.")
    try:
        with safe_open(path, framework="pt") as file:
            words = json.loads((file.metadata() or {}).get(VOCABULARY, ""))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise SnapshotError(f"{path} must be a file that t2i convert-damsm wrote, but is not ({error}).") from None
    needed = {"table.weight", "reader.there.weight_hh_l0"}
    shaped = needed <= tensors.keys() and all(tensors[name].dim() == 2 for name in needed)
    if not shaped or not isinstance(words, list):
        raise SnapshotError(
            f"{path} must hold DAMSM's text encoder and a list of words, but does not. Write it again with t2i "
            f"convert-damsm."
        )
    if len(words) != (rows := len(tensors["table.weight"])):
        raise SnapshotError(
            f"{path} must hold a word for each of the {rows} rows of its table, but holds {len(words)}. Write it again "
            f"with t2i convert-damsm."
        )
    return tensors, words
