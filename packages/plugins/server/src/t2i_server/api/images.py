"""POST /v1/images/generations: the OpenAI images API, with seeds and the model's own options as further fields."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from t2i.config import Config
from t2i.drawing.artist import Request as Asked
from t2i.drawing.formats import encoded
from t2i.drawing.picture import Picture
from t2i.errors import T2IError
from t2i.seeds import choose_seeds
from t2i.text import check_prompts
from t2i_server.batching import Order
from t2i_server.errors import ApiError, as_api_error, broken, late
from t2i_server.log import error_text, log_line
from t2i_server.models import ServedModel, public
from t2i_server.responses import EVENTS, answer, event
from t2i_server.state import Server, State, key_of, note, while_connected

router = APIRouter()
MOST_PARTIAL = 100


class ImagesRequest(BaseModel):
    """What to draw. Further fields are options of the model, such as `truncation`."""

    model_config = ConfigDict(extra="allow", strict=True)

    prompt: str
    model: str | None = Field(None, description="one of /v1/models; by default the first")
    n: int | None = Field(None, ge=1, description="pictures; the next ones get seed + 1, seed + 2, ...")
    seed: int | None = Field(None, ge=0, description="of the first picture; by default chosen at random")
    size: str | None = Field(None, description="'auto', or the model's own, such as '64x64'")
    response_format: Literal["b64_json", "url"] | None = Field(None, description="url: a data: URL")
    output_format: Literal["png", "jpeg", "webp"] | None = None
    stream: bool | None = Field(None, description="server-sent events: each picture as it is done")
    partial_images: Annotated[int, Field(ge=0, le=MOST_PARTIAL)] | None = Field(
        None, description="stages of each picture to send first, if the model has stages"
    )
    background: Literal["auto", "opaque"] | None = None
    quality: Literal["auto", "standard"] | None = None
    moderation: Literal["auto"] | None = None
    user: str | None = Field(None, description="not used")
    safety_identifier: str | None = Field(None, description="not used")


class Job:
    """A checked request: its model, options and pictures, and how they are sent."""

    def __init__(self, asked: ImagesRequest, server: State, identifier: str) -> None:
        """
        Args:
            identifier: of the request, in the log.

        Raises:
            ApiError, InvalidInputError: the request is wrong.
        """
        self.id = identifier
        self.model: ServedModel = server.models.find(asked.model)
        self.options: Config = self.model.options(asked.model_extra or {})
        (self.prompt,) = check_prompts(asked.prompt)
        count = asked.n or 1
        if count > server.settings.per_request:
            message = (
                f"A request may ask for at most {server.settings.per_request} pictures, got {count}. Send several."
            )
            raise ApiError(400, message, "too_many_pictures", "n")
        self.seeds = choose_seeds(asked.seed, count)
        self.size = f"{self.model.resolution}x{self.model.resolution}"
        if asked.size not in (None, "auto", self.size):
            message = f"{self.model.id} draws pictures of {self.size}, got {asked.size!r}. Leave size out, or auto."
            raise ApiError(400, message, "invalid_size", "size")
        self.format = asked.output_format or "png"
        self.as_url = asked.response_format == "url"
        self.stream = bool(asked.stream)
        self.partial = asked.partial_images or 0 if asked.stream else 0
        if self.partial and self.model.stages < 2:
            message = f"{self.model.id} draws in one stage, so it has no partial images. Leave partial_images out."
            raise ApiError(400, message, "no_stages", "partial_images")

    @property
    def requests(self) -> list[Asked]:
        return [Asked(self.prompt, seed) for seed in self.seeds]


@router.post("/v1/images/generations", response_model=None)
async def generate(asked: ImagesRequest, request: Request, server: Server) -> Response:
    """Draw pictures of a prompt. The same seed, model and options give the same picture in any batch."""
    job = Job(asked, server, request.state.id)
    key = key_of(request)
    note(request, model=job.model.id, pictures=len(job.seeds), prompt=job.prompt)
    server.rate.spend(key, len(job.seeds))
    order = server.batcher.submit(job.model.id, job.options, job.requests, key=key, partial=job.partial)
    if job.stream:
        return StreamingResponse(_events(job, order, server), media_type=EVENTS)
    try:
        data = await while_connected(request, _all(job, order, server), server.settings.deadline_seconds)
    finally:
        order.cancel()
    return answer(
        {
            "created": int(time.time()),
            "data": data,
            "output_format": job.format,
            "size": job.size,
            "model": job.model.id,
            "options": job.options.model_dump(mode="json"),
        }
    )


async def _all(job: Job, order: Order, server: State) -> list[dict[str, Any]]:
    return await asyncio.gather(*(_sent(job, waiting, server) for waiting in order.pictures))


async def _sent(job: Job, waiting: asyncio.Future[Picture], server: State) -> dict[str, Any]:
    """One picture of an answer."""
    picture = await waiting
    text = await _file(job, picture, server)
    where = {"url": f"data:image/{job.format};base64,{text}"} if job.as_url else {"b64_json": text}
    return {**where, "seed": picture.seed, **({"unread": picture.unread} if picture.unread else {})}


async def _file(job: Job, picture: Picture, server: State) -> str:
    """The picture's file in base64; it is kept first, if pictures are kept."""
    loop = asyncio.get_running_loop()
    if server.keeper is not None:
        await server.keeper.keep(picture)
    return await loop.run_in_executor(server.encoding, _encoded, public(job.model.id, picture).image, job.format)


def _encoded(image: Any, form: str) -> str:
    return base64.b64encode(encoded(image, f".{form}")).decode()


async def _events(job: Job, order: Order, server: State) -> AsyncIterator[bytes]:
    """Each picture's stages, then the picture, as soon as they are drawn; an error is the last event."""
    loop, deadline = asyncio.get_running_loop(), server.settings.deadline_seconds
    ends, sent, left = loop.time() + deadline, [0] * len(job.seeds), len(job.seeds)
    try:
        while left:
            async with asyncio.timeout_at(ends):
                index, made = await order.next()
            if isinstance(made, Picture):
                left -= 1
                more = {"unread": made.unread} if made.unread else {}
                yield _event(job, "completed", await _file(job, made, server), index, usage=USAGE, **more)
            else:
                text = await loop.run_in_executor(server.encoding, _encoded, made, job.format)
                yield _event(job, "partial_image", text, index, partial_image_index=sent[index])
                sent[index] += 1
    except Exception as error:  # of the drawing
        yield event(_api_error(error, job, deadline).body, "error")
    finally:
        order.cancel()


USAGE = {  # OpenAI's clients expect it; nothing is counted here
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}


def _event(job: Job, what: str, text: str, index: int, **more: Any) -> bytes:
    kind = f"image_generation.{what}"
    value = {
        "type": kind,
        "b64_json": text,
        "created_at": int(time.time()),
        "size": job.size,
        "output_format": job.format,
        "background": "opaque",
        "quality": "auto",
        "index": index,
        "seed": job.seeds[index],
        "model": job.model.id,
        **more,
    }
    return event(value, kind)


def _api_error(error: Exception, job: Job, deadline: float) -> ApiError:
    """The error as the last event of a stream; its status was sent already."""
    if isinstance(error, TimeoutError):
        return late(deadline)
    log_line(event="stream failed", id=job.id, error=error_text(error))
    return as_api_error(error) if isinstance(error, T2IError) else broken(job.id)
