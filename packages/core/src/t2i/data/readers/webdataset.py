"""WebDataset shards: tar files in which members with the same name and different suffixes form one sample."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from t2i.data.decode import MAX_PICTURE_BYTES
from t2i.data.formats import FORMATS, UNREAD, is_picture, suffix_of, why_unread
from t2i.data.readers.captions import MAX_CAPTION_FILE_BYTES, Columns, listed
from t2i.data.readers.files import FileDataset
from t2i.data.readers.findings import Findings
from t2i.data.readers.sidecars import TEXT_SUFFIXES, caption_lines
from t2i.data.readers.sources import Span, matching
from t2i.data.readers.splits import default_split, first_word
from t2i.data.readers.tar import open_tar
from t2i.data.readers.tree import is_hidden
from t2i.errors import DataError

TEXTS = (*TEXT_SUFFIXES, ".json", ".cls")
HINT = "A sample is 0001.jpg with 0001.txt (one caption per line) or 0001.json (with text), and optionally 0001.cls."


def read_webdataset(reference: str | Path, split: str | None = None) -> FileDataset:
    """The samples of tar shards; pictures are read from the shards without unpacking.

    A sample's captions are its `.txt` (one per line) or the `text` of its `.json`; its `.cls` is its group.

    Args:
        reference: a shard, a folder of shards, or a pattern such as "shards/train-*.tar".
        split: use only shards whose names begin with it; by default "train", if the names of all shards in a folder
            begin with a split.

    Raises:
        DataError: there is no such shard, or no sample can be used.
    """
    found = Findings()
    if split is None and Path(reference).is_dir():
        sizes = Counter(first_word(shard.name) for shard in _shards(reference, None))
        split, remark = default_split(sizes, "shards", "webdataset", str(reference))
        if split is not None:
            found.remark(remark)
    shards = _shards(reference, split)
    for shard in shards:
        for sample in _samples(shard, found):
            sample.add_to(found)
    name = f"webdataset:{Path(reference).name}" + (f":{split}" if split else "")
    return FileDataset(name, found, HINT, location=str(Path(reference).resolve()))


def _shards(reference: str | Path, split: str | None) -> list[Path]:
    path = Path(reference)
    shards = sorted(path.glob("*.tar")) if path.is_dir() else matching(str(reference))
    shards = [shard for shard in shards if shard.name.startswith(split or "")]
    if not shards:
        raise DataError(f"There is no tar shard {reference}{f' beginning with {split}' if split else ''}. {HINT}")
    return shards


@dataclass
class _Sample:
    """Consecutive members of a shard with the same key; `unread` is the suffix of a picture that is not supported."""

    shard: Path
    key: str
    picture: tuple[str, int, int] | None = None
    unread: str = ""
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
                raise DataError(why_unread(f"it{self.unread}") or "a sample without a picture")
            captions, group = self._captions()
        except DataError as error:
            found.leave_out(self.where, str(error))
            return
        suffix, offset, size = self.picture
        group = found.group(self.where, group) or self.where
        found.add(self.where, f"{self.where}{suffix}", captions, group, Span(self.shard, offset, size))
        if self.unread:
            found.leave_out(f"{self.where}{self.unread}", why_unread(f"it{self.unread}"))

    def _captions(self) -> tuple[list[object], str]:
        group = "".join(caption_lines(self.texts.get(".cls", b""), "its .cls"))
        suffix = next((suffix for suffix in TEXT_SUFFIXES if suffix in self.texts), None)
        if suffix is not None:
            return list(caption_lines(self.texts[suffix], f"its {suffix}")), group
        try:
            content = json.loads(self.texts.get(".json", b"{}"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"its .json cannot be read ({str(error)[:100]})") from None
        if not isinstance(content, dict):
            raise DataError("its .json is not an object")
        if not content:
            return [], group
        column = Columns().caption_of(list(content))
        return listed(content[column], f"{column} in its .json"), group


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
        elif suffix in UNREAD:
            sample.unread = suffix
        elif content is None:
            sample.flaw = sample.flaw or f"its {suffix} is larger than {MAX_CAPTION_FILE_BYTES} bytes"
        else:
            sample.texts[suffix] = content
    if sample is not None:
        yield sample


def _members(shard: Path, found: Findings) -> Iterator[tuple[str, str, int, int, bytes | None]]:
    """Key, suffix, offset, size and (for texts that are not too large) content of each picture and text."""
    last = ""
    try:
        with open_tar(shard) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # or memory grows with the shard
                if member.isdir() or any(map(is_hidden, PurePosixPath(member.name.replace("../", "")).parts)):
                    continue
                key, suffix = _key_and_suffix(member.name, last)
                last = key
                if suffix not in FORMATS and suffix not in UNREAD and suffix not in TEXTS:
                    if is_picture(member.name) or suffix_of(member.name) in TEXTS:
                        found.leave_out(f"{shard.name}:{member.name}", f"{suffix} of a sample is not read")
                    else:
                        found.pass_over(member.name)
                    continue
                if not member.isreg() or member.issparse():
                    found.leave_out(f"{shard.name}:{member.name}", "not a plain file")
                    continue
                content = None
                if suffix in TEXTS and member.size <= MAX_CAPTION_FILE_BYTES:
                    file = archive.extractfile(member)
                    content = file.read() if file is not None else None
                yield key, suffix, member.offset_data, member.size, content
    except Exception as error:  # Python's reader raises IndexError and more on damaged files
        found.leave_out(
            shard.name, f"not a complete tar file, read up to the damaged part ({error}); unzip a .tar.gz first"
        )


def _key_and_suffix(name: str, last: str) -> tuple[str, str]:
    """The sample a member belongs to, and what it is in it.

    WebDataset ends the key at the first dot of the file's name, so that 0001.seg.png is another picture of sample
    0001. In IMG_22.05.jpg, if there is no sample IMG_22 before it, the dot is part of the name.

    Args:
        last: the key of the member before.
    """
    folder, _, base = name.rpartition("/")
    stem, _, rest = base.partition(".")
    first = f"{folder}/{stem}".lstrip("/")
    suffix = f".{rest}".lower()
    if "." not in rest or first == last:
        return first, suffix
    stem, _, rest = base.rpartition(".")
    return f"{folder}/{stem}".lstrip("/"), f".{rest}".lower()
