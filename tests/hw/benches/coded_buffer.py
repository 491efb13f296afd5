"""coded_buffer: words come out as the code reads what the contract stores of them."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import parameter
from tests.hw.benches.buffers import BufferBench
from tests.hw.coded import coded, read, width
from tests.hw.models import FLIP, OFF, SWITCH, Config, Counts

CODE = DATA, WORD = parameter("Data"), parameter("Word")
WORDS = -(-DATA // WORD)


class CodedBench(BufferBench):
    """The module, and what its decoder counts."""

    count_ports = ("count_o", "code_count_o")

    def __init__(self, dut: Any) -> None:
        super().__init__(dut, width(*CODE))

    def forget(self) -> None:
        """Nothing has been written or counted."""
        super().forget()
        self.codes, self.expected_codes = Counts(), Counts()

    def pass_on(self, word: int) -> int:
        """The model writes the coded word; what the decoder makes of it is read and counted."""
        stored = self.model.write(coded(*CODE, word & ((1 << DATA) - 1)))
        data, corrected, detected = read(*CODE, stored)
        self.expected_codes.add(Counts(WORDS, corrected.bit_count(), detected.bit_count()))
        return data

    async def cycle(self, **inputs: int) -> None:
        """One cycle, with what the decoder counts added up."""
        await super().cycle(**inputs)
        self.codes.add(Counts.unpacked(int(self.dut.code_count_o.value)))

    async def finish(self) -> None:
        """Waits for the words that were sent and compares words and both counts."""
        await super().finish()
        assert self.codes == self.expected_codes


@cocotb.test()
async def test_modes_and_timing(dut: Any) -> None:
    """All modes, at rates of a single error and of many, with every mix of source and sink."""
    bench = CodedBench(dut)
    await bench.start()
    for mode in OFF, FLIP, SWITCH, FLIP, OFF:
        for source, sink in (1.0, 1.0), (0.3, 0.9), (0.9, 0.3):
            rate = bench.rng.choice([1 << 28, 1 << 27, 1 << 30])
            await bench.configure(Config(mode, rate, rate // 2, bench.rng.getrandbits(32)))
            bench.source.rate, bench.sink.rate = source, sink
            bench.send(2 * parameter("Depth") + bench.rng.randrange(9))
            await bench.finish()


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset with words under way forgets them, and what they would have counted."""
    bench = CodedBench(dut)
    await bench.start()
    for mode in SWITCH, FLIP, OFF, OFF, OFF:
        await bench.configure(Config(mode, 1 << 29, 1 << 29, bench.rng.getrandbits(32)))
        bench.source.rate = bench.sink.rate = 0.7
        bench.send(200)
        await bench.cycles(bench.rng.randrange(80, 150))
        bench.sink.rate = 0.0
        await bench.until(lambda: bool(int(dut.out_valid_o.value)), "a word at the output")
        bench.sink.rate = 1.0
        await bench.cycle(rst_ni=0)  # in which that word leaves
        await bench.cycle()
        assert not int(dut.code_count_o.value), "a word that leaves in a reset is counted"
        await bench.start()
        bench.send(2 * parameter("Depth") + 1)
        await bench.finish()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """A word a cycle without errors, and as many as its stages hold wait for a reader."""
    bench = CodedBench(dut)
    await bench.start()
    bench.send(100)
    await bench.finish()
    times = bench.sink.cycles
    assert times[-1] - times[0] == 99, "a bubble"
    bench.sink.rate = 0.0
    bench.send(parameter("Depth") + 9)
    taken = bench.source.taken
    await bench.cycles(parameter("Depth") + 20)
    # One behind the encoder's register, two in the decoder.
    assert bench.source.taken == taken + parameter("Depth") + 3
    bench.sink.rate = 1.0
    await bench.finish()
