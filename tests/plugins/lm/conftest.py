"""A language model of random weights, and the command line run inside this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from fakes.command_line import t2i as t2i
from t2i.language import LanguageModel, LanguageModelIdentity, WritingOptions, check_questions

TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


def write_tiny(folder: Path) -> Path:
    """A Llama of two layers, with a tokenizer of bytes; returns the folder."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    letters = {
        letter: number for number, letter in enumerate(["<pad>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())])
    }
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>")
    fast.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(letters),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny language model."""
    return write_tiny(tmp_path_factory.mktemp("lm") / "tiny")


class Scripted(LanguageModel):
    """Answers from a list, by seed."""

    def __init__(self, answers: Sequence[str]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, int]] = []

    @property
    def identity(self) -> LanguageModelIdentity:
        return LanguageModelIdentity("scripted", "", "ab")

    def write(self, question: str, seed: int, options: WritingOptions | None = None) -> Iterator[str]:
        return iter(self.write_all([question], [seed], options))

    def write_all(
        self, questions: Sequence[str], seeds: Sequence[int], options: WritingOptions | None = None
    ) -> list[str]:
        check_questions(questions, seeds)
        self.asked += zip(questions, seeds, strict=True)
        return [self.answers[seed % len(self.answers)] for seed in seeds]
