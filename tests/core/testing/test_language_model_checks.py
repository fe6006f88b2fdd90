"""The checks find each of a set of language models that are broken in one way, and pass a correct one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import pytest
import torch

from fakes.checking import caught, expect, failures
from t2i.language import LanguageModel, LanguageModelIdentity, WritingOptions, check_questions
from t2i.noise import Noise
from t2i.testing.checks.language_models import LANGUAGE_MODEL_CHECKS
from t2i.testing.language_models import LanguageModelSuite

CALLS = count()


class Letters(LanguageModel):
    """Writes letters that depend on the question and, unless the temperature is 0, on the seed."""

    @property
    def identity(self) -> LanguageModelIdentity:
        return LanguageModelIdentity("letters", "", "0" * 64)

    def write(self, question: str, seed: int, options: WritingOptions | None = None) -> Iterator[str]:
        (asked,), (number,) = check_questions([question], [seed])
        return iter(self.text(asked, number, options or WritingOptions()))

    def write_all(
        self, questions: Sequence[str], seeds: Sequence[int], options: WritingOptions | None = None
    ) -> list[str]:
        asked, numbers = check_questions(questions, seeds)
        pairs = zip(asked, numbers, strict=True)
        return [self.text(question, seed, options or WritingOptions()) for question, seed in pairs]

    def text(self, question: str, seed: int, options: WritingOptions) -> str:
        """The whole answer."""
        drawn = Noise([seed]).uniform(options.max_tokens)[0] * 26 * bool(options.temperature)
        letters = "".join(chr(97 + (int(value) + len(question) + place) % 26) for place, value in enumerate(drawn))
        return letters[: min((letters.find(stop) for stop in options.stop if stop in letters), default=len(letters))]


class Changing(Letters):
    """Has another name every time."""

    @property
    def identity(self) -> LanguageModelIdentity:
        return LanguageModelIdentity(f"letters{next(CALLS)}", "", "")


class Seedless(Letters):
    """Ignores the seed."""

    def text(self, question: str, seed: int, options: WritingOptions) -> str:
        return super().text(question, 0, options)


class Noisy(Letters):
    """Draws from the global generator."""

    def text(self, question: str, seed: int, options: WritingOptions) -> str:
        return super().text(question, int(torch.randint(2**40, ())), options)


class Stuttering(Letters):
    """Its streamed text differs from write_all's."""

    def write(self, question: str, seed: int, options: WritingOptions | None = None) -> Iterator[str]:
        return (piece for piece in super().write(question, seed, options) for _ in range(2))


class Mixing(Letters):
    """Lets an answer depend on the other questions."""

    def write_all(
        self, questions: Sequence[str], seeds: Sequence[int], options: WritingOptions | None = None
    ) -> list[str]:
        longest = max(questions, key=len, default="")
        return super().write_all([longest for _ in questions], seeds, options)


class Endless(Letters):
    """Ignores stop strings."""

    def text(self, question: str, seed: int, options: WritingOptions) -> str:
        return super().text(question, seed, options.model_copy(update={"stop": ()}))


class Careless(Letters):
    """Answers an empty question."""

    def write(self, question: str, seed: int, options: WritingOptions | None = None) -> Iterator[str]:
        return super().write(question.strip() or "nothing", seed, options)


class Undescribed(Letters):
    pass


SEEDS, PIECES = "the_seed_decides_the_text", "pieces_are_the_text"
ALONE, STOPS = "a_text_does_not_depend_on_its_batch", "it_stops"
SPECIMENS: list[tuple[type[Letters], dict[str, str]]] = [
    (Letters, {}),
    (Changing, {"identity_is_constant": "the identity changes from call to call"}),
    (Seedless, {SEEDS: "five seeds all write"}),
    (
        Noisy,
        {
            SEEDS: "touches the global random generator of torch",
            PIECES: "write_all gives",
            STOPS: "must end before it",
        },
    ),
    (Stuttering, {PIECES: "write_all gives", ALONE: "together it writes"}),
    (Mixing, {ALONE: "together it writes"}),
    (Endless, {STOPS: "must end before it"}),
    (Careless, {"questions_are_checked": "an empty question must be refused with InvalidInputError, but was accepted"}),
    (Undescribed, {"is_documented": "Undescribed has none"}),
]


@pytest.mark.parametrize(("kind", "reasons"), SPECIMENS)
def test_each_broken_language_model_fails_for_its_reason(kind: type[Letters], reasons: dict[str, str]) -> None:
    expect(failures(LANGUAGE_MODEL_CHECKS, kind), reasons)


def test_every_check_catches_a_broken_language_model() -> None:
    assert caught(SPECIMENS) == {check.name for check in LANGUAGE_MODEL_CHECKS}


class TestLetters(LanguageModelSuite):
    """A correct one."""

    @pytest.fixture
    def model(self) -> LanguageModel:
        return Letters()
