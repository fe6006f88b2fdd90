"""Prompts about a topic: each is requested on its own, cleaned, checked, and requested with a new seed if it fails."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from t2i.arguments import check_text, check_whole_number
from t2i.errors import InvalidInputError, LanguageModelError
from t2i.language import LanguageModel, WritingOptions
from t2i.seeds import MAX_SEED, check_seeds
from t2i_lm.lines import cleaned, is_usable

MOST_PROMPTS, MOST_TOPIC = 10_000, 500
PATIENCE, LEAST_TRIES = 6, 24  # answers requested before giving up: per prompt, and in total at least
AT_ONCE = 16
OPTIONS = WritingOptions(
    max_tokens=40,
    temperature=0.8,
    top_p=0.9,
    stop=("\n",),
    examples=(
        ("Describe one picture about: things in a kitchen", "a copper kettle steaming on an old gas stove"),
        ("Describe one picture about: wild animals", "a red fox asleep in the snow at dawn"),
        ("Describe one picture about: things in a kitchen", "a wooden bowl of lemons next to a window"),
        ("Describe one picture about: music", "an old piano in an empty hall, lit by one lamp"),
    ),
)


def write_prompts(model: LanguageModel, topic: str, count: int, seed: int = 0) -> Iterator[str]:
    """Write distinct prompts about a topic, as they are found; the same for the same seed.

    Args:
        topic: such as "things on a birthday card".
        count: 1 to MOST_PROMPTS.

    Raises:
        InvalidInputError: at once if an argument is outside its range.
        LanguageModelError: the model gives too few usable prompts.
    """
    topic = check_topic(topic)
    check_whole_number(count, "The number of prompts", 1, MOST_PROMPTS)
    check_seeds([seed])
    return _prompts(model, topic, count, seed)


def answers(model: LanguageModel, question: str, options: WritingOptions, seed: int, most: int) -> Iterator[str]:
    """Answers to one question, at most `most`, with the seeds seed, seed + 1, ...; written in batches as needed."""
    for start in range(0, most, AT_ONCE):
        seeds = [(seed + number) % (MAX_SEED + 1) for number in range(start, min(start + AT_ONCE, most))]
        yield from model.write_all([question] * len(seeds), seeds, options)


def check_topic(topic: str) -> str:
    """The topic on one line.

    Raises:
        InvalidInputError: it is empty or too long.
    """
    line = " ".join(check_text(topic, "A topic").split())
    if not 0 < len(line) <= MOST_TOPIC:
        raise InvalidInputError(
            f"A topic has 1 to {MOST_TOPIC} characters, got {len(line)}. For example: things on a birthday card"
        )
    return line


def _prompts(model: LanguageModel, topic: str, count: int, seed: int) -> Iterator[str]:
    seen = {answer for _, answer in OPTIONS.examples}  # a small model repeats them
    most = max(PATIENCE * count, LEAST_TRIES)
    found = 0
    for answer in islice(answers(model, f"Describe one picture about: {topic}", OPTIONS, seed, most), most):
        line = cleaned(answer)
        if is_usable(line) and line.casefold() not in seen:
            seen.add(line.casefold())
            found += 1
            yield line
            if found == count:
                return
    raise LanguageModelError(
        f"{model.identity.name} must write {count} usable prompts, but wrote {found} in {most} answers. Ask for fewer, "
        f"for another topic, with another --seed, or use a larger model: --lm hf:org/model"
    )
