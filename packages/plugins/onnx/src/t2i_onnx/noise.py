"""torch's random numbers without torch: the same numbers for the same seed, so the same pictures.

torch's CPU generator is the Mersenne Twister (Matsumoto and Nishimura 1998), seeded with the seed's lower 32 bits. It
makes normal numbers by the transform of Box and Muller (1958): fewer than 16 at once in pairs, in float64; more in
blocks of 16, in float32.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FEW = 16
TWO_PI = np.float32(2 * math.pi)


class Stream:
    """The numbers that `torch.Generator().manual_seed(seed)` gives on a CPU, in the same order.

    Uniform numbers and fewer than 16 normal ones are equal bit for bit. For 16 or more, torch takes logarithms and
    sines from the CPU's vector instructions, so they differ by at most 3 units in the last place.
    """

    def __init__(self, seed: int) -> None:
        """
        Args:
            seed: in [0, 2**63).
        """
        self._words = np.random.RandomState(seed & 0xFFFFFFFF)._bit_generator  # seeded as in the paper of 2002
        self._second: float | None = None  # of a pair

    def uniform(self, count: int) -> NDArray[np.float32]:
        """`count` numbers in [0, 1), each from the lower 24 bits of a word."""
        words: NDArray[np.uint64] = self._words.random_raw(count)
        return (words & np.uint64(0xFFFFFF)).astype(np.float32) * np.float32(2**-24)

    def normal(self, count: int) -> NDArray[np.float32]:
        """`count` standard normal numbers."""
        if count < FEW:
            return np.array([self._one() for _ in range(count)], np.float32)
        whole = count // FEW * FEW
        uniform = self.uniform(count)
        numbers = np.empty(count, np.float32)
        numbers[:whole] = _blocks(uniform[:whole])
        if whole < count:
            numbers[-FEW:] = _blocks(self.uniform(FEW))  # the last 16 are drawn again
        return numbers

    def _one(self) -> float:
        if self._second is not None:
            number, self._second = self._second, None
            return number
        a, b, c, d = (int(word) for word in self._words.random_raw(4))
        angle = 2 * math.pi * _double(a, b)
        radius = math.sqrt(-2 * math.log1p(-_double(c, d)))
        self._second = radius * math.sin(angle)
        return radius * math.cos(angle)


def _double(high: int, low: int) -> float:
    """A number in [0, 1) from the lower 53 bits of two words."""
    return ((high << 32 | low) & (2**53 - 1)) * 2.0**-53


def _blocks(uniform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Eight radii and eight angles become sixteen normal numbers, block by block."""
    of_radius, of_angle = np.moveaxis(uniform.reshape(-1, 2, FEW // 2), 1, 0)
    radius, angle = np.sqrt(-2 * np.log(1 - of_radius)), TWO_PI * of_angle
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)
