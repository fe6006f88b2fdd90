"""A prompt for each paragraph: the writer's own, or a language model's, or a noun phrase of the paragraph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from t2i.drawing.provenance import Widened
from t2i.language import LanguageModel, WritingOptions
from t2i.progress import Progress, Say, silent, unsaid
from t2i.registry.events import texts_written
from t2i.seeds import MAX_SEED
from t2i_apps.story.noun_phrase import STARTS, first_sentence, noun_phrases
from t2i_apps.story.text import Paragraph
from t2i_lm.lines import cleaned, is_usable

MOST_ASKED = 1000  # characters of a paragraph that a language model reads
AT_ONCE, PATIENCE = 16, 4  # paragraphs asked about at once, and how often
OPTIONS = WritingOptions(
    max_tokens=40,
    temperature=0.6,
    top_p=0.9,
    stop=("\n",),
    examples=(
        (
            "Describe one picture for this part of a story: The old sailor had not seen land for a month. At dawn he "
            "climbed the mast, and there it was: a lighthouse, white and thin, on a black rock.",
            "a white lighthouse on a black rock at dawn",
        ),
        (
            "Describe one picture for this part of a story: Mira could not sleep. She put the kettle on, and the cat "
            "came to sit on the warm stove beside it.",
            "a cat on a stove beside a steaming kettle",
        ),
        (
            "Describe one picture for this part of a story: The mouse heard an owl, and let go of the apple, which "
            "rolled down the hill.",
            "a mouse on a hill and a rolling apple",
        ),
    ),
)
KNOWN = {answer for _, answer in OPTIONS.examples}  # a small model repeats them


@dataclass(frozen=True)
class Prompt:
    """What to draw for a paragraph.

    Attributes:
        widened: how a language model wrote it; None if none did.
    """

    text: str
    widened: Widened | None = None


def prompts_for(
    paragraphs: Sequence[Paragraph],
    model: LanguageModel | None = None,
    *,
    seed: int = 0,
    style: str = "",
    progress: Progress = silent,
    warn: Say = unsaid,
) -> list[Prompt]:
    """A prompt for each paragraph; the same for the same seed.

    Without a model it is the first noun phrase that no earlier paragraph had, or the first one, or the first sentence.

    Args:
        model: asked about each paragraph whose writer gave no prompt.
        style: added to each prompt, after a comma.
        warn: called for each paragraph that the model wrote nothing usable for; it gets a noun phrase.

    Raises:
        LanguageModelError: the model does not answer.
    """
    written = _written(paragraphs, model, seed, progress) if model is not None else {}
    seen: set[str] = set()
    prompts = []
    for number, paragraph in enumerate(paragraphs):
        prompt = Prompt(paragraph.picture) if paragraph.picture else written.get(number)
        if prompt is None:
            prompt = Prompt(_phrase(paragraph.text, seen))
            if model is not None:
                warn(f"the language model wrote nothing usable for paragraph {number + 1}; {prompt.text!r} is drawn")
        prompts.append(Prompt(f"{prompt.text}, {style}" if style else prompt.text, prompt.widened))
    return prompts


def _phrase(text: str, seen: set[str]) -> str:
    """The first noun phrase that is not in `seen`, to which it is added."""
    phrases = list(noun_phrases(text))
    for phrase in phrases:
        if (thing := _thing(phrase)) not in seen:
            seen.add(thing)
            return phrase
    return phrases[0] if phrases else first_sentence(text)


def _thing(phrase: str) -> str:
    """The phrase without its article, so that "the fox" is "a fox"."""
    first, _, rest = phrase.lower().partition(" ")
    return rest if first in STARTS else phrase.lower()


def _written(paragraphs: Sequence[Paragraph], model: LanguageModel, seed: int, progress: Progress) -> dict[int, Prompt]:
    """The usable prompts that the model wrote, by the paragraph's number."""
    found: dict[int, Prompt] = {}
    asked = [number for number, paragraph in enumerate(paragraphs) if not paragraph.picture]
    with progress("Writing prompts", len(asked)) as advance:
        for start in range(0, len(asked), AT_ONCE):
            part = asked[start : start + AT_ONCE]
            for used in _seeds(seed):
                waiting = [number for number in part if number not in found]
                if not waiting:
                    break
                questions = [_question(paragraphs[number].text) for number in waiting]
                for number, answer in zip(
                    waiting, model.write_all(questions, [used] * len(waiting), OPTIONS), strict=True
                ):
                    if is_usable(line := cleaned(answer)) and line not in KNOWN:
                        text = paragraphs[number].text
                        found[number] = Prompt(line, Widened(text, model.identity.name, model.identity.sha256, used))
                        texts_written(text, [line], model.identity, used)
            advance(len(part))
    return found


def _seeds(seed: int) -> Iterator[int]:
    return ((seed + number) % (MAX_SEED + 1) for number in range(PATIENCE))


def _question(text: str) -> str:
    return f"Describe one picture for this part of a story: {text[:MOST_ASKED]}"
