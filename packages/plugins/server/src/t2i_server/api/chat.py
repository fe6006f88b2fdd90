"""POST /v1/chat/completions: the OpenAI chat API, for the language models that are served."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from t2i.errors import T2IError
from t2i.language import WritingOptions
from t2i.seeds import MAX_SEED
from t2i_server.chat import Message, conversation
from t2i_server.errors import ApiError, as_api_error
from t2i_server.responses import EVENTS, answer, event
from t2i_server.state import Server, note, while_connected

router = APIRouter()
Pieces = AsyncGenerator[str, None]


class ChatRequest(BaseModel):
    """A conversation to continue."""

    model_config = ConfigDict(extra="forbid", strict=True)

    messages: list[Message] = Field(min_length=1)
    model: str | None = Field(None, description="one of /v1/models; by default the first language model")
    max_tokens: int | None = Field(None, ge=1, le=8192)
    max_completion_tokens: int | None = Field(None, ge=1, le=8192)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    stop: str | list[str] | None = Field(None, max_length=1000)
    stream: bool | None = None
    n: int | None = Field(None, ge=1, le=1)
    user: str | None = Field(None, description="not used")

    def writing(self, examples: tuple[tuple[str, str], ...]) -> WritingOptions:
        """How to write."""
        most = self.max_completion_tokens or self.max_tokens
        given = {"max_tokens": most, "temperature": self.temperature, "top_p": self.top_p}
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        chosen = {name: value for name, value in given.items() if value is not None}
        return WritingOptions(**chosen, stop=stop, examples=examples)


@router.post("/v1/chat/completions", response_model=None)
async def complete(asked: ChatRequest, request: Request, server: Server) -> Response:
    """Continue a conversation. The same seed gives the same answer."""
    if server.chat is None:
        message = "No language model is served here. The operator starts one with: t2i serve --lm smollm2"
        raise ApiError(404, message, "model_not_found", "model")
    name = asked.model or server.chat.names[0]
    question, examples = conversation(asked.messages)
    note(request, model=name, prompt=question[:2000])
    seed = asked.seed if asked.seed is not None else secrets.randbelow(2**31)
    deadline = server.settings.deadline_seconds
    pieces = server.chat.write(server.chat.find(name), question, seed, asked.writing(examples), deadline)
    head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": name}
    if asked.stream:
        first = await while_connected(request, _first(pieces), deadline)  # an error so early is an ordinary answer
        return StreamingResponse(_events(head, first, pieces), media_type=EVENTS)
    text = await while_connected(request, _joined(pieces), deadline)
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return answer({**head, "object": "chat.completion", "choices": [choice]})


async def _first(pieces: Pieces) -> str:
    return await anext(pieces, "")


async def _joined(pieces: Pieces) -> str:
    async with aclosing(pieces):
        return "".join([piece async for piece in pieces])


async def _events(head: dict[str, Any], first: str, pieces: Pieces) -> AsyncIterator[bytes]:
    def chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return event({**head, "object": "chat.completion.chunk", "choices": [choice]})

    try:
        yield chunk({"role": "assistant", "content": first})
        async for piece in pieces:
            yield chunk({"content": piece})
        yield chunk({}, "stop")
        yield b"data: [DONE]\n\n"
    except (T2IError, ApiError) as error:
        yield event((error if isinstance(error, ApiError) else as_api_error(error)).body)
    finally:
        await pieces.aclose()
