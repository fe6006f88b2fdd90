"""The Hub's own client, with time limits, its errors turned into t2i's errors."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2i.errors import InvalidInputError, T2IError
from t2i.files import unwritable
from t2i.hub.pace import TooLargeError, TooSlowError, paced

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LOGIN = "`hf auth login`"
LONGEST_WAIT = 60  # seconds until the next attempt
MAX_ANSWER_BYTES = 32_000_000  # of the API; a list of 100,000 files takes about 20 MB
DISK_ERRORS = {errno.EACCES, errno.EDQUOT, errno.ENOSPC, errno.EPERM, errno.EROFS}


def client() -> HfApi:
    """The Hub's client, at HF_ENDPOINT, with the token of HF_TOKEN or `hf auth login`."""
    from huggingface_hub import HfApi

    return HfApi(library_name="t2i", library_version=version("t2i-core"))


@contextmanager
def asking(refused: Callable[[str, bool], T2IError], patience: float | None = None) -> Iterator[None]:
    """Turn whatever the client raises in this block into `refused(reason, unreachable)`.

    Args:
        refused: makes the error from a reason (half a sentence) and `unreachable`, whether the Hub is unreachable or
            failing rather than refusing.
        patience: seconds without a response until an attempt is given up; by default HF_HUB_DOWNLOAD_TIMEOUT.

    Raises:
        InvalidInputError: the repository's name is not valid.
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
        raise InvalidInputError(f"A Hub model must be named org/name ({error}).") from None
    except Exception as error:  # an untrusted server can make the client raise anything
        cause = error.__cause__ if isinstance(error, FileNotFoundError | RuntimeError) else None
        if isinstance(error, OSError) and error.errno in DISK_ERRORS:
            raise unwritable(Path(constants.HF_HUB_CACHE), error) from None
        raise refused(*_reason(cause or error)) from None


@contextmanager
def offline() -> Iterator[None]:
    """For the block, behave as if HF_HUB_OFFLINE were set; the cache is still used."""
    from huggingface_hub import constants

    before, said = os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE
    os.environ["HF_HUB_OFFLINE"], constants.HF_HUB_OFFLINE = "1", True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = said
        if before is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before


@contextmanager
def _guarded(seconds: float) -> Iterator[None]:
    """Limit how long the client waits for a response (by default it has no limit for some requests), and check
    each response."""
    from huggingface_hub import get_session

    def bound(request: Any) -> None:
        request.headers["Accept-Encoding"] = "identity"  # a few bytes could unpack to gigabytes
        waits = request.extensions.get("timeout", {})
        request.extensions["timeout"] = {
            phase: min(waits.get(phase) or seconds, seconds) for phase in ("connect", "read", "write", "pool")
        }

    def plausible(response: Any) -> None:
        _check_plausible(response)
        most = MAX_ANSWER_BYTES if response.request.url.path.startswith("/api/") else None
        response.stream = paced(response.stream, most)

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
    """Do not let a response choose a local path, make the client wait for hours, or unpack to gigabytes.

    Raises:
        ValueError: a header that the client uses as a file name is not a plain name, or the response is compressed.
        HTTPStatusError (of httpx): the server asks to wait longer than LONGEST_WAIT.
    """
    if response.request.method == "HEAD":
        for header in ("ETag", "X-Linked-Etag", "X-Repo-Commit"):
            if not re.fullmatch(r'(W/)?"?[\w-]*"?', response.headers.get(header, "")):
                raise ValueError(f"{header} is not a plain name")
    if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise ValueError("its response is compressed, although this was not requested")
    waits = [
        response.headers.get("Retry-After", ""),
        *re.findall(r"\bt\s*=\s*(\d+)", response.headers.get("RateLimit", "")),
    ]
    if any(wait.strip().isdigit() and int(wait) > LONGEST_WAIT for wait in waits):
        response.raise_for_status()


def _reason(error: BaseException) -> tuple[str, bool]:
    """Why the request failed, as half a sentence, and whether the Hub is unreachable or failing."""
    from huggingface_hub import errors

    transport_error = errors.HfHubHTTPError.__bases__[0]  # the HTTPError of the httpx that huggingface_hub uses
    status = getattr(getattr(error, "response", None), "status_code", None)
    match error:
        case errors.OfflineModeIsEnabled():
            return "HF_HUB_OFFLINE is set", True
        case errors.GatedRepoError():
            return f"it is gated: request access on its page, then {LOGIN}", False
        case errors.RevisionNotFoundError():
            return "it has no such revision", False
        case errors.RepositoryNotFoundError():
            return f"there is no repository of that name, or it is private: check the name, or {LOGIN}", False
    match status:
        case 401:
            return f"the token is missing or invalid (HTTP 401): {LOGIN}, or fix HF_TOKEN", False
        case 403:
            return f"the token lacks permission (HTTP 403): {LOGIN} with one that has it", False
        case 404:
            return "it was not found (HTTP 404): check the name", False
        case 408 | 429:
            return f"it is overloaded (HTTP {status}): try again in a few minutes", True
        case int() if status >= 500:
            return f"it has a server error (HTTP {status}): try again in a few minutes", True
        case int():
            return f"it responded with HTTP {status}", False
    if isinstance(error, TooSlowError | TooLargeError):
        return str(error), isinstance(error, TooSlowError)
    if isinstance(error, transport_error | OSError):
        return f"it cannot be reached, or the connection broke ({type(error).__name__})", True
    return f"it does not respond like a Hub ({type(error).__name__}): check HF_ENDPOINT", False
