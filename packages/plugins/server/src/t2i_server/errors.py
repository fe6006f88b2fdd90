"""Errors as clients get them: an HTTP status, and a body in the form of the OpenAI API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from t2i.display import printable
from t2i.errors import InvalidInputError, T2IError


class ApiError(Exception):
    """A request that is refused.

    Attributes:
        status: of the answer, such as 429.
        code: a word for programs, such as "queue_full".
        param: the field of the request that is wrong, or None.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(printable(message, keep="\n\t"))
        self.status, self.code, self.param, self.headers = status, code, param, dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """{"error": {"message", "type", "param", "code"}}, which OpenAI's clients read."""
        return {
            "error": {"message": str(self), "type": kind_of(self.status), "param": self.param, "code": self.code},
        }


def busy(message: str, code: str, seconds: float) -> ApiError:
    """429: try again after so many seconds."""
    return ApiError(429, message, code, headers={"Retry-After": str(max(1, round(seconds + 0.5)))})


def late(seconds: float) -> ApiError:
    """504: the deadline has passed."""
    return ApiError(
        504, f"The request was not finished within {seconds:g} s. Request less, or try again later.", "deadline"
    )


def broken(identifier: str) -> ApiError:
    """500: an error that nobody expected; the log has it at the request's identifier."""
    return ApiError(500, f"The server failed; its log has the reason at {identifier}.", "internal")


def as_api_error(error: T2IError) -> ApiError:
    """An error of t2i: 400 with its message if the request is wrong, else 503 without it, because it may name paths."""
    if isinstance(error, InvalidInputError):
        return ApiError(400, str(error))
    return ApiError(503, "The server cannot do this now; its log has the reason.", "unavailable")


def kind_of(status: int) -> str:
    """The type that OpenAI's API gives to errors of this status."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
