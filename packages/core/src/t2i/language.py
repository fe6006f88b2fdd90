"""The contract of language models, which write text in answer to a question."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from pydantic import Field

from t2i.arguments import check_text
from t2i.config import Config, parse_config
from t2i.errors import InvalidInputError
from t2i.seeds import check_seeds

MAX_QUESTION_CHARACTERS = 100_000


class WritingOptions(Config):
    """How a language model writes."""

    max_tokens: int = Field(200, ge=1, le=8192, description="most tokens written")
    temperature: float = Field(0.8, ge=0, le=2, description="0 always takes the most likely token")
    top_p: float = Field(
        0.95, gt=0, le=1, description="only the most likely tokens that together have this probability"
    )
    stop: tuple[str, ...] = Field((), description="writing ends before the first of these strings")
    examples: tuple[tuple[str, str], ...] = Field((), description="earlier questions and answers, which show the form")


@dataclass(frozen=True)
class LanguageModelIdentity:
    """Identifies a language model, including its weights; recorded with what it wrote.

    Attributes:
        name: the name for `t2i.create_language_model`, such as "smollm2".
        revision: the publisher's revision of the weights, or "" if there is none.
        sha256: of the weights, or "" if they are on a server.
    """

    name: str
    revision: str
    sha256: str


class LanguageModel(ABC):
    """Writes text in answer to questions. The same question, seed and options give the same text on one machine.

    For a model on a server, this depends on the server.
    """

    @property
    @abstractmethod
    def identity(self) -> LanguageModelIdentity:
        """Name, revision and sha256."""

    @abstractmethod
    def write(self, question: str, seed: int, options: WritingOptions | None = None) -> Iterator[str]:
        """The answer, piece by piece as it is written; the pieces, joined, are the text.

        Args:
            question: 1 to MAX_QUESTION_CHARACTERS characters.
            seed: in [0, 2**63).
            options: by default WritingOptions().

        Raises:
            InvalidInputError: at once if the question or the seed is invalid.
            LanguageModelError: it does not answer, or answers something that is not text.
        """

    @abstractmethod
    def write_all(
        self, questions: Sequence[str], seeds: Sequence[int], options: WritingOptions | None = None
    ) -> list[str]:
        """The whole answers to several questions, at once where that is faster.

        Args:
            seeds: one per question. An answer does not depend on the other questions, up to rounding.

        Raises:
            InvalidInputError, LanguageModelError: as `write`.
        """

    @final
    @staticmethod
    def options(**values: object) -> WritingOptions:
        """Options to write with.

        Raises:
            InvalidConfigError: a name is unknown, or its value does not fit.
        """
        return parse_config(WritingOptions, values, "options of a language model")


def check_questions(questions: Sequence[str], seeds: Sequence[int]) -> tuple[list[str], tuple[int, ...]]:
    """The questions and their seeds.

    Raises:
        InvalidInputError: there is none, one is empty or too long, or the seeds are invalid or not one per question.
    """
    checked = [check_text(question, "A question") for question in questions]
    if not checked or any(not question.strip() for question in checked):
        raise InvalidInputError("A language model needs a question, got an empty one. Say what it should write.")
    longest = max(map(len, checked))
    if longest > MAX_QUESTION_CHARACTERS:
        raise InvalidInputError(
            f"A question may have at most {MAX_QUESTION_CHARACTERS:,} characters, got {longest:,}. Shorten it."
        )
    numbers = check_seeds(seeds)
    if len(numbers) != len(checked):
        raise InvalidInputError(
            f"Each question needs its own seed, got {len(checked)} questions and {len(numbers)} seeds."
        )
    return [question.encode("utf-8", "replace").decode() for question in checked], numbers
