"""secded_decode: every single and every double error of a code word, and words with many errors."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, parameter
from tests.hw.coded import coded, read, width

DATA, WORD = parameter("Data"), parameter("Word")
CODE = (DATA, WORD)
WIDTH = width(*CODE)


class DecodeBench(Bench):
    """The decoder with the words that its stages hold, and what is to come out of them."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut, reset=None)
        self.stages: list[int | None] = [None, None]
        self.checked = 0

    async def word(self, stored: int, enable: int = 3) -> None:
        """Offers a stored word for a cycle, and compares what comes out."""
        await self.cycle(coded_i=stored, en_i=enable)
        if self.stages[1] is not None:
            found = tuple(int(getattr(self.dut, name).value)
                          for name in ("data_o", "corrected_o", "detected_o"))  # fmt: skip
            assert found == read(*CODE, self.stages[1]), f"of {self.stages[1]:#x}"
            self.checked += 1
        if enable & 2:
            self.stages[1] = self.stages[0]
        if enable & 1:
            self.stages[0] = stored


@cocotb.test()
async def test_all_single_and_double_errors(dut: Any) -> None:
    """Of random words, each bit and each pair of bits is wrong; some without an error between."""
    bench = DecodeBench(dut)
    pairs = [(a, b) for a in range(WIDTH) for b in range(a + 1)]
    for first, second in pairs:
        word = coded(*CODE, bench.rng.getrandbits(DATA))
        await bench.word(word ^ (1 << first | 1 << second))
        if bench.rng.random() < 0.1:
            await bench.word(word)
    await bench.word(0)
    await bench.word(0)
    assert bench.checked >= len(pairs)


@cocotb.test()
async def test_any_word_and_waits(dut: Any) -> None:
    """Words with any number of errors, and stages that wait at random."""
    bench = DecodeBench(dut)
    for _ in range(1500):
        word = coded(*CODE, bench.rng.getrandbits(DATA))
        for _ in range(bench.rng.randrange(6)):
            word ^= 1 << bench.rng.randrange(WIDTH)
        await bench.word(word, bench.rng.randrange(4))
