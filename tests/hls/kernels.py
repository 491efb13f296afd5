"""C simulations of the HLS kernels for the tests: foldings, and what benches read and wrote."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spinflow.hls.kernels import csim
from spinflow.hls.kernels.catalogue import KERNELS, Kernel
from spinflow.hls.kernels.vectors import Parameters, Vectors

CASES = 200

FOLDINGS = {
    "xnor_popcount": ["Width=1", "Width=145"],
    "binary_mvu": [
        "",
        "Mw=45 Mh=6 Pe=2 Simd=9",
        "Mw=70 Mh=3 Pe=3 Simd=70",
        "Mw=24 Mh=5 Pe=1 Simd=8 HasThreshold=0 OutBits=5",
        "Mw=27 Mh=8 Pe=2 Simd=3 InBits=8",
        "Mw=12 Mh=4 Pe=2 Simd=4 InBits=8 HasThreshold=0 OutBits=13",
    ],
    "bin_maxpool": ["", "Rows=6 Columns=10 Folds=1 Pe=3 Size=3"],
    "label_select": ["", "Labels=12 Pe=4 InBits=3", "Labels=5 Pe=5 InBits=16"],
    "draw_block": [""],
    "buffer_mem": ["", "Width=3 Depth=5 Words=40", "Width=40 Depth=2 Words=7"],
    "weight_mem": ["", "Width=5 Depth=9", "Width=97 Depth=3"],
}
"""Parameters of each kernel that are simulated; what is not said is as the catalogue has it."""

EACH = [(name, words) for name, each in FOLDINGS.items() for words in each]
IDS = [f"{name} {words}".strip().replace(" ", "-") for name, words in EACH]


@dataclass(frozen=True)
class Simulated:
    """A kernel's run.

    Attributes:
        kernel, parameters: what was compiled.
        vectors: cases with what is expected, and thresholds.
        found: what the bench wrote, a row a case.
    """

    kernel: Kernel
    parameters: Parameters
    vectors: Vectors
    found: list[list[int]]

    def cases(self) -> Iterator[tuple[Row, list[int]]]:
        """What the bench read for each case, and what it wrote."""
        for case, found in zip(self.vectors.cases, self.found, strict=True):
            yield Row(list(case.inputs)), found


class Row:
    """The numbers of a case, taken from the front."""

    def __init__(self, numbers: list[int]) -> None:
        self._numbers = numbers

    def take(self, count: int) -> list[int]:
        """The next numbers."""
        taken, self._numbers = self._numbers[:count], self._numbers[count:]
        assert len(taken) == count
        return taken

    def rest(self) -> list[int]:
        """All that are left."""
        return self.take(len(self._numbers))


def simulated(name: str, words: str, work: Path, seed: int = 1) -> Simulated:
    """Compile and run a kernel; what comes of it is read, not yet held against anything."""
    kernel = KERNELS[name]
    parameters = kernel.parameters(words.split())
    vectors = kernel.make(parameters, CASES, seed)
    csim.prepare(kernel, parameters, vectors, work)
    assert csim.run(csim.compiled(kernel, work), work) == f"{CASES} cases agree"
    return Simulated(kernel, parameters, vectors, csim.read(work))


def signed(number: int, bits: int) -> int:
    """A number of so many bits as two's complement."""
    return number - (number >> bits - 1 << bits)


def split(words: list[int], bits: int, each: int) -> list[int]:
    """The numbers in words of `each` numbers of `bits` bits; padding is left out."""
    return [word >> bits * n & (1 << bits) - 1 for word in words for n in range(each)]
