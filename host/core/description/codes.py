"""SECDED codes of memories: of each word how it is cut into code words, and the check matrix.

The one home of the code's tables: the build hands them to the RTL (`secded_encode`,
`secded_decode`), the emulator and the evaluator compute with them (`spinflow.host.core.secded`). Of
the check matrix, as of Hsiao's code, each data bit has a column of an odd number of ones, three or
more, and each check bit a unit vector. So the syndrome of one error has an odd number of ones and
names its place, that of two an even number, not 0: it is never mistaken for one error. Three errors
can look like one, and then a fourth bit is flipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

SCHEME = "secded"
"""Its name, in commands and in accel.json."""

LEAST_WORD, MOST_WORD = 4, 128
"""Most data bits of a code word, as a build takes them."""


def check_bits(data: int) -> int:
    """Return the check bits of a code word of ``data`` bits: as many as extended Hamming has."""
    check = 3
    while 2 ** (check - 1) - check < data:
        check += 1
    return check


@cache
def columns(data: int) -> tuple[int, ...]:
    """Return the columns of the check matrix, one for each data bit; bit r is of check bit r.

    Columns of few ones come first, and of these the ones that burden no check bit more than others,
    so that no check is a larger parity than it must be.
    """
    check = check_bits(data)
    load: list[int] = [0] * check
    found: list[int] = []
    for ones in range(3, check + 1, 2):
        left = list(combinations(range(check), ones))
        while left and len(found) < data:
            rows = min(left, key=lambda rows: sorted((load[row] for row in rows), reverse=True))
            left.remove(rows)
            for row in rows:
                load[row] += 1
            found.append(sum(1 << row for row in rows))
    return tuple(found)


@dataclass(frozen=True)
class Code:
    """How the words of a memory are coded.

    A word is cut into code words of equal size, the last one perhaps shorter. What is stored is the
    data as they are and, behind them, the check bits of all code words.

    Attributes:
        data: bits of a word without check bits.
        word: data bits of a code word; the last of a memory's word may have fewer.
    """

    data: int
    word: int

    @classmethod
    def of(cls, data: int, most: int) -> Code:
        """Return the code of words of ``data`` bits, in the fewest code words of up to ``most``."""
        words = -(-data // most)
        return cls(data, -(-data // words))

    @property
    def words(self) -> int:
        """Code words of a memory's word."""
        return -(-self.data // self.word)

    @property
    def check(self) -> int:
        """Check bits of a code word."""
        return check_bits(self.word)

    @property
    def width(self) -> int:
        """Bits of a memory's word as it is stored."""
        return self.data + self.words * self.check

    def as_json(self) -> dict[str, Any]:
        """Return the entry of accel.json."""
        return {"scheme": SCHEME, "data": self.data, "word": self.word}
