"""The checks of every LanguageModel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from t2i.errors import InvalidConfigError, InvalidInputError, T2IError
from t2i.language import LanguageModel, WritingOptions
from t2i.testing.checks.check import Checks
from t2i.testing.checks.probes import no_global_randomness, undocumented

LANGUAGE_MODEL_CHECKS: Checks[LanguageModel] = Checks()
QUESTION = "Describe a picture of a red heart."
SHORT = WritingOptions(max_tokens=12, temperature=1.0, top_p=1.0)


@LANGUAGE_MODEL_CHECKS.add(
    why="provenance records which language model widened a prompt",
    remedy="return the same LanguageModelIdentity every time, with the name that t2i.create_language_model opens",
)
def identity_is_constant(model: LanguageModel) -> None:
    identity = model.identity
    assert identity.name, "a language model must have a name"
    assert identity == model.identity, "the identity changes from call to call"


@LANGUAGE_MODEL_CHECKS.add(
    why="what was written once must be written again from its seed",
    remedy="draw every token with a random stream of the request's own, as t2i.noise.Noise does",
)
def the_seed_decides_the_text(model: LanguageModel) -> None:
    with no_global_randomness("writing"):
        first, again = ("".join(model.write(QUESTION, 7, SHORT)) for _ in range(2))
    assert first == again, f"the same seed writes {first!r} and {again!r}"
    others = {"".join(model.write(QUESTION, seed, SHORT)) for seed in range(5)}
    assert len(others) > 1, f"five seeds all write {first!r}"


@LANGUAGE_MODEL_CHECKS.add(
    why="a page shows text while it is written",
    remedy="make write check its arguments, and return an iterator of pieces that together are the text",
)
def pieces_are_the_text(model: LanguageModel) -> None:
    pieces = list(model.write(QUESTION, 3, SHORT))
    assert all(isinstance(piece, str) for piece in pieces), f"write must give strings, got {pieces!r}"
    (whole,) = model.write_all([QUESTION], [3], SHORT)
    assert "".join(pieces) == whole, f"write gives {''.join(pieces)!r}, write_all gives {whole!r}"


@LANGUAGE_MODEL_CHECKS.add(
    why="twenty prompts are written in one batch, and each must be reproducible alone",
    remedy="give every question its own random stream, and mask padding",
)
def a_text_does_not_depend_on_its_batch(model: LanguageModel) -> None:
    steady = WritingOptions(max_tokens=6, temperature=0)
    questions = ["Hi.", QUESTION, "Name three colours that a sunset has, and say why you chose them."]
    together = model.write_all(questions, [1, 2, 3], steady)
    alone = ["".join(model.write(question, seed, steady)) for question, seed in zip(questions, (1, 2, 3), strict=True)]
    assert together == alone, f"together it writes {together!r}, alone {alone!r}"


@LANGUAGE_MODEL_CHECKS.add(
    why="an answer that never ends, or goes on after its end, breaks every list of prompts",
    remedy="stop after max_tokens, and cut the text before the first stop string, across pieces, too",
)
def it_stops(model: LanguageModel) -> None:
    text = "".join(model.write(QUESTION, 5, SHORT))
    letters = [letter for letter in text if not letter.isspace()]
    if not letters:
        return
    stop = letters[len(letters) // 2]
    cut = "".join(model.write(QUESTION, 5, SHORT.model_copy(update={"stop": (stop,)})))
    assert cut == text.split(stop)[0], f"with the stop {stop!r}, {text!r} must end before it, got {cut!r}"
    one = "".join(model.write(QUESTION, 5, SHORT.model_copy(update={"max_tokens": 1})))
    assert len(one) < max(len(text), 40), f"with max_tokens=1 it writes {one!r}"


@LANGUAGE_MODEL_CHECKS.add(
    why="a question that cannot be answered must give a one-sentence error",
    remedy="begin write and write_all with t2i.language.check_questions",
)
def questions_are_checked(model: LanguageModel) -> None:
    for what, call in {
        "an empty question": lambda: list(model.write(" ", 0)),
        "a seed of -1": lambda: list(model.write("Hi.", -1)),
        "no question": lambda: model.write_all([], []),
        "two questions with one seed": lambda: model.write_all(["a", "b"], [1]),
    }.items():
        _refused(what, call)
    _refused("an unknown option", lambda: model.options(no_such_option=1), InvalidConfigError)


@LANGUAGE_MODEL_CHECKS.add(
    why="users must know which model wrote a text, and where its weights are from",
    remedy="give the class a docstring: which model it is, and where the weights are from",
)
def is_documented(model: LanguageModel) -> None:
    missing = undocumented(type(model))
    assert not missing, f"public classes must have docstrings, but {', '.join(missing)} has none"


def _refused(what: str, call: Callable[[], Any], error: type[T2IError] = InvalidInputError) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(f"{what} must be refused with {error.__name__}, but was accepted")
