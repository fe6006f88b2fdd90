"""The frozen pipeline that a LoRA belongs to, opened once per process: text encoder and generator share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from t2i.drawing.opening import Opening
from t2i.drawing.provenance import ArtistIdentity
from t2i.errors import IntegrityError, InvalidInputError
from t2i.registry.names import ModelName
from t2i_diffusers.files.find import find
from t2i_diffusers.load import load_pipeline, modules, preferred_variants, too_small
from t2i_diffusers.lora.families import Family, Read, family_of
from t2i_diffusers.tiny import tiny_pipeline
from t2i_diffusers.unread import hushed

TINY = "tiny"


class Base:
    """A pipeline whose networks are frozen; copies of a generator share it.

    Attributes:
        name: pinned to a commit, if it is on the Hub.
        sha256: of all its weights.
        text_sha256: of its text encoders' weights.
        words_dim, pooled_dim: widths of the text that its network reads.
    """

    def __init__(self, name: str, revision: str, weights: Mapping[str, str], pipe: Any) -> None:
        self.name, self.revision, self.pipe = name, revision, pipe
        self.sha256 = _combined(weights) if weights else ""
        texts = {file: sha256 for file, sha256 in weights.items() if file.startswith("text_encoder")}
        self.text_sha256 = _combined(texts) if texts else ""
        self.family: Family = family_of(pipe, name)
        text = self.encode(["a"])
        self.words_dim, self.pooled_dim = text.words.shape[-1], text.pooled.shape[-1]
        self._null: Read | None = None
        self._active = ""

    def __deepcopy__(self, memo: Any) -> Base:
        return self

    @property
    def text_dim(self) -> int:
        """Width of a text embedding that holds both."""
        return max(self.words_dim, self.pooled_dim)

    @property
    def network(self) -> Any:
        """The network that draws, which the LoRA changes."""
        return getattr(self.pipe, self.family.denoiser)

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> Read:
        """The captions as the pipeline's text encoders read them."""
        with hushed():
            return self.family.encode(self.pipe, captions)

    def null(self) -> Read:
        """One row that says what the network reads for no text, on the CPU."""
        if self._null is None:
            text = self.encode([""])
            if self.pipe.config.get("force_zeros_for_empty_prompt"):  # as SDXL was trained
                text = Read(torch.zeros_like(text.words), text.mask, torch.zeros_like(text.pooled))
            self._null = text.to(torch.device("cpu"), torch.float32)
        return self._null

    def activate(self, adapter: str) -> None:
        """Let the network draw with this adapter alone."""
        if self._active != adapter:  # setting it reads the installed version of peft from the disk
            self.network.set_adapter(adapter)
            self._active = adapter

    def to(self, device: torch.device) -> None:
        """Move the networks that draw; the text encoders stay where they are."""
        for name, module in modules(self.pipe).items():
            if not name.startswith("text_encoder") and next(module.parameters()).device != device:
                module.to(device)


def open_base(name: str, precision: str = "fp32", opening: Opening | None = None) -> Base:
    """Open the named pipeline on the CPU, with frozen weights; TINY is one with random weights, for tests.

    Args:
        precision: "fp32" or "bf16", of its weights.
        opening: whether to use new files of a repository, and whether to start a large download.

    Raises:
        SnapshotError, OfflineError, IntegrityError, InvalidInputError: it cannot be used or fine-tuned.
    """
    if not name:
        raise InvalidInputError("A LoRA belongs to a pipeline, but none is named. Give it: --from hf-hub:org/repo")
    asked = ModelName.parse(name)
    if asked.kind == "folder":  # found from any working folder
        name = f"local-dir:{asked.folder.resolve()}"
    return _opened(name, precision, opening or Opening("cpu"))


@lru_cache(maxsize=1)
def _opened(name: str, precision: str, opening: Opening) -> Base:
    # in a thread of its own, where no mode of torch is active: the caller may be in one that draws no initial weights
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_load, name, precision, opening).result()


def _load(name: str, precision: str, opening: Opening) -> Base:
    if name == TINY:
        return Base(TINY, "", {}, tiny_pipeline())
    files = find(
        ModelName.parse(name),
        opening,
        preferred_variants("cpu"),
        lambda parts, variant: too_small(parts, variant, "cpu", "auto"),
    )
    pipe = load_pipeline(files, "cpu")
    if precision == "bf16":
        for part in modules(pipe).values():
            part.to(torch.bfloat16)
    return Base(str(files.name.pinned(files.revision)), files.revision, files.sha256, pipe)


def check_base(base: Base, sha256: str | None) -> None:
    """
    Raises:
        IntegrityError: the pipeline's weights are not those that the LoRA was trained for.
    """
    if sha256 is not None and base.sha256 != sha256:
        raise IntegrityError(
            f"The LoRA was trained for weights with the sha256 {sha256}, but those of {base.name} have {base.sha256}. "
            f"Use the version that it was trained with."
        )


def layers(network: nn.Module, adapter: str) -> dict[str, nn.Linear]:
    """The two linear layers of each LoRA called `adapter`, by their names in a LoRA file."""
    ends = (f".lora_A.{adapter}", f".lora_B.{adapter}")
    return {
        name.removesuffix(f".{adapter}"): module
        for name, module in network.named_modules()
        if name.endswith(ends) and isinstance(module, nn.Linear)
    }


def _combined(weights: Mapping[str, str]) -> str:
    return ArtistIdentity("", "", weights, {}, "", {}).weights_sha256
