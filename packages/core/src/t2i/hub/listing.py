"""What a repository on the Hub holds, without downloading it."""

from __future__ import annotations

import re
import time
from collections.abc import Set
from typing import TYPE_CHECKING, Any

from t2i.errors import OfflineError, SnapshotError, T2IError
from t2i.hub.client import asking, client
from t2i.hub.layout import CONFIG

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

COMMIT = re.compile(r"[0-9a-f]{40}")
PAUSES = (1.0, 3.0)  # seconds before the next attempt, after an error of the server


def listing(repo: str, revision: str | None) -> ModelInfo:
    """The commit and its list of files with sizes and hashes, in one request; for a block of `asking`.

    Args:
        revision: a commit, branch or tag; by default "main".
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    for pause in (*PAUSES, None):
        try:
            timeout = constants.HF_HUB_ETAG_TIMEOUT
            found = client().model_info(repo, revision=revision, files_metadata=True, timeout=timeout)
            break
        except HfHubHTTPError as error:
            if pause is None or error.response.status_code < 500:
                raise
            time.sleep(pause)
    if not COMMIT.fullmatch(found.sha or ""):
        raise ValueError("the commit's hash is not valid")
    return found


def ask(repo: str, revision: str | None) -> ModelInfo:
    """As `listing`, with t2i's errors.

    Raises:
        OfflineError: the Hub cannot be reached, or HF_HUB_OFFLINE forbids it.
        SnapshotError: the Hub refuses, or has no such repository or revision.
    """
    where = f"{repo}@{revision}" if revision else repo

    def refused(reason: str, unreachable: bool) -> T2IError:
        if unreachable:
            return OfflineError(
                f"The Hub's list of {where} cannot be read: {reason}. Connect and unset HF_HUB_OFFLINE."
            )
        return SnapshotError(f"{where} cannot be downloaded from the Hub: {reason}.")

    with asking(refused):
        return listing(repo, revision)


def license_of(found: ModelInfo) -> str:
    """The licence as the repository's card names it, or "unknown"; at most 80 characters."""
    card: Any = found.card_data
    if card is None:
        return "unknown"
    named = getattr(card, "license_name", None) if card.license in (None, "other") else card.license
    return str(named or card.license or "unknown")[:80]


def files_among(repo: str, revision: str, names: Set[str]) -> Set[str]:
    """Those of the files `names` that a repository has at its root, in one request; a snapshot in the cache answers
    without one.

    Raises:
        InvalidInputError, OfflineError, SnapshotError: as `ask`, if the cache does not know.
    """
    from huggingface_hub import try_to_load_from_cache

    def refused(reason: str, unreachable: bool) -> T2IError:
        return SnapshotError(f"{repo} cannot be looked up in the cache: {reason}.")

    def is_cached(name: str) -> bool:
        return isinstance(try_to_load_from_cache(repo, name, revision=revision or None), str)

    with asking(refused):
        cached = {name for name in names if is_cached(name)}
        if cached or is_cached(CONFIG):  # a snapshot of ours has no artist's marker
            return cached
    return names & {file.rfilename for file in ask(repo, revision or None).siblings or ()}
