"""WebDataset shards: tar files in which members with the same name and different suffixes form one sample."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from t2i.data.decode import FORMATS
from t2i.data.readers.captions import CAPTION_FIELDS, MAX_CAPTION_FILE_BYTES
from t2i.data.readers.files import MAX_PICTURE_BYTES, FileDataset, Findings, matching
from t2i.data.readers.tar import open_tar
from t2i.errors import DataError

HINT = "A sample is 0001.jpg with 0001.txt (one caption per line) or 0001.json (with text), and optionally 0001.cls."


def read_webdataset(reference: str | Path, split: str | None = None) -> FileDataset:
    """The samples of tar shards; pictures are read from the shards without unpacking.

    A sample's captions are its `.txt` (one per line) or the `text` of its `.json`; its `.cls` is its group.

    Args:
        reference: a shard, a folder of shards, or a pattern such as "shards/train-*.tar".
        split: use only shards whose names begin with it.

    Raises:
        DataError: there is no such shard, or no sample can be used.
    """
    shards = _shards(reference, split)
    found = Findings()
    for shard in shards:
        for sample in _samples(shard, found):
            sample.add_to(found)
    name = f"webdataset:{Path(reference).name}" + (f":{split}" if split else "")
    return FileDataset(name, found, HINT)


def _shards(reference: str | Path, split: str | None) -> list[Path]:
    path = Path(reference)
    shards = sorted(path.glob("*.tar")) if path.is_dir() else matching(str(reference))
    shards = [shard for shard in shards if shard.name.startswith(split or "")]
    if not shards:
        raise DataError(f"There is no tar shard {reference}{f' beginning with {split}' if split else ''}. {HINT}")
    return shards


@dataclass
class _Sample:
    """Consecutive members of a shard with the same key."""

    shard: Path
    key: str
    picture: tuple[str, int, int] | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    flaw: str = ""

    @property
    def where(self) -> str:
        return f"{self.shard.name}:{self.key}"

    def add_to(self, found: Findings) -> None:
        try:
            if self.flaw:
                raise DataError(self.flaw)
            if self.picture is None:
                raise DataError("a sample without a picture")
            captions, group = self._captions()
        except DataError as error:
            found.leave_out(self.where, str(error))
            return
        suffix, offset, size = self.picture
        found.add(self.where, f"{self.where}{suffix}", captions, group or self.where, self.shard, span=(offset, size))

    def _captions(self) -> tuple[list[object], str]:
        try:
            group = self.texts.get(".cls", b"").decode().strip()
            if ".txt" in self.texts:
                return list(self.texts[".txt"].decode("utf-8-sig").splitlines()), group
            content = json.loads(self.texts.get(".json", b"{}"))
        except UnicodeDecodeError as error:
            raise DataError(f"its text is not UTF-8 at byte {error.start}") from None
        except (ValueError, RecursionError) as error:
            raise DataError(f"its .json cannot be read ({error})") from None
        if not isinstance(content, dict):
            raise DataError("its .json is not an object")
        text = next((content[key] for key in CAPTION_FIELDS if key in content), None)
        if not isinstance(text, str | list | None):
            raise DataError("its .json has neither a text nor a list of texts")
        return text if isinstance(text, list) else [text], group


def _samples(shard: Path, found: Findings) -> Iterator[_Sample]:
    sample: _Sample | None = None
    seen: set[str] = set()
    for key, suffix, offset, size, content in _members(shard, found):
        if sample is None or key != sample.key:
            if sample is not None:
                yield sample
            sample = _Sample(shard, key, flaw="duplicate name" if key in seen else "")
            seen.add(key)
        if suffix in FORMATS:
            if sample.picture is not None:
                sample.flaw = sample.flaw or f"two pictures with the same name ({sample.picture[0]}, {suffix})"
            elif size > MAX_PICTURE_BYTES:
                sample.flaw = sample.flaw or f"{size} bytes are more than {MAX_PICTURE_BYTES // 2**20} MiB"
            sample.picture = (suffix, offset, size)
        elif content is None:
            sample.flaw = sample.flaw or f"its {suffix} is larger than {MAX_CAPTION_FILE_BYTES} bytes"
        else:
            sample.texts[suffix] = content
    if sample is not None:
        yield sample


def _members(shard: Path, found: Findings) -> Iterator[tuple[str, str, int, int, bytes | None]]:
    """Key, suffix, offset, size and (for texts that are not too large) content of each picture and text."""
    try:
        with open_tar(shard) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # or memory grows with the shard
                folder, _, base = member.name.rpartition("/")
                stem, dot, suffix = base.partition(".")
                key, suffix = f"{folder}/{stem}".lstrip("/"), f"{dot}{suffix}".lower()
                if suffix not in FORMATS and suffix not in (".txt", ".json", ".cls"):
                    continue
                if not member.isreg() or member.issparse():
                    found.leave_out(f"{shard.name}:{member.name}", "not a plain file")
                    continue
                content = None
                if suffix not in FORMATS and member.size <= MAX_CAPTION_FILE_BYTES:
                    file = archive.extractfile(member)
                    content = file.read() if file is not None else None
                yield key, suffix, member.offset_data, member.size, content
    except Exception as error:  # Python's reader raises IndexError and more on damaged files
        found.leave_out(
            shard.name, f"not a complete tar file, read up to the damaged part ({error}); unzip a .tar.gz first"
        )
