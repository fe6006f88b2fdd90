"""The default text encoder: all-MiniLM-L6-v2 (Reimers & Gurevych, EMNLP 2019; Wang et al., NeurIPS 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final
from weakref import WeakValueDictionary

import safetensors.torch
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor

from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder, Unread
from t2i.text_graph import TextGraph
from t2i_text_hf.batching import CaptionBatcher, cache_captions, check_captions
from t2i_text_hf.bert import BertConfig, load_bert
from t2i_text_hf.graph import SentenceAndWords
from t2i_text_hf.pieces import Piece, is_latin, pieces_at, unread_of
from t2i_text_hf.weights import REVISION, SHA256, minilm_file, read_verified

MAX_WORDS = 64


@final
class MiniLM(TextEncoder):
    """all-MiniLM-L6-v2, frozen, float32.

    `words` are the last hidden states, including [CLS] and [SEP] (their mask is True); `sentence` is their
    mean, L2-normalised, as the publisher computes it. On the CPU a caption's embedding is the same in any batch,
    bit for bit.
    """

    def __init__(self, *, batch_size: int = 64) -> None:
        """Load the weights, which takes a fraction of a second.

        Args:
            batch_size: the most captions read at once, a multiple of 4; a CPU computes four of them at a time.

        Raises:
            IntegrityError: the weights are not the published ones.
            OfflineError: they are not on this machine and cannot be fetched.
        """
        config = BertConfig()
        self._published = _published()
        self._network = load_bert(config, self._published.tensors)
        self._device = torch.device("cpu")
        self._tokenizer = self._published.tokenizer
        self._batcher = CaptionBatcher(
            tokenize=self._tokenize,
            forward=self._forward,
            pool=_pool,
            batch_size=batch_size,
            cache_captions=cache_captions(self.max_words, config.hidden_size),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without what this process's encoders share: a copy has the network's own tensors."""
        return {name: value for name, value in vars(self).items() if name != "_published"}

    @property
    def identity(self) -> EncoderIdentity:
        """`minilm`, the pinned revision and the sha256 of its model.safetensors."""
        return EncoderIdentity(name="minilm", revision=REVISION, sha256=SHA256, dim=384)

    @property
    def max_words(self) -> int:
        """64 tokens, including [CLS] and [SEP]."""
        return MAX_WORDS

    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        """Encode b captions: sentence [b, 384] of length 1, words [b, l, 384], mask [b, l].

        Raises:
            InvalidInputError: there is no caption, or one is empty.
        """
        return self._batcher.encode(captions)

    def tokens(self, caption: str) -> tuple[str, ...]:
        """The parts of the caption that its tokens stand for; "" for [CLS] and [SEP].

        Raises:
            InvalidInputError: the caption is empty.
        """
        check_captions([caption])
        return tuple(piece.text for piece in self._pieces(caption))

    def unread(self, prompts: Sequence[str]) -> list[Unread]:
        """What is left out of each prompt: unknown characters, words in other scripts, everything after 64 tokens.

        MiniLM was trained on English. It has tokens for letters of other scripts, but has not learned their words.

        Raises:
            InvalidInputError: there is no prompt, or one is empty.
        """
        check_captions(prompts)
        return [unread_of(prompt, self._pieces(prompt)) for prompt in prompts]

    def graph(self) -> TextGraph:
        """Its network and tokenizer, for export."""
        network = SentenceAndWords(self._network, self._forward, normalize=True)
        return TextGraph(network, self._tokenizer.to_str(), latin_only=True)

    def to(self, device: torch.device | str) -> MiniLM:
        """Move the weights to `device`; returns self."""
        self._device = torch.device(device)
        self._network.to(self._device)
        self._batcher.forget()
        return self

    def _forward(self, ids: Int[Tensor, "b l"]) -> Float[Tensor, "b l d"]:
        return self._network(ids.to(self._device))

    def _pieces(self, caption: str) -> list[Piece]:
        read = self._tokenizer.encode(caption)
        unread = self._tokenizer.token_to_id("[UNK]")
        spans = list(zip(read.ids, read.offsets, strict=True))
        unknown = [token == unread or not is_latin(caption[start:end]) for token, (start, end) in spans]
        return pieces_at(caption, read.offsets, read.special_tokens_mask, unknown)

    def _tokenize(self, captions: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch(captions)]


@dataclass(frozen=True, eq=False)
class _Published:
    """What is read from the published files; never changed, for all encoders of this process share it."""

    tensors: dict[str, Tensor]
    tokenizer: Tokenizer


_IN_USE: WeakValueDictionary[tuple[object, ...], _Published] = WeakValueDictionary()


def _published() -> _Published:
    """The weights and the tokenizer, read again only if the weights' file changed or no encoder has them any more.

    Raises:
        IntegrityError, OfflineError: as MiniLM.
    """
    file = minilm_file("model.safetensors")
    state = file.stat()
    key = (file, state.st_ino, state.st_size, state.st_mtime_ns)
    found = _IN_USE.get(key)
    if found is None:
        tensors = safetensors.torch.load(read_verified(file))
        tokenizer = Tokenizer.from_file(str(minilm_file("tokenizer.json")))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_WORDS)
        # Cloned, because torch allocates aligned memory, and the last bits of a matmul depend on the alignment.
        found = _Published({name: tensor.clone() for name, tensor in tensors.items()}, tokenizer)
        _IN_USE[key] = found
    return found


def _pool(words: Tensor) -> Tensor:
    return F.normalize(words.mean(dim=0), dim=0)
