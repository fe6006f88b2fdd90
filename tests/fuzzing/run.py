"""Fuzzes every reader of untrusted files and prints the counts: `nox -s fuzz`, or with a number of inputs per reader.

Each input must be read, or refused by an error of ours, within SECONDS, and no message may be longer than LONGEST
characters or contain control characters. The first violation ends the session with a traceback.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing.readers import Reader, new_scratch, readers, says

EACH = 3000  # inputs per reader
SECONDS = 10
LONGEST = 2200  # a message of at most 2000 characters inside another sentence


def main() -> None:
    each = int(sys.argv[1]) if len(sys.argv) > 1 else EACH
    total = 0
    with new_scratch() as scratch:
        for reader in readers(Path(scratch)):
            counts, slowest = fuzz(reader, each)
            total += sum(counts.values())
            print(
                f"{reader.name:<16}{sum(counts.values()):>7,} inputs, {counts['read']:>6,} read, "
                f"{counts['refused']:>6,} refused, slowest {slowest:.2f} s, longest message {counts.longest}",
                flush=True,
            )
    print(f"{'together':<16}{total:>7,} inputs: no hang over {SECONDS} s, no other error, no message too long")


class Counts(Counter[str]):
    """How many inputs were read and refused."""

    longest = 0


def fuzz(reader: Reader, inputs: int) -> tuple[Counts, float]:
    """Run `reader` on `count` inputs; returns the counts and the seconds of the slowest one."""
    counts, slowest = Counts(), 0.0

    @settings(
        max_examples=inputs,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        derandomize=False,
    )
    @given(reader.inputs)
    def one(content: bytes) -> None:
        nonlocal slowest
        began = time.process_time()
        with limited(SECONDS):
            read, said = says(reader, content)
        slowest = max(slowest, time.process_time() - began)
        counts["read" if read else "refused"] += 1
        for message in said:
            check(message)
            counts.longest = max(counts.longest, len(message))

    one()
    return counts, slowest


def check(message: str) -> None:
    """
    Raises:
        AssertionError: the message is too long, or contains a control character.
    """
    assert len(message) <= LONGEST, f"a message of {len(message)} characters: {message[:200]!r}"
    bad = [c for c in message if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]
    assert not bad, f"a message with control characters: {message[:200]!r}"


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Fail if the block takes more than `seconds` of this process's time, or ten times as long on the clock."""

    def hang(number: int, frame: object) -> None:
        raise TimeoutError(f"it hangs: more than {seconds} s")

    before = signal.signal(signal.SIGPROF, hang), signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 10 * seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGPROF, before[0])
        signal.signal(signal.SIGALRM, before[1])


if __name__ == "__main__":
    main()
