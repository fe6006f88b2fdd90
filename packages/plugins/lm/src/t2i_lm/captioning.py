"""Descriptions of pictures by an image-to-text model of transformers, such as BLIP (Li et al., ICML 2022)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

import torch
from PIL import Image

from t2i.drawing.picture_file import picture_at
from t2i.errors import InvalidInputError, SnapshotError
from t2i.files import write_atomic
from t2i.hub.download import download
from t2i.hub.shards import WEIGHT_FILES, weights_sha256
from t2i.hub.transformers_folder import check_files
from t2i.language import LanguageModelIdentity
from t2i.progress import Progress, Say, silent, unsaid
from t2i_lm.huggingface import quiet_transformers

DEFAULT_CAPTIONER = "hf:Salesforce/blip-image-captioning-base"
FILES = ["*.json", "*.txt", "*.model", *WEIGHT_FILES]
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
MOST_TOKENS = 40
AT_ONCE = 8


@final
class Captioner:
    """Writes one sentence per picture, always the most likely one, so it needs no seed.

    Attributes:
        identity: its name at the commit, and its weights; recorded with what it wrote.
    """

    def __init__(self, name: str = DEFAULT_CAPTIONER) -> None:
        """
        Args:
            name: "hf:org/name[@revision]" or "hf:folder".

        Raises:
            InvalidInputError: the name has another form.
            OfflineError: it is not on this machine and the Hub is unreachable.
            SnapshotError: it is not an image-to-text model in safetensors.
        """
        kind, _, reference = name.partition(":")
        if kind != "hf" or not reference:
            raise InvalidInputError(f"A captioner is given as {DEFAULT_CAPTIONER} or hf:folder, got {name!r}.")
        if Path(reference).is_dir():
            folder, commit = Path(reference), ""
        else:
            repo, _, revision = reference.partition("@")
            folder, commit = download(repo, revision or None, FILES)
            name = f"{kind}:{repo}@{commit}"
        check_files(folder, FILES)
        self.identity = LanguageModelIdentity(
            name, commit, weights_sha256(folder, "A captioner", "Choose another one.")
        )
        transformers = quiet_transformers()
        trusted = {"trust_remote_code": False, "local_files_only": True}
        try:
            network = transformers.AutoModelForImageTextToText.from_pretrained(folder, use_safetensors=True, **trusted)
            self._processor = transformers.AutoProcessor.from_pretrained(folder, **trusted)
        except Exception as error:  # transformers raises any exception for an unexpected folder
            raise SnapshotError(f"{name!r} is not an image-to-text model for transformers: {error}") from error
        self._network = network.eval().requires_grad_(False)

    @torch.inference_mode()
    def describe(self, pictures: Sequence[Image.Image]) -> list[str]:
        """One sentence per picture."""
        inputs = self._processor(images=list(pictures), return_tensors="pt")
        ids = self._network.generate(**inputs, max_new_tokens=MOST_TOKENS, do_sample=False)
        return [" ".join(text.split()) for text in self._processor.batch_decode(ids, skip_special_tokens=True)]


def caption_folder(
    captioner: Captioner,
    folder: Path,
    *,
    described: Callable[[Path, str], None] = lambda picture, caption: None,
    progress: Progress = silent,
    warn: Say = unsaid,
) -> tuple[int, int]:
    """Write name.txt next to each picture under `folder` that has none.

    Args:
        described: called with each picture and its caption, once the caption is written.
        warn: called with a sentence for each picture that gets no caption.

    Returns:
        How many were written, and how many existed already.

    Raises:
        InvalidInputError: there is no such folder, or no picture in it.
        OutputError: a file cannot be written.
    """
    pictures = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICTURES and path.is_file()]
    if not pictures:
        raise InvalidInputError(f"{folder} holds no picture ({', '.join(PICTURES)}). Give a folder of pictures.")
    todo = [path for path in pictures if not path.with_suffix(".txt").exists()]
    written = 0
    with progress("Describing", len(todo)) as advance:
        for start in range(0, len(todo), AT_ONCE):
            part = todo[start : start + AT_ONCE]
            opened: list[tuple[Path, Image.Image]] = []
            for path in part:
                try:
                    with picture_at(path) as picture:
                        opened.append((path, picture.convert("RGB")))
                except InvalidInputError as error:
                    warn(f"{path} was left out: {error}")
            sentences = captioner.describe([picture for _, picture in opened]) if opened else []
            for (path, _), sentence in zip(opened, sentences, strict=True):
                if sentence:
                    write_atomic(path.with_suffix(".txt"), f"{sentence}\n".encode())
                    written += 1
                    described(path, sentence)
                else:
                    warn(f"{path} was left out: the model wrote no description")
            advance(len(part))
    return written, len(pictures) - len(todo)
