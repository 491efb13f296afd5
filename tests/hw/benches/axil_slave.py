"""axil_slave: random traffic, with pauses on all five channels, to a memory that answers late.

Writes of every strobe are among it: those of whole words reach the memory, no others do.
"""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal

OKAY, SLVERR = 0, 2
BAD = 0x3F0  # the address that the bus refuses
WHOLE = 0xF  # the strobe of a whole word


class Joined:
    """Ports that travel together, as one port; the first is lowest."""

    def __init__(self, *ports: Any) -> None:
        self.ports = ports

    def __len__(self) -> int:
        return sum(len(port) for port in self.ports)

    @property
    def value(self) -> int:
        """What the ports carry."""
        total = shift = 0
        for port in self.ports:
            total |= int(port.value) << shift
            shift += len(port)
        return total

    @value.setter
    def value(self, number: int) -> None:
        for port in self.ports:
            port.value = number & (1 << len(port)) - 1
            number >>= len(port)


class Bus:
    """What is behind the slave: acknowledges after a random time, keeps words, notes accesses."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.dut, self.rng = bench, bench.dut, bench.rng
        self.words: dict[int, int] = {}
        self.writes: list[tuple[int, int]] = []
        self.reads: list[int] = []
        self.responses: list[int] = []  # what B must say
        self.answers: list[int] = []  # what R must say, response above data
        self.longest = 0
        self.withdraw()
        bench.agents.append(self)

    def withdraw(self) -> None:
        """Forget the access under way."""
        self.left: int | None = None
        self.dut.ack_i.value = 0
        for seen in self.writes, self.reads, self.responses, self.answers:
            seen.clear()

    def drive(self) -> None:
        """Requests come from registers, so a new one is seen here, and may be answered at once."""
        if int(self.dut.req_o.value):
            assert self.left is None, "a request during a request"
            self.left = self.rng.randint(0, self.longest)
            self.request = self.seen()
        self.dut.ack_i.value = int(self.left == 0)
        refused = self.left == 0 and self.request[1] == BAD
        self.dut.err_i.value = int(refused)
        address = self.request[1] if self.left == 0 else -1
        self.dut.rdata_i.value = self.words.get(address, self.rng.getrandbits(32) & ~1)

    def sample(self) -> None:
        """Address and data hold until the acknowledge, which does the access."""
        if self.left is None:
            return
        assert self.seen() == self.request, "the request changed before its acknowledge"
        self.left -= 1
        if self.left >= 0:
            return
        self.left = None
        write, address, data = self.request
        response = SLVERR if address == BAD else OKAY
        if write:
            self.writes.append((address, data))
            self.responses.append(response)
            if response == OKAY:
                self.words[address] = data & 0xFFFFFFFF
        else:
            self.reads.append(address)
            self.answers.append(response << 32 | int(self.dut.rdata_i.value))

    def seen(self) -> tuple[int, int, int]:
        """The request at the port: write, address and data."""
        write = int(self.dut.we_o.value)
        return write, int(self.dut.addr_o.value), int(self.dut.wdata_o.value) if write else 0


class SlaveBench(Bench):
    """The slave between five channels and the bus."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.aw = Source(self, dut.awaddr_i, dut.awvalid_i, dut.awready_o)
        self.w = Source(self, Joined(dut.wdata_i, dut.wstrb_i), dut.wvalid_i, dut.wready_o)
        self.ar = Source(self, dut.araddr_i, dut.arvalid_i, dut.arready_o)
        self.b = Sink(self, dut.bresp_o, dut.bvalid_o, dut.bready_i)
        self.r = Sink(self, Joined(dut.rdata_o, dut.rresp_o), dut.rvalid_o, dut.rready_i)
        self.bus = Bus(self)
        self.sent_writes: list[tuple[int, int]] = []  # strobe above data
        self.sent_reads: list[int] = []
        self.refused = 0  # writes of less than a word, as the slave tells them

    async def start(self) -> None:
        """Reset."""
        await self.reset()
        self.sent_writes.clear()
        self.sent_reads.clear()
        self.refused = 0

    async def cycle(self, **inputs: int) -> None:
        """One cycle; no answer may come before its access."""
        await super().cycle(**inputs)
        if int(self.dut.partial_o.value):
            self.refused += 1
        answered = len(self.bus.writes) + self.refused
        assert len(self.b.words) <= answered, "B before the commit"
        assert len(self.r.words) <= len(self.bus.reads), "R before the read"

    def send(self, accesses: int, reads: float = 0.5) -> None:
        """Queues reads and writes of few addresses."""
        for _ in range(accesses):
            address = self.rng.choice([0, 4, 8, BAD, self.rng.getrandbits(10) & ~3])
            if self.rng.random() < reads:
                self.sent_reads.append(address)
                self.ar.queue.append(address)
            else:
                strobe = self.rng.choice([WHOLE, WHOLE, self.rng.randrange(WHOLE)])
                data = strobe << 32 | self.rng.getrandbits(32)
                self.sent_writes.append((address, data))
                self.aw.queue.append(address)
                self.w.queue.append(data)

    async def finish(self) -> None:
        """Waits for all answers; the bus saw every access in its channel's order."""
        await self.until(lambda: len(self.b.words) >= len(self.sent_writes)
                         and len(self.r.words) >= len(self.sent_reads), "the answers")  # fmt: skip
        await self.cycles(8)
        whole = [data >> 32 == WHOLE for _, data in self.sent_writes]
        assert self.bus.writes == [
            (address, data & 0xFFFFFFFF)
            for (address, data), taken in zip(self.sent_writes, whole, strict=True)
            if taken
        ]
        assert self.refused == whole.count(False)
        assert self.bus.reads == self.sent_reads
        answers = iter(self.bus.responses)
        equal(self.b.words, [next(answers) if taken else SLVERR for taken in whole], "B response")
        equal(self.r.words, self.bus.answers, "R answer")


@cocotb.test()
async def test_random_pauses(dut: Any) -> None:
    """Pauses on all five channels, early and late answers, reads and writes at once."""
    bench = SlaveBench(dut)
    await bench.start()
    for longest in 0, 1, 7:
        bench.bus.longest = longest
        for reads in 0.5, 0.0, 1.0:
            for channel in bench.aw, bench.w, bench.ar, bench.b, bench.r:
                channel.rate = bench.rng.choice([0.1, 0.5, 1.0])
            bench.send(40, reads)
            await bench.finish()


@cocotb.test()
async def test_every_strobe(dut: Any) -> None:
    """Of the sixteen strobes only that of a whole word writes; the others change nothing."""
    bench = SlaveBench(dut)
    await bench.start()
    for strobe in range(WHOLE + 1):
        await bench.start()
        bench.sent_writes.append((8, strobe << 32 | 0x1234_5678))
        bench.aw.queue.append(8)
        bench.w.queue.append(strobe << 32 | 0x1234_5678)
        await bench.finish()
        assert bench.refused == (strobe != WHOLE), f"strobe {strobe:04b}"


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset with accesses under way leaves no request and no answer behind."""
    bench = SlaveBench(dut)
    await bench.start()
    for number in range(12):
        # Some resets come in the very cycle of a request.
        bench.bus.longest = 3 * (number % 2)
        bench.b.rate = bench.r.rate = 0.5 + 0.5 * (number % 2 == 0)
        bench.send(20)
        await bench.cycles(bench.rng.randrange(3, 25))
        await bench.start()
        assert not int(dut.req_o.value), "a request during a reset"
        await bench.cycles(3)
        assert not int(dut.bvalid_o.value) and not int(dut.rvalid_o.value)
        bench.send(10)
        await bench.finish()


@cocotb.test()
async def test_turns_and_throughput(dut: Any) -> None:
    """With both sides always waiting neither starves, and an access takes at most three cycles."""
    bench = SlaveBench(dut)
    await bench.start()
    bench.send(40, 0.0)
    bench.send(40, 1.0)
    begin = bench.cycle_number
    await bench.finish()
    assert max(bench.b.cycles[-1], bench.r.cycles[-1]) - begin <= 3 * 80
    for number, (write, read) in enumerate(zip(bench.b.cycles, bench.r.cycles, strict=True)):
        assert abs(write - read) <= 6, f"one side waited at access {number}"
