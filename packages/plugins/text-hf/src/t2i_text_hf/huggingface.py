"""Any text encoder on the Hugging Face Hub, loaded with transformers; the text tower of CLIP and T5."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import torch
from jaxtyping import Float
from tokenizers import Tokenizer
from torch import Tensor

from t2i.errors import InvalidInputError, SnapshotError
from t2i.hub.download import download
from t2i.hub.shards import WEIGHT_FILES, weights_sha256
from t2i.hub.transformers_folder import check_files, check_tokenizer
from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder, Unread
from t2i.text_graph import TextGraph
from t2i_text_hf.batching import CaptionBatcher, cache_captions, check_captions
from t2i_text_hf.graph import SentenceAndWords
from t2i_text_hf.pieces import Piece, found_in, pieces_at, unread_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MAX_WORDS = 128
FILES = ["*.json", "*.txt", "*.model", *WEIGHT_FILES]


@final
class HuggingFaceEncoder(TextEncoder):
    """A frozen float32 text encoder, loaded from safetensors without running code from its repository.

    `words` are the last hidden states, including special tokens (their mask is True); `sentence` is their
    plain mean. On the CPU a caption's embedding is the same in any batch, bit for bit.
    """

    def __init__(self, reference: str, *, batch_size: int = 64) -> None:
        """Load the encoder: from the Hub the first time, later from the Hugging Face cache.

        Args:
            reference: "org/name", "org/name@revision", or a local folder.
            batch_size: the most captions read at once, a multiple of 4; a CPU computes four of them at a time.

        Raises:
            InvalidInputError: `reference` is neither a repository's name nor a folder.
            OfflineError: it is not on this machine and the Hub is unreachable.
            SnapshotError: the Hub has no such repository or revision, or denies access; or the repository has no
                safetensors, lacks a weight, or is not a text encoder.
        """
        folder, revision, name = _locate(reference)
        check_files(folder, FILES)
        sha256 = weights_sha256(
            folder, "A text encoder", "Convert them with transformers' `save_pretrained`, or choose another encoder."
        )
        self._network, self._tokenizer = _load(folder, reference)
        self._device = torch.device("cpu")
        dim = int(self._network.config.hidden_size)
        self._identity = EncoderIdentity(name=f"hf:{name}", revision=revision, sha256=sha256, dim=dim)
        self._max_words = min(MAX_WORDS, int(self._tokenizer.model_max_length))
        self._batcher = CaptionBatcher(
            tokenize=self._tokenize,
            forward=self._forward,
            pool=_mean,
            batch_size=batch_size,
            cache_captions=cache_captions(self._max_words, dim),
        )

    @property
    def identity(self) -> EncoderIdentity:
        """ "hf:org/name@commit", the commit, and the sha256 of model.safetensors (or of its shards' sha256s)."""
        return self._identity

    @property
    def max_words(self) -> int:
        """The limit of its tokenizer, but at most 128 tokens."""
        return self._max_words

    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        """Encode b captions: sentence [b, d], words [b, l, d], mask [b, l].

        Raises:
            InvalidInputError: there is no caption, or one is empty.
        """
        return self._batcher.encode(captions)

    def tokens(self, caption: str) -> tuple[str, ...]:
        """The parts of the caption that its tokens stand for; "" for special tokens.

        Raises:
            InvalidInputError: the caption is empty.
        """
        check_captions([caption])
        return tuple(piece.text for piece in self._pieces(caption))

    def unread(self, prompts: Sequence[str]) -> list[Unread]:
        """What is left out of each prompt: words not in the vocabulary, and everything after `max_words` tokens.

        Raises:
            InvalidInputError: there is no prompt, or one is empty.
        """
        check_captions(prompts)
        return [unread_of(prompt, self._pieces(prompt)) for prompt in prompts]

    def graph(self) -> TextGraph:
        """Its network and tokenizer, for export.

        Raises:
            InvalidInputError: its tokenizer is written in Python, which other runtimes cannot read.
        """
        if not self._tokenizer.is_fast:
            raise InvalidInputError(
                f"The text encoder {self._identity.name} cannot be exported: its tokenizer is not one of the package "
                f"`tokenizers`. Choose an encoder with a tokenizer.json."
            )
        tokenizer = Tokenizer.from_str(self._tokenizer.backend_tokenizer.to_str())
        tokenizer.no_padding()
        tokenizer.enable_truncation(self._max_words)
        return TextGraph(SentenceAndWords(self._network, self._forward, normalize=False), tokenizer.to_str())

    def to(self, device: torch.device | str) -> HuggingFaceEncoder:
        """Move the weights to `device`; returns self."""
        self._device = torch.device(device)
        self._network.to(self._device)  # type: ignore[arg-type]
        self._batcher.forget()
        return self

    def _pieces(self, caption: str) -> list[Piece]:
        read = self._tokenizer(
            caption,
            truncation=True,
            max_length=self._max_words,
            return_offsets_mapping=self._tokenizer.is_fast,
            return_special_tokens_mask=True,
        )
        unknown = [token == self._tokenizer.unk_token_id for token in read["input_ids"]]
        if self._tokenizer.is_fast:
            return pieces_at(caption, read["offset_mapping"], read["special_tokens_mask"], unknown)
        spans = found_in(caption, [self._tokenizer.decode([token]) for token in read["input_ids"]])
        return pieces_at(caption, spans, read["special_tokens_mask"], unknown)

    def _tokenize(self, captions: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self._tokenizer(captions, padding=False, truncation=True, max_length=self._max_words)[
            "input_ids"
        ]
        return ids

    def _forward(self, ids: Tensor) -> Tensor:
        ids = ids.to(self._device)
        words: Tensor = self._network(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        return words


def _locate(reference: str) -> tuple[Path, str, str]:
    """The folder, the revision ("" for a local folder), and a reference that pins both."""
    if Path(reference).is_dir():
        return Path(reference), "", reference
    repo, _, revision = reference.partition("@")
    folder, commit = download(repo, revision or None, FILES)
    return folder, commit, f"{repo}@{commit}"


def _load(folder: Path, reference: str) -> tuple[PreTrainedModel, Any]:
    from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, AutoTokenizer

    def no_encoder(reason: str) -> SnapshotError:
        return SnapshotError(f"'hf:{reference}' must be a text encoder, but {reason}. Choose another encoder.")

    trusted = {"trust_remote_code": False, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(folder, **trusted)
        kind = AutoModelForTextEncoding if config.is_encoder_decoder else AutoModel
        network, report = kind.from_pretrained(
            folder,
            # For CLIP and similar models, only the text tower; for others this is the same config.
            config=config if config.is_encoder_decoder else config.get_text_config(),
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
            **trusted,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, **trusted)
        check_tokenizer(tokenizer)
    except Exception as error:  # transformers raises any exception for an unexpected folder
        raise no_encoder(f"transformers cannot load it: {error}") from error
    # transformers initialises missing weights at random; a pooler is not used.
    missing = [key for key in report["missing_keys"] if "pooler" not in key]
    if missing:
        raise no_encoder(f"its model.safetensors lacks {len(missing)} weights, such as {missing[0]!r}")
    return network.eval().requires_grad_(False), tokenizer


def _mean(words: Float[Tensor, "l d"]) -> Float[Tensor, " d"]:
    return words.mean(dim=0)
