"""Causal language models of transformers: loading, and writing many texts in one batch."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Int
from torch import Tensor

from t2i.display import brief
from t2i.errors import InvalidInputError, SnapshotError
from t2i.hub.download import download
from t2i.hub.shards import WEIGHT_FILES, weights_sha256
from t2i.hub.transformers_folder import check_files, check_tokenizer
from t2i.language import LanguageModel, LanguageModelIdentity, WritingOptions, check_questions
from t2i.noise import Noise
from t2i_lm.sampling import choose_tokens
from t2i_lm.stopping import StopCutter

FILES = ["*.json", "*.jinja", "*.txt", "*.model", *WEIGHT_FILES]
AT_ONCE = 16  # texts in one batch


def huggingface(reference: str) -> HuggingFaceModel:
    """Load a model: "org/name", "org/name@revision", or a local folder.

    Raises:
        InvalidInputError: `reference` is neither a repository's name nor a folder.
        OfflineError: it is not on this machine and the Hub is unreachable.
        SnapshotError: it has no safetensors, or is not a causal language model.
    """
    if Path(reference).is_dir():
        folder, revision, name = Path(reference), "", reference
    else:
        repo, _, asked = reference.partition("@")
        folder, revision = download(repo, asked or None, FILES)
        name = f"{repo}@{revision}"
    return HuggingFaceModel(folder, identified(f"hf:{name}", revision, folder))


@final
class HuggingFaceModel(LanguageModel):
    """A frozen float32 causal language model, loaded from safetensors without running code from its repository."""

    def __init__(self, folder: Path, identity: LanguageModelIdentity) -> None:
        """
        Raises:
            SnapshotError: the folder is not a causal language model in safetensors.
        """
        self._identity = identity
        self._network, self._tokenizer = _load(folder, identity.name)
        self._ends = _end_tokens(self._network, self._tokenizer)
        known = inspect.signature(self._network.forward).parameters
        self._cache_argument = "cache" if "cache" in known else "past_key_values"  # before transformers 5.24
        self._longest = int(getattr(self._network.config, "max_position_embeddings", 1 << 20))

    @property
    def identity(self) -> LanguageModelIdentity:
        return self._identity

    def write(self, question: str, seed: int, options: WritingOptions | None = None) -> Iterator[str]:
        questions, seeds = check_questions([question], [seed])
        chosen = options or WritingOptions()
        return (piece for _, piece in self._batch(self._read(questions, chosen), seeds, chosen) if piece)

    def write_all(
        self, questions: Sequence[str], seeds: Sequence[int], options: WritingOptions | None = None
    ) -> list[str]:
        asked, numbers = check_questions(questions, seeds)
        chosen = options or WritingOptions()
        prompts, texts = self._read(asked, chosen), [""] * len(asked)
        for start in range(0, len(asked), AT_ONCE):
            end = start + AT_ONCE
            for row, piece in self._batch(prompts[start:end], numbers[start:end], chosen):
                texts[start + row] += piece
        return texts

    def _read(self, questions: Sequence[str], options: WritingOptions) -> list[list[int]]:
        """The questions as tokens, in the model's chat template if it has one.

        Raises:
            InvalidInputError: one is too long for the model.
            SnapshotError: the template, which comes with the model, cannot be used.
        """
        earlier = [
            {"role": role, "content": text}
            for example in options.examples
            for role, text in zip(("user", "assistant"), example, strict=True)
        ]
        prompts = []
        for question in questions:
            if self._tokenizer.chat_template:
                turns = [*earlier, {"role": "user", "content": question}]
                try:
                    text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
                except Exception as error:  # of the template
                    raise SnapshotError(
                        f"The chat template of {self._identity.name} cannot be used: {brief(error)}. Choose another "
                        f"model."
                    ) from None
                ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
            else:
                text = "".join(f"{asked}\n{answer}\n" for asked, answer in options.examples) + question + "\n"
                ids = self._tokenizer(text)["input_ids"]
            if len(ids) + options.max_tokens > self._longest:
                raise InvalidInputError(
                    f"{self._identity.name} reads and writes at most {self._longest} tokens, but the question has "
                    f"{len(ids)} and max_tokens is {options.max_tokens}. Shorten one of them."
                )
            prompts.append(list(ids))
        return prompts

    @torch.inference_mode()
    def _batch(
        self, prompts: Sequence[list[int]], seeds: Sequence[int], options: WritingOptions
    ) -> Iterator[tuple[int, str]]:
        """Write all texts in one batch; yields (row, piece) as they are written."""
        from transformers import DynamicCache

        rows = [_Text(row, self._tokenizer, StopCutter(options.stop)) for row in range(len(prompts))]
        uniforms = Noise(seeds).uniform(options.max_tokens)
        ids, mask = _padded(prompts, self._tokenizer.pad_token_id or 0)
        positions, cache = (mask.cumsum(1) - 1).clamp_(min=0), DynamicCache()
        for step in range(options.max_tokens):
            logits = self._network(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                use_cache=True,
                logits_to_keep=1,
                **{self._cache_argument: cache},
            ).logits[:, -1]
            places = torch.tensor([text.row for text in rows])
            tokens = choose_tokens(logits, uniforms[places, step], options.temperature, options.top_p)
            for text, token in zip(rows, tokens.tolist(), strict=True):
                yield text.row, text.finish() if token in self._ends else text.push(token)
            going = [index for index, text in enumerate(rows) if not text.finished]
            if not going:
                return
            ids, positions = tokens[:, None], positions[:, -1:] + 1
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], 1)
            if len(going) < len(rows):
                kept = torch.tensor(going)
                cache.batch_select_indices(kept)
                ids, positions, mask, rows = ids[kept], positions[kept], mask[kept], [rows[index] for index in going]
        for text in rows:
            yield text.row, text.finish()


class _Text:
    """One text while it is written: its tokens, as pieces of whole characters."""

    def __init__(self, row: int, tokenizer: Any, cutter: StopCutter) -> None:
        self.row, self.finished = row, False
        self._tokenizer, self._cutter = tokenizer, cutter
        self._ids: list[int] = []
        self._given = 0  # characters

    def push(self, token: int) -> str:
        """Add a token; returns the new text that is final."""
        self._ids.append(token)
        text = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        if text.endswith("\ufffd"):  # part of a character
            return ""
        piece, self._given = text[self._given :], len(text)
        certain = self._cutter.push(piece)
        self.finished = self._cutter.stopped
        return certain

    def finish(self) -> str:
        """Return the remaining text."""
        self.finished = True
        rest = self._tokenizer.decode(self._ids, skip_special_tokens=True)[self._given :]
        return self._cutter.push(rest) + self._cutter.finish()


def identified(name: str, revision: str, folder: Path) -> LanguageModelIdentity:
    """A model's identity, with the hash of its weights in `folder`.

    Raises:
        SnapshotError: it has no safetensors.
    """
    return LanguageModelIdentity(name, revision, weights_sha256(folder, "A language model", "Choose another model."))


def quiet_transformers() -> Any:
    """The package transformers, which shows no progress bars from now on."""
    import transformers
    from transformers.utils import logging

    settings: Any = logging
    settings.disable_progress_bar()
    return transformers


def _load(folder: Path, name: str) -> tuple[Any, Any]:
    transformers = quiet_transformers()
    check_files(folder, FILES)
    trusted = {"trust_remote_code": False, "local_files_only": True}
    try:
        network, report = transformers.AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **trusted
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **trusted)
        check_tokenizer(tokenizer)
    except Exception as error:  # transformers raises any exception for an unexpected folder
        raise SnapshotError(f"{name!r} is not a causal language model that transformers can load: {error}") from error
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise SnapshotError(f"The weights of {name!r} lack {len(missing)} tensors, such as {missing[0]!r}.")
    return network.eval().requires_grad_(False), tokenizer


def _end_tokens(network: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a text."""
    ends = network.generation_config.eos_token_id
    found = set(ends) if isinstance(ends, list) else {ends}
    return {token for token in found | {tokenizer.eos_token_id} if token is not None}


def _padded(prompts: Sequence[list[int]], filler: int) -> tuple[Int[Tensor, "b l"], Int[Tensor, "b l"]]:
    """Tokens filled up on the left to the longest, and a mask that is 0 for padding."""
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), filler)
    mask = torch.zeros(len(prompts), longest, dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = torch.tensor(prompt)
        mask[row, longest - len(prompt) :] = 1
    return ids, mask
