"""The Hub's own client, with bounded patience, its refusals turned into sentences of ours."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2i.errors import InvalidInputError, T2IError
from t2i.files import unwritable

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LOGIN = "`hf auth login`"
LONGEST_WAIT = 60  # seconds, until the next attempt
DISK_ERRORS = {errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS}


def client() -> HfApi:
    """The Hub's client, at HF_ENDPOINT, with the token of HF_TOKEN or `hf auth login`."""
    from huggingface_hub import HfApi

    return HfApi(library_name="t2i", library_version=version("t2i-core"))


@contextmanager
def asking(refused: Callable[[str, bool], T2IError], patience: float | None = None) -> Iterator[None]:
    """Whatever the client raises in this block becomes `refused(reason, away)`.

    Args:
        refused: makes the error of half a sentence and whether the Hub is away (not there, or not itself)
            rather than unwilling.
        patience: seconds of silence until one attempt is given up; by default HF_HUB_DOWNLOAD_TIMEOUT.

    Raises:
        InvalidInputError: the repository's name is none.
        OutputError: the Hugging Face cache cannot be written.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HFValidationError

    try:
        with _guarded(patience or constants.HF_HUB_DOWNLOAD_TIMEOUT):
            yield
    except T2IError:
        raise
    except HFValidationError as error:
        raise InvalidInputError(f"A Hub model is named org/name, but another name came ({error}).") from None
    except Exception as error:  # a stranger's server can make the client raise anything
        cause = error.__cause__ if isinstance(error, FileNotFoundError | RuntimeError) else None
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise unwritable(Path(constants.HF_HUB_CACHE), error) from None
        raise refused(*_reason(cause or error)) from None


@contextmanager
def _guarded(seconds: float) -> Iterator[None]:
    """Let no request of the client wait longer for a sign of life (of itself it waits for some without end), and
    check each answer."""
    from huggingface_hub import get_session

    def bound(request: Any) -> None:
        waits = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {
            phase: min(waits.get(phase) or seconds, seconds) for phase in ("connect", "read", "write", "pool")
        }

    def plausible(response: Any) -> None:
        _check_plausible(response)

    session = get_session()
    hooks = session.event_hooks
    session.event_hooks = {"request": [*hooks["request"], bound], "response": [*hooks["response"], plausible]}
    try:
        yield
    finally:  # another thread may have added its own
        session.event_hooks = {
            event: [hook for hook in added if hook not in (bound, plausible)]
            for event, added in session.event_hooks.items()
        }


def _check_plausible(response: Any) -> None:
    """Let no answer choose a path here or make the client wait for hours.

    Raises:
        ValueError: a header that the client names files after is no name.
        HTTPStatusError: httpx's; the next attempt is to be later than LONGEST_WAIT.
    """
    if response.request.method == "HEAD":
        for header in ("ETag", "X-Linked-Etag", "X-Repo-Commit"):
            if not re.fullmatch(r'(W/)?"?[\w-]*"?', response.headers.get(header, "")):
                raise ValueError(f"{header} is no name")
    waits = [
        response.headers.get("Retry-After", ""),
        *re.findall(r"\bt\s*=\s*(\d+)", response.headers.get("RateLimit", "")),
    ]
    if any(wait.strip().isdigit() and int(wait) > LONGEST_WAIT for wait in waits):
        response.raise_for_status()


def _reason(error: BaseException) -> tuple[str, bool]:
    """Why the Hub does not give what was asked, as half a sentence, and whether it is away."""
    from huggingface_hub import errors

    transport_error = errors.HfHubHTTPError.__bases__[0]  # httpx's HTTPError, of whichever httpx it uses
    status = getattr(getattr(error, "response", None), "status_code", None)
    match error:
        case errors.OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE forbids to ask", True
        case errors.GatedRepoError():
            return f"its owners grant access: ask for it on its page, then {LOGIN}", False
        case errors.RevisionNotFoundError():
            return "it has no such revision", False
        case errors.RepositoryNotFoundError():
            return f"there is none of that name, or it is private: check the name, or {LOGIN}", False
    match status:
        case 401:
            return f"the token is missing or not accepted (HTTP 401): {LOGIN}, or mend HF_TOKEN", False
        case 403:
            return f"the token does not allow it (HTTP 403): {LOGIN} with one that does", False
        case 404:
            return "there is no such thing (HTTP 404): check the name", False
        case 408 | 429:
            return f"it has too much to do (HTTP {status}): try again in some minutes", True
        case int() if status >= 500:
            return f"it has a trouble of its own (HTTP {status}): try again in some minutes", True
        case int():
            return f"it answers HTTP {status}", False
    if isinstance(error, transport_error | OSError):
        return f"it cannot be reached, or the connection broke ({type(error).__name__})", True
    return f"it answers as no Hub does ({type(error).__name__}): check HF_ENDPOINT", False
