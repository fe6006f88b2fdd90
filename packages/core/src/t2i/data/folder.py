"""Anybody's folder: pictures with a caption file beside each, or one metadata.jsonl for all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from t2i.data.dataset import CaptionedDataset, Example, Problem
from t2i.data.decode import FORMATS, decode_picture
from t2i.errors import DataError

MAX_CAPTION_FILE_BYTES = 1_000_000


class FolderDataset(CaptionedDataset):
    """A folder of pictures, searched to any depth.

    Captions come from `metadata.jsonl` (the Hugging Face imagefolder layout: {"file_name": ..., "text": ...}
    a line; "text" may be a list) where the folder has one, else from `picture.txt` beside `picture.png`, one
    caption a line. Pictures in sub-folders take the sub-folder as their group.
    """

    def __init__(self, folder: Path) -> None:
        """Read the captions; pictures are decoded when asked for.

        Raises:
            DataError: the folder is missing, or holds no captioned picture.
        """
        if not folder.is_dir():
            raise DataError(f"A dataset folder holds pictures and captions, but {folder} is not a folder.")
        self._folder = folder
        self._problems: list[Problem] = []
        metadata = folder / "metadata.jsonl"
        captions = self._from_metadata(metadata) if metadata.is_file() else self._from_text_files()
        self._examples = [
            Example(id=name, captions=lines, group=self._group(name)) for name, lines in sorted(captions.items())
        ]
        if not self._examples:
            found = f"; {len(self._problems)} could not be used, first {self._problems[0]}" if self._problems else ""
            raise DataError(
                f"No captioned picture in {folder}{found}. Put picture.txt, one caption a line, beside each "
                f"picture.png, or a metadata.jsonl with file_name and text."
            )

    @property
    def name(self) -> str:
        return f"folder:{self._folder.resolve().name}"

    @property
    def license(self) -> str:
        return "unknown"

    @property
    def examples(self) -> Sequence[Example]:
        return self._examples

    @property
    def problems(self) -> Sequence[Problem]:
        return self._problems

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(super().fingerprint.encode())
        for example in self._examples:
            facts = (self._folder / example.id).stat()
            digest.update(f"{facts.st_size} {facts.st_mtime_ns}\n".encode())
        return digest.hexdigest()

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        return decode_picture(self._folder / self._examples[index].id, resolution)

    def _group(self, name: str) -> str:
        parent = Path(name).parent
        return name if parent == Path() else str(parent)

    def _from_text_files(self) -> dict[str, tuple[str, ...]]:
        captions = {}
        for path in sorted(self._folder.rglob("*")):
            if path.suffix.lower() not in FORMATS or not path.is_file():
                continue
            name = path.relative_to(self._folder).as_posix()
            text = path.with_suffix(".txt")
            if not text.is_file():
                self._problems.append(Problem(name, f"no caption file {text.name} beside it"))
                continue
            try:
                lines = _lines(text)
            except DataError as error:
                self._problems.append(Problem(name, str(error)))
                continue
            if lines:
                captions[name] = lines
            else:
                self._problems.append(Problem(name, f"{text.name} holds no caption"))
        return captions

    def _from_metadata(self, metadata: Path) -> dict[str, tuple[str, ...]]:
        captions: dict[str, tuple[str, ...]] = {}
        with metadata.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                where = f"{metadata.name}:{number}"
                try:
                    name, lines = _entry(line)
                except DataError as error:
                    self._problems.append(Problem(where, str(error)))
                    continue
                try:
                    path = (self._folder / name).resolve()
                    inside, there = path.is_relative_to(self._folder.resolve()), path.is_file()
                except (OSError, ValueError):  # too long for a file's name, or a NUL in it
                    inside, there = True, False
                if not inside:
                    self._problems.append(Problem(where, f"{name} lies outside the folder"))
                elif not there:
                    self._problems.append(Problem(where, f"there is no picture {name}"))
                else:
                    name = Path(os.path.relpath(self._folder / name, self._folder)).as_posix()
                    captions[name] = captions.get(name, ()) + lines
        return captions


def _entry(line: bytes) -> tuple[str, tuple[str, ...]]:
    try:
        entry = json.loads(line)
        name, text = entry["file_name"], entry["text"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"not an object with file_name and text ({type(error).__name__}: {error})") from None
    if not isinstance(name, str):
        raise DataError("file_name is not a text")
    captions = text if isinstance(text, list) else [text or ""]
    if not all(isinstance(caption, str) for caption in captions):
        raise DataError("text is neither a text nor a list of texts")
    if any("\ud800" <= character <= "\udfff" for caption in captions for character in caption):
        raise DataError("text is not Unicode")
    lines = tuple(caption.strip() for caption in captions if caption.strip())
    if not lines:
        raise DataError("text holds no caption")
    return name, lines


def _lines(path: Path) -> tuple[str, ...]:
    if path.stat().st_size > MAX_CAPTION_FILE_BYTES:
        raise DataError(f"{path.name} is larger than {MAX_CAPTION_FILE_BYTES} bytes")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 at byte {error.start}") from None
    return tuple(line.strip() for line in text.splitlines() if line.strip())
