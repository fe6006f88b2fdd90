"""Richer prompts that keep every word of the original: the model writes only what is added."""

from __future__ import annotations

from collections.abc import Sequence

from t2i.arguments import check_whole_number
from t2i.create import create_language_model
from t2i.drawing.provenance import Widened
from t2i.errors import InvalidInputError, LanguageModelError
from t2i.language import LanguageModel, WritingOptions
from t2i.seeds import check_seeds
from t2i.text import MAX_PROMPT_CHARACTERS, check_prompts
from t2i_lm.lines import cleaned, is_usable
from t2i_lm.writing import LEAST_TRIES, PATIENCE, answers

MOST_VERSIONS = 1_000
OPTIONS = WritingOptions(
    max_tokens=32,
    temperature=0.9,
    top_p=0.9,
    stop=("\n",),
    examples=(
        ("Add details to this picture: a lighthouse", "on a rocky cliff at sunset, waves below, warm orange light"),
        ("Add details to this picture: two dogs", "running on a wet beach, splashes of water, morning fog"),
        ("Add details to this picture: portrait of a queen", "in a velvet dress, golden crown, dark background"),
    ),
)


def widen(model: LanguageModel, prompt: str, count: int = 1, seed: int = 0) -> list[str]:
    """Distinct prompts that begin with the whole of `prompt` and add details; the same for the same seed.

    Args:
        count: 1 to MOST_VERSIONS.

    Raises:
        InvalidInputError: an argument is outside its range, or the prompt leaves no room.
        LanguageModelError: the model adds nothing usable.
    """
    (prompt,) = check_prompts([prompt])
    check_whole_number(count, "The number of versions", 1, MOST_VERSIONS)
    check_seeds([seed])
    if len(prompt) > MAX_PROMPT_CHARACTERS // 2:
        raise InvalidInputError(
            f"A prompt to widen may have at most {MAX_PROMPT_CHARACTERS // 2} characters, got {len(prompt)}. It is "
            f"long enough; draw it without --widen."
        )
    known = {answer.casefold() for _, answer in OPTIONS.examples}
    found: list[str] = []
    most = max(PATIENCE * count, LEAST_TRIES)
    for answer in answers(model, f"Add details to this picture: {prompt}", OPTIONS, seed, most):
        details = _added(cleaned(answer), prompt)
        if is_usable(details) and details.casefold() not in known:
            known.add(details.casefold())
            found.append(f"{prompt.rstrip(' .,;')}, {details[0].lower()}{details[1:]}")
            if len(found) == count:
                return found
    raise LanguageModelError(
        f"{model.identity.name} wrote {len(found)} of {count} usable additions to {prompt[:80]!r}, in {most} answers. "
        f"Try another --seed, or a larger model: --lm hf:org/model"
    )


def widen_prompts(prompts: Sequence[str], seed: int, lm: str) -> dict[str, Widened]:
    """Each prompt's widened version and its origin, for `t2i generate --widen`.

    Raises:
        InvalidInputError, LanguageModelError: as `widen`.
        UnknownNameError, PluginError, OfflineError, SnapshotError: the language model cannot be loaded.
    """
    model = create_language_model(lm)
    identity = model.identity
    return {
        widen(model, prompt, 1, seed)[0]: Widened(prompt, identity.name, identity.sha256, seed)
        for prompt in dict.fromkeys(prompts)
    }


def _added(answer: str, prompt: str) -> str:
    """The answer without a repetition of the prompt at its beginning."""
    if answer.casefold().startswith(prompt.casefold()):
        answer = answer[len(prompt) :]
    return answer.lstrip(" ,.;:-").rstrip(" ,;:")
