"""The results of a reader: usable records, and a list of everything that was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from t2i.data.dataset import Example, Problem
from t2i.data.decode import Box
from t2i.data.formats import suffix_of
from t2i.data.readers.captions import usable_captions, usable_group
from t2i.data.readers.sources import Source
from t2i.display import printable
from t2i.plain_text import as_unicode

LONGEST = 400  # characters of a problem's place and reason, which may be names from an untrusted table


@dataclass(frozen=True, slots=True)
class Record:
    """An example and where its picture is.

    Attributes:
        box: the part of the picture to use; by default all of it.
    """

    example: Example
    source: Source
    box: Box | None = None


class Findings:
    """The results of a reader so far. Names become ids and valid Unicode here."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.problems: list[Problem] = []
        self.sentences: list[str] = []
        self._others: Counter[str] = Counter()

    def leave_out(self, where: str, reason: str) -> None:
        """Record that something is left out."""
        self.problems.append(_problem(where, reason, skipped=True))

    def note(self, where: str, reason: str) -> None:
        """Record that something is used after a change."""
        self.problems.append(_problem(where, reason, skipped=False))

    def remark(self, sentence: str) -> None:
        """Record how the files are read."""
        self.sentences.append(as_unicode(sentence))

    def pass_over(self, name: str) -> None:
        """Count a file that is neither a picture nor a caption."""
        self._others[suffix_of(name) or name.rpartition("/")[2]] += 1

    @property
    def remarks(self) -> list[str]:
        """How the files were read, and how many files of which kinds were skipped."""
        if not self._others:
            return self.sentences
        kinds = ", ".join(f"{count:,} {as_unicode(kind)}" for kind, count in self._others.most_common(8))
        more = f" and {len(self._others) - 8} more kinds" if len(self._others) > 8 else ""
        return [*self.sentences, f"Files that are neither pictures nor captions are skipped: {kinds}{more}."]

    def captions(self, where: str, texts: Iterable[object]) -> tuple[str, ...]:
        """The usable ones of `texts`; records why others are not, and leaves `where` out if none is."""
        usable = usable_captions(texts)
        if not usable.captions:
            self.leave_out(where, usable.unusable or "it has no caption")
        elif usable.unusable:
            self.note(where, f"{usable.unusable}, left out")
        if usable.note:
            self.note(where, usable.note)
        return usable.captions

    def group(self, where: str, value: object) -> str:
        """The usable name of a group, or ""; records why it is not usable."""
        name, flaw = usable_group(value)
        if flaw:
            self.note(where, f"{flaw}, left out")
        return name

    def add(
        self,
        where: str,
        name: str,
        captions: Iterable[object],
        group: str,
        source: Source,
        box: Box | None = None,
        repeats: int = 1,
    ) -> None:
        """Keep a picture with its usable captions; `where` locates it in a problem."""
        if kept := self.captions(where, captions):
            example = Example(as_unicode(name), kept, as_unicode(group), repeats)
            self.records.append(Record(example, source, box))


def _problem(where: str, reason: str, skipped: bool) -> Problem:
    return Problem(printable(as_unicode(where), LONGEST), printable(as_unicode(reason), LONGEST), skipped)
