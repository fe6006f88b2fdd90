"""What a first version of a server looks like: a FastAPI handler that draws one picture after the other."""

from __future__ import annotations

import base64
import sys
import threading

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

import t2i
from t2i.drawing.artist import Request


class Asked(BaseModel):
    prompt: str
    seed: int


def application(model: str) -> FastAPI:
    """The handler at the same address as the server's."""
    app, pipe, turn = FastAPI(), t2i.pipeline(model, device="cpu"), threading.Lock()

    @app.post("/v1/images/generations")
    def generate(asked: Asked) -> dict[str, str]:
        with turn:
            (picture,) = pipe.draw([Request(asked.prompt, asked.seed)])
            return {"b64_json": base64.b64encode(picture.png()).decode()}

    return app


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
