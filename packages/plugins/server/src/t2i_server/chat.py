"""Language models behind the OpenAI chat API: one answer at a time, piece by piece."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, final

from pydantic import BaseModel, ConfigDict, Field

from t2i.create import create_language_model
from t2i.language import LanguageModel, WritingOptions
from t2i.registry.events import texts_written
from t2i_server.errors import ApiError, busy, late

MOST_WAITING = 8  # answers
WAIT_SECONDS = 10.0  # suggested when that many wait
MOST_MESSAGES = 200


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid", strict=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str = Field(max_length=100_000)
    name: str | None = None


@final
class Chat:
    """The served language models, and the one thread in which they write."""

    def __init__(self, names: list[str]) -> None:
        """
        Args:
            names: of language models, as `t2i write --lm` takes them; they are also the ids that clients use.
        """
        self.names = names
        self._models: dict[str, LanguageModel] = {}
        self._thread = ThreadPoolExecutor(1, "writing")
        self._waiting = 0

    async def start(self) -> None:
        """
        Raises:
            UnknownNameError, PluginError, OfflineError, SnapshotError: one cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        for name in self.names:
            self._models[name] = await loop.run_in_executor(self._thread, create_language_model, name)

    def stop(self) -> None:
        """Wait for the answer that is being written."""
        self._thread.shutdown()

    def find(self, name: str) -> LanguageModel:
        """
        Raises:
            ApiError: 404, it is not served.
        """
        if name not in self._models:
            message = f"The language model {name[:100]!r} is not served here. Served: {', '.join(self._models)}."
            raise ApiError(404, message, "model_not_found", "model")
        return self._models[name]

    async def write(
        self, model: LanguageModel, question: str, seed: int, options: WritingOptions, seconds: float
    ) -> AsyncGenerator[str, None]:
        """The answer, piece by piece; nothing more is written once the iteration is closed.

        Args:
            seconds: most time for the whole answer.

        Raises:
            ApiError: 429, too many answers wait; 504, it takes too long.
            InvalidInputError: the question or the seed is invalid.
            LanguageModelError: the model does not answer.
        """
        if self._waiting >= MOST_WAITING:
            raise busy(f"{MOST_WAITING} requests are waiting already. Try again later.", "queue_full", WAIT_SECONDS)
        loop, given_up = asyncio.get_running_loop(), threading.Event()
        ends = loop.time() + seconds
        pieces: asyncio.Queue[str | Exception | None] = asyncio.Queue()

        def work() -> None:
            written: list[str] = []
            try:
                for piece in () if given_up.is_set() else model.write(question, seed, options):
                    if given_up.is_set():
                        break
                    written.append(piece)
                    loop.call_soon_threadsafe(pieces.put_nowait, piece)
                else:
                    texts_written(question, ["".join(written)] if written else [], model.identity, seed)
                end: Exception | None = None
            except Exception as error:  # of any plugin
                end = error
            loop.call_soon_threadsafe(pieces.put_nowait, end)

        self._waiting += 1
        done = loop.run_in_executor(self._thread, work)
        done.add_done_callback(self._done)
        try:
            while True:
                async with asyncio.timeout_at(ends):
                    piece = await pieces.get()
                if not isinstance(piece, str):
                    break
                yield piece
            if piece is not None:
                raise piece
        except TimeoutError:
            raise late(seconds) from None
        finally:
            given_up.set()

    def _done(self, _: object) -> None:
        self._waiting -= 1


def conversation(messages: list[Message]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A conversation as the question and the earlier (question, answer) pairs that language models take.

    The instructions of a system message begin the first question.

    Raises:
        ApiError: 400, the turns are not those of a user and an assistant in alternation, ending with the user.
    """
    system = "\n\n".join(each.content for each in messages if each.role in ("system", "developer"))
    turns = [each for each in messages if each.role in ("user", "assistant")]
    expected = ["user", "assistant"] * (len(turns) // 2) + ["user"]
    if len(messages) > MOST_MESSAGES or [each.role for each in turns] != expected:
        message = f"User and assistant must alternate in at most {MOST_MESSAGES} messages; the last must be the user's."
        raise ApiError(400, message, "invalid_messages", "messages")
    texts = [each.content for each in turns]
    if system:
        texts[0] = f"{system}\n\n{texts[0]}"
    return texts[-1], tuple(zip(texts[:-1:2], texts[1::2], strict=True))
