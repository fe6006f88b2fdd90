"""What an operator decides: limits, and what the server may keep and show."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from t2i.config import Config

BODY_BYTES = 256 * 1024  # of a request in JSON
PICTURE_BYTES = 20 * 2**20  # of a picture whose provenance is asked for
BODY_SECONDS = 20.0  # most time in which a request's body arrives
SEND_SECONDS = 30.0  # most time for which a client may not read its answer
IDLE_SECONDS = 10.0  # most time in which a request's headers arrive
CONNECTIONS = 512  # at once; beyond, requests are refused


class ServerSettings(Config):
    """Limits of a server, and what it keeps and shows."""

    batch: int = Field(32, ge=1, le=4096, description="most pictures drawn at once")
    wait_ms: float = Field(3.0, ge=0, le=1000, description="time in which a batch waits for more requests, in ms")
    queue: int = Field(256, ge=1, le=100_000, description="most pictures accepted and not yet drawn")
    per_request: int = Field(10, ge=1, le=1000, description="most pictures of one request")
    per_key: int = Field(64, ge=1, le=100_000, description="most pictures accepted and not yet drawn, for each key")
    per_minute: int = Field(0, ge=0, le=1_000_000, description="most pictures a minute for each key; 0: no limit")
    deadline_seconds: float = Field(60.0, gt=0, le=86_400, description="most time for one request")
    memory_mib: int = Field(4096, ge=1, description="most memory for the weights of models, in MiB")
    log_prompts: bool = Field(False, description="write prompts into the access log")
    keep: Path | None = Field(None, description="a folder for every picture; the index records them")
    search: bool = Field(False, description="let clients search the index")
    allow_origins: tuple[str, ...] = Field((), description="other websites that may use the API in a browser")
