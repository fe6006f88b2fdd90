"""Language models on a server with the OpenAI chat API: llama.cpp, vLLM, Ollama, hosted ones."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, final
from urllib.parse import urlsplit

from t2i.arguments import shown
from t2i.errors import InvalidInputError, LanguageModelError
from t2i.language import LanguageModel, LanguageModelIdentity, WritingOptions, check_questions
from t2i_lm.stopping import StopCutter

DEFAULT_ADDRESS = "https://api.openai.com/v1"
KEY, OPENAI_KEY = "T2I_LM_KEY", "OPENAI_API_KEY"
SILENCE_SECONDS = 60.0  # most time between two pieces of an answer
ANSWER_SECONDS = 600.0  # most time for an answer
CHARACTERS_PER_TOKEN = 64  # more than in any tokenizer; a longer answer is one that does not stop
AT_ONCE = 4  # requests


@final
class ServedModel(LanguageModel):
    """A model behind the OpenAI chat API.

    Its identity has no sha256: a server does not prove what it runs.
    """

    def __init__(
        self, reference: str, *, silence_seconds: float = SILENCE_SECONDS, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        """
        Args:
            reference: "http://127.0.0.1:8080/v1#model"; "#model" alone means OpenAI's own server.
            silence_seconds: most time between two pieces of an answer.
            answer_seconds: most time for an answer.

        Raises:
            InvalidInputError: the reference is not an address and a model, or the package openai is missing.
        """
        address, _, model = reference.partition("#")
        self._address, self._model = address or DEFAULT_ADDRESS, model
        parts = urlsplit(self._address)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or not model:
            raise InvalidInputError(
                f"A language model on a server is given as openai:http://127.0.0.1:8080/v1#model, with its key in "
                f"{KEY}, got {shown(f'openai:{reference}')}."
            )
        self._answer_seconds = answer_seconds
        self._client = _client(self._address, _key(parts.hostname), silence_seconds)

    @property
    def identity(self) -> LanguageModelIdentity:
        return LanguageModelIdentity(f"openai:{self._address}#{self._model}", "", "")

    def write(self, question: str, seed: int, options: WritingOptions | None = None) -> Iterator[str]:
        (asked,), (number,) = check_questions([question], [seed])
        return self._answer(asked, number, options or WritingOptions())

    def write_all(
        self, questions: Sequence[str], seeds: Sequence[int], options: WritingOptions | None = None
    ) -> list[str]:
        asked, numbers = check_questions(questions, seeds)
        chosen = options or WritingOptions()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda question, seed: "".join(self._answer(question, seed, chosen)), asked, numbers))

    def _answer(self, question: str, seed: int, options: WritingOptions) -> Iterator[str]:
        cutter, left = StopCutter(options.stop), options.max_tokens * CHARACTERS_PER_TOKEN
        deadline = time.monotonic() + self._answer_seconds
        is_whole = False
        try:
            with self._client.chat.completions.create(**self._request(question, seed, options), stream=True) as stream:
                for chunk in stream:
                    piece, is_last = _understood(chunk)
                    is_whole = is_whole or is_last
                    left -= len(piece)
                    if left < 0:
                        raise self._fault(f"it wrote more than {options.max_tokens} tokens can hold and did not stop")
                    if time.monotonic() > deadline:
                        raise self._fault(f"its answer takes longer than {self._answer_seconds:g} s")
                    yield cutter.push(piece)
                    if cutter.stopped:
                        return
        except LanguageModelError:
            raise
        except Exception as error:  # openai, httpx and json raise their own errors, and a server may cause any
            raise self._fault(_brief(error)) from None
        if not is_whole:
            raise self._fault("it closed the connection before the end of its answer")
        yield cutter.finish()

    def _request(self, question: str, seed: int, options: WritingOptions) -> dict[str, Any]:
        turns = [
            {"role": role, "content": text}
            for example in options.examples
            for role, text in zip(("user", "assistant"), example, strict=True)
        ]
        request = {
            "model": self._model,
            "messages": [*turns, {"role": "user", "content": question}],
            "max_tokens": options.max_tokens,
            "temperature": options.temperature,
            "top_p": options.top_p,
            "seed": seed,
        }
        if options.stop:
            request["stop"] = list(options.stop[:4])  # the API's limit; all of them are cut here
        return request

    def _fault(self, reason: str) -> LanguageModelError:
        return LanguageModelError(
            f"The language model {self._model!r} at {self._address} gave no usable answer: {reason}. Check that the "
            f"server runs and has this model."
        )


def _client(address: str, key: str, silence_seconds: float) -> Any:
    try:
        import openai
    except ImportError:
        raise InvalidInputError(
            "A language model on a server needs the package openai. Install it: pip install 't2i-lm[openai]'"
        ) from None
    return openai.OpenAI(base_url=address, api_key=key, timeout=silence_seconds, max_retries=1)


def _key(host: str) -> str:
    """The key for this server; OpenAI's key is sent to OpenAI alone."""
    own = os.environ.get(KEY)
    return own or (os.environ.get(OPENAI_KEY) if host == "api.openai.com" else None) or "none"


def _understood(chunk: Any) -> tuple[str, bool]:
    """The text of one piece, and whether the server says that it is the last.

    Raises:
        ValueError: it does not have the API's form.
    """
    choices = getattr(chunk, "choices", None)
    if not choices:  # some servers end with a piece of statistics
        return "", False
    delta = getattr(choices[0], "delta", None)
    content = getattr(delta, "content", None)
    if delta is None or not isinstance(content, str | None):
        raise ValueError(f"a piece of its answer is {shown(chunk)}")
    return content or "", bool(getattr(choices[0], "finish_reason", None))


def _brief(error: Exception) -> str:
    """The error's type and first line, printable, without the key that a message may repeat."""
    line = next(iter(str(error).splitlines()), "")
    for variable in (KEY, OPENAI_KEY):
        if key := os.environ.get(variable):
            line = line.replace(key, "...")
    return f"{type(error).__name__}: {ascii(line[:200])[1:-1]}"
