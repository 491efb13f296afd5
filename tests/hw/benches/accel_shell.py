"""accel_shell: registers, weights and frames over AXI-Lite with pauses, while the streams run.

In the place of the layers there is a list of labels, one a frame, and in that of the weight
memories a list of words.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import cocotb

from tests.hw.benches.axi import (
    CLEAR,
    IDLE,
    PARTIAL,
    REFUSED,
    SNAPSHOT,
    SOFT_RESET,
    Registers,
    address_of,
)
from tests.hw.benches.base import Bench, Sink, Source, equal, parameter
from tests.hw.benches.draws import DrawServer
from tests.hw.benches.memories import WeightMemories, fields
from tests.hw.models import ALWAYS, FLIP, MASK32, SWITCH, Config, Counts, Weights

CORE_RESET_CYCLES = 16
TIMES = ("LATENCY", "LATENCY_MIN", "LATENCY_MAX", "DISTANCE_MIN", "DISTANCE_MAX")
MOST_TIME = (1 << 24) - 1
COUNTERS = "WRITTEN", "SWITCHED", "ERR1", "ERR0"


class ShellBench(Bench):
    """The shell, its AXI-Lite master, both ends of its streams and models of what it holds."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut, "aclk", "aresetn")
        self.weights = parameter("NumWeights")
        self.memories = self.weights + parameter("NumBuffers")
        self.beats = parameter("InBeats")
        self.with_errors = bool(parameter("WithErrors", 1))
        self.layers, self.widths, self.depths = (
            fields(parameter(name), self.memories) for name in ("Layer", "Width", "Depth")
        )
        self.bases = fields(parameter("Base"), self.weights)
        self.models = [
            Weights(w, d) for w, d in zip(self.widths, self.depths, strict=True)
        ][: self.weights]  # fmt: skip
        self.storage = WeightMemories(
            self, self.widths[: self.weights], self.depths[: self.weights]
        )
        self.source = Source(self, dut.s_axis_tdata, dut.s_axis_tvalid, dut.s_axis_tready)
        self.core_in = Sink(self, dut.in_data_o, dut.in_valid_o, dut.in_ready_i)
        self.core_out = Source(self, dut.label_data_i, dut.label_valid_i, dut.label_ready_o)
        self.sink = Sink(self, dut.m_axis_tdata, dut.m_axis_tvalid, dut.m_axis_tready,
                         dut.m_axis_tlast, dut.m_axis_tkeep)  # fmt: skip
        self.agents.append(self)  # before the engine, which it tells what memory asks
        self.server = DrawServer(self, (13, 30), (
            "weight_request_o", "weight_grant_i", "weight_answer_i", "weight_valid_i",
        ))  # fmt: skip
        self.registers = Registers(dut, self.rng)
        self.buffer_traffic = False
        self.copies = parameter("NumResets", 1)
        self.in_reset = [0] * self.copies  # cycles, of each copy of the layers' reset
        self.offered = False  # a beat, to the layers, which were not ready
        self.weight_cycles = 0  # in which a weight memory was accessed
        self.under_way: deque[tuple[int, bool]] = deque()  # when frames began, which one is timed
        self.labels: list[int] = []
        self.lasts: list[int] = []
        self.clear()
        dut.buffer_count_i.value = dut.buffer_stall_i.value = 0
        dut.s_axi_awprot.value = dut.s_axi_arprot.value = 0

    def clear(self) -> None:
        """What a clear of the counters does."""
        self.counts = [Counts() for _ in range(self.memories)]
        for model, counts in zip(self.models, self.counts, strict=False):
            model.counts = counts
        self.cycles_busy = self.stalls = self.frames = 0
        self.under_way = deque((began, False) for began, _ in self.under_way)
        self.label: int | None = None  # when the last one left
        self.latencies: list[int] = []
        self.distances: list[int] = []

    def core_reset(self) -> None:
        """What a reset does to the ends of the streams; the layers' copies of it come later."""
        self.core_in.withdraw()
        self.sink.withdraw()
        self.labels.clear()
        self.offered = False
        self.under_way.clear()

    def drive(self) -> None:
        """Increments and stalls of the buffers; the layers are in reset while they are told so."""
        copies = int(self.dut.core_rst_no.value)
        for copy in range(self.copies):
            self.in_reset[copy] += not copies >> copy & 1
        if not int(self.dut.ends_rst_n.value):
            self.core_reset()
        if not copies >> self.copies - 1 & 1:
            self.core_out.withdraw()
        self.server.stream = int(self.dut.weight_index_o.value)
        # The number is noise until the first access.
        known = self.server.stream < self.weights
        self.server.config = self.models[self.server.stream].stream.config if known else Config()
        packed = stall = 0
        if self.buffer_traffic:
            for index in range(self.weights, self.memories):
                # A buffer writes whole words.
                width = self.rng.choice([0, self.widths[index]])
                counts = Counts(width, *(self.rng.randint(0, width) for _ in range(3)))
                self.counts[index].add(counts)
                packed |= counts.packed() << 32 * (index - self.weights)
            stall = self.rng.getrandbits(self.memories - self.weights)
        self.stalls += int(stall != 0)
        self.dut.buffer_count_i.value = packed
        self.dut.buffer_stall_i.value = stall

    def sample(self) -> None:
        """The streams have been sampled: follow the frames."""
        if not int(self.dut.ends_rst_n.value):
            assert not int(self.dut.s_axis_tready.value), "input taken during a reset"
            assert not int(self.dut.in_valid_o.value), "input given to layers in reset"
            assert not int(self.dut.m_axis_tvalid.value), "output during a reset"
            return
        assert int(self.dut.core_rst_no.value) == (1 << self.copies) - 1, "open during a reset"
        # A frame is under way from the cycle after its first beat was offered to that of its label.
        opened = -(-len(self.core_in.words) // self.beats)
        beat = bool(self.core_in.cycles) and self.core_in.cycles[-1] == self.cycle_number
        opens = beat and len(self.core_in.words) % self.beats == (1 if self.beats > 1 else 0)
        label = bool(self.sink.cycles) and self.sink.cycles[-1] == self.cycle_number
        under_way = opened - int(opens) > len(self.sink.words) - int(label) or self.offered
        self.cycles_busy += int(under_way)
        offers = bool(int(self.dut.in_valid_o.value))
        self.offered = offers and not beat
        if int(self.dut.weight_en_o.value):
            assert not under_way and not offers, (
                "a weight memory accessed while a frame is under way"
            )
            self.weight_cycles += 1
        if beat and len(self.core_in.words) % self.beats == 0:
            self.labels.append(self.rng.getrandbits(16))
            self.core_out.queue.append(self.labels[-1])
        if label:
            self.frames += 1
            self.lasts.append(int(self.dut.m_axis_tlast.value))
        self.follow_times(opens=opens, label=label)

    def follow_times(self, *, opens: bool, label: bool) -> None:
        """One frame is timed at a time; a frame may begin with the label of another one."""
        now = self.cycle_number
        if label:
            began, timed = self.under_way.popleft()
            self.latencies += [now - began] if timed else []
            self.distances += [] if self.label is None else [now - self.label]
            self.label = now
        if opens:
            self.under_way.append((now, not any(timed for _, timed in self.under_way)))

    def withdraw(self) -> None:
        """For a hard reset."""
        self.core_reset()

    async def forever(self) -> None:
        """Keeps the clock's work going while the test talks to the registers."""
        while True:
            await self.cycle()

    async def reset(self, cycles: int = 2) -> None:
        """Resets the shell; the layers are told a cycle later and then withdraw what they offer."""
        await self.clock.falling_edge
        self.dut.aresetn.value = 0
        await self.clock.falling_edge
        await super().reset(cycles)

    async def start(self) -> None:
        """Hard reset, then run."""
        await self.reset(3)
        cocotb.start_soon(self.forever())
        await self.wait(lambda: bool(int(self.dut.ends_rst_n.value)), "the layers to start")

    async def wait(self, condition: Any, what: str) -> None:
        """Waits for a condition while the bench runs."""
        for _ in range(5000):
            if condition():
                return
            await self.clock.falling_edge
        raise AssertionError(f"waited too long for {what}")

    def send(self, frames: int) -> list[int]:
        """Queues frames and returns their beats."""
        beats = [self.rng.getrandbits(32) for _ in range(frames * self.beats)]
        self.source.queue.extend(beats)
        return beats

    def new_run(self, *, rate: float = 1.0) -> None:
        """Forgets the words that were seen and sets the rates of all streams."""
        for stream in self.core_in, self.sink:
            stream.words.clear()
            stream.cycles.clear()
        self.labels.clear()
        for end in self.source, self.core_in, self.core_out, self.sink:
            end.rate = rate

    async def finish(self, beats: list[int]) -> None:
        """Waits for the labels of these beats and compares everything."""
        frames = len(beats) // self.beats
        await self.wait(lambda: len(self.sink.words) >= frames, "the labels")
        equal(self.core_in.words, beats, "beat")
        equal(self.sink.words, self.labels, "label")

    def all_out(self) -> bool:
        """Whether every frame that was queued has given its label."""
        return not self.source.queue and (
            len(self.sink.words) * self.beats == len(self.core_in.words)
        )

    async def configure(self, memory: int, config: Config) -> None:
        """Programs a memory and its model."""
        await self.registers.configure(
            memory, config.mode, config.rate1, config.rate0, config.seed
        )  # fmt: skip
        if memory < self.weights and self.with_errors:
            self.models[memory].stream.restart(config)

    async def write_weights(self, writes: int) -> None:
        """Writes random segments of all weight memories."""
        for _ in range(writes):
            memory = self.rng.randrange(self.weights)
            model = self.models[memory]
            word, segment = self.rng.randrange(model.depth), self.rng.randrange(model.segments)
            data = self.rng.getrandbits(32)
            assert await self.registers.write_at(self.address(memory, word, segment), data)
            model.write(word, segment, data)

    async def compare_weights(self) -> None:
        """Reads back all weights."""
        for memory, model in enumerate(self.models):
            for word in range(model.depth):
                for segment in range(model.segments):
                    found = await self.registers.read_at(self.address(memory, word, segment))
                    assert found == model.read(word, segment), f"memory {memory} word {word}"

    async def compare_counters(self) -> None:
        """Takes a snapshot and compares every counter."""
        await self.registers.command(SNAPSHOT)
        for memory in range(self.memories):
            found = Counts(*[await self.registers.read(name, memory) for name in COUNTERS])
            counted = self.counts[memory] if self.with_errors else Counts()
            assert found == counted, f"memory {memory} counted {found}"
        assert await self.registers.read("FRAMES_DONE") == self.frames
        assert await self.registers.read("CYCLES") == self.cycles_busy
        assert await self.registers.read("STALLS") == self.stalls
        known, apart = self.latencies, self.distances
        expected = (known[-1] if known else 0, min(known, default=MOST_TIME),
                    max(known, default=0), min(apart, default=MOST_TIME),
                    max(apart, default=0))  # fmt: skip
        times = tuple([await self.registers.read(name) for name in TIMES])
        assert times == expected, f"times {times}, expected {expected}"

    def address(self, memory: int, word: int, segment: int) -> int:
        """Where a segment is in the address space."""
        return self.bases[memory] + self.models[memory].stride * word + 4 * segment


@cocotb.test()
async def test_identity(dut: Any) -> None:
    """What the accelerator and its memories say they are."""
    bench = ShellBench(dut)
    await bench.start()
    bench.registers.pause(0.5)
    read = bench.registers.read
    assert await read("ID") == int.from_bytes(b"SPIN", "big")
    assert await read("MAP_VERSION") == 2
    assert await read("BUILD_ID") == parameter("BuildId")
    assert await read("NUM_MEMORIES") == bench.memories
    assert await read("FRAMES_PER_TRANSFER") == 1
    for memory in range(bench.memories):
        kind = int(memory >= bench.weights)
        assert await read("INFO", memory) == bench.layers[memory] << 8 | kind
        assert await read("WIDTH", memory) == bench.widths[memory]
        assert await read("DEPTH", memory) == bench.depths[memory]
        assert await read("MODE", memory) == 0
    assert await read("STATUS") == IDLE


@cocotb.test()
async def test_weights(dut: Any) -> None:
    """Weights written with errors, read back and counted; refused writes leave nothing behind."""
    bench = ShellBench(dut)
    await bench.start()
    for pauses in 0.0, 0.4:
        bench.registers.pause(pauses)
        for memory in range(bench.weights):
            await bench.configure(memory, bench.random_config())
        await bench.write_weights(25)
        top = bench.bases[-1] + bench.models[-1].stride * bench.depths[bench.weights - 1]
        for size in 1, 2, 3:
            assert not await bench.registers.write_at(bench.address(0, 0, 0), 1, size)
        for address in top, (1 << parameter("AddrWidth")) - 4:
            assert not await bench.registers.write_at(address, 1)
            assert await bench.registers.read_at(address) is None
        await bench.write_weights(5)
        await bench.compare_weights()
        await bench.compare_counters()


@cocotb.test()
async def test_whole_words_only(dut: Any) -> None:
    """A write of another strobe is an error, changes nothing and stays in STATUS until cleared."""
    bench = ShellBench(dut)
    await bench.start()
    registers = bench.registers
    await bench.configure(0, Config(FLIP, 1 << 31, 1 << 30, 0x1234_5678))
    await registers.write("FRAMES_PER_TRANSFER", 0x0102_0304)
    await bench.write_weights(5)
    places = [
        address_of("FRAMES_PER_TRANSFER"),
        address_of("CONTROL"),
        address_of("STATUS"),
        *(address_of(name, 0) for name in ("MODE", "RATE1", "RATE0", "SEED")),
        address_of("SEED", bench.memories - 1),
        bench.address(0, 0, 0),
    ]
    before = [await registers.read_at(place) for place in places]
    bench.in_reset = [0] * bench.copies
    for place in places:
        # First byte and number of bytes, in one word.
        for first, size in [(a, n) for n in (1, 2, 3) for a in range(5 - n)]:
            data = bench.rng.getrandbits(8 * size) | 1
            assert not await registers.write_at(place + first, data, size), f"{place:#x}"
            assert await registers.read("STATUS") == IDLE | PARTIAL
            await registers.write("STATUS", PARTIAL)
            assert await registers.read("STATUS") == IDLE
    assert [await registers.read_at(place) for place in places] == before
    assert not any(bench.in_reset), "a soft reset came of a part of a word"
    await bench.write_weights(5)
    await bench.compare_weights()
    await bench.compare_counters()


@cocotb.test()
async def test_frames_and_weights_at_once(dut: Any) -> None:
    """Frames that come during a weight access wait for it; an access during frames is refused."""
    bench = ShellBench(dut)
    await bench.start()
    for memory in range(bench.weights):
        await bench.configure(memory, Config(FLIP, 1 << 31, 1 << 30, memory))
    done = refused = waited = 0
    bench.new_run()
    for turn in range(120):
        bench.core_in.rate = bench.rng.choice([0.1, 1.0])
        bench.sink.rate = bench.rng.choice([0.3, 1.0])
        memory = bench.rng.randrange(bench.weights)
        word, data = bench.rng.randrange(bench.depths[memory]), bench.rng.getrandbits(32)
        if turn % 4:
            await bench.wait(bench.all_out, "the labels")
        accessed = bench.weight_cycles
        writing = cocotb.start_soon(bench.registers.write_at(bench.address(memory, word, 0), data))
        for _ in range(bench.rng.randrange(12)):
            await bench.clock.falling_edge
        bench.send(1)
        before = len(bench.core_in.words)
        if await writing:
            bench.models[memory].write(word, 0, data)
            done += 1
            waited += int(bool(bench.source.queue) and len(bench.core_in.words) == before)
        else:
            assert bench.weight_cycles == accessed
            refused += 1
    assert min(done, refused, waited) > 10, (done, refused, waited)
    await bench.wait(bench.all_out, "the labels")
    equal(bench.sink.words, bench.labels, "label")
    await bench.compare_weights()
    await bench.compare_counters()


@cocotb.test()
async def test_frames_and_registers_at_once(dut: Any) -> None:
    """Frames with random timing, while registers are read and what needs idle is refused."""
    bench = ShellBench(dut)
    await bench.start()
    bench.registers.pause(0.3)
    await bench.configure(0, Config(FLIP, 7, 8, 9))
    await bench.registers.write("FRAMES_PER_TRANSFER", 5)
    await bench.registers.command(CLEAR)
    bench.clear()
    bench.lasts.clear()
    bench.new_run(rate=0.4)
    bench.buffer_traffic = True
    beats = bench.send(10)
    await bench.wait(lambda: len(bench.core_in.words) > 0, "the first beat")
    bench.sink.rate = 0.0  # so that a frame is under way for as long as it takes
    assert not await bench.registers.read("STATUS") & IDLE
    for name in "MODE", "RATE1", "RATE0", "SEED":
        before = await bench.registers.read(name, 0)
        await bench.registers.write(name, ~before & 3, 0)
        assert await bench.registers.read("STATUS") & REFUSED, name
        await bench.registers.write("STATUS", REFUSED)
        assert not await bench.registers.read("STATUS") & REFUSED
        assert await bench.registers.read(name, 0) == before
    assert not await bench.registers.write_at(bench.address(0, 0, 0), 1)
    assert await bench.registers.read_at(bench.address(0, 0, 0)) is None
    bench.sink.rate = 0.4
    for _ in range(10):
        assert await bench.registers.read("ID") == int.from_bytes(b"SPIN", "big")
        await bench.registers.command(SNAPSHOT)
        assert await bench.registers.read("FRAMES_DONE") <= bench.frames
    await bench.finish(beats)
    bench.buffer_traffic = False
    assert bench.lasts == [0, 0, 0, 0, 1] * 2, "TLAST"
    assert await bench.registers.read("STATUS") == IDLE
    await bench.compare_counters()
    await bench.compare_weights()
    await bench.registers.command(CLEAR)
    bench.clear()
    await bench.compare_counters()
    # A new number of frames starts a transfer.
    bench.lasts.clear()
    for frames in 3, 2:
        await bench.registers.write("FRAMES_PER_TRANSFER", 2 * frames - 2)
        bench.new_run()
        await bench.finish(bench.send(frames))
    assert bench.lasts == [0, 0, 0, 0, 1], "TLAST"


@cocotb.test()
async def test_wide_counters(dut: Any) -> None:
    """Frames count in 32 bits, cycles and stalls in 64: they are set close to where less ends."""
    bench = ShellBench(dut)
    await bench.start()
    for frames, cycles in (2**16 - 2, 2**32 - 5), (2**31 - 2, 2**48 - 5):
        await bench.clock.falling_edge
        bench.frames, bench.cycles_busy, bench.stalls = frames, cycles, cycles
        control = dut.u_control_block
        for total, value in ((control.u_frames, frames), (control.u_cycles, cycles),
                             (control.u_stalls, cycles)):  # fmt: skip
            total.low_q.value, total.high_q.value = value & MASK32, value >> 32
        bench.new_run(rate=0.5)
        bench.buffer_traffic = True
        await bench.finish(bench.send(5))
        bench.buffer_traffic = False
        await bench.compare_counters()
        assert bench.stalls > cycles + 5 and bench.cycles_busy > cycles + 5


@cocotb.test()
async def test_soft_reset(dut: Any) -> None:
    """In the middle of a frame: layers and counters anew; weights and configuration stay."""
    bench = ShellBench(dut)
    await bench.start()
    configs = [bench.random_config() for _ in range(bench.memories)]
    for memory, config in enumerate(configs):
        config.mode = config.mode or FLIP
        await bench.configure(memory, config)
    for rate in 1.0, 0.5, 0.3:
        bench.registers.pause(1 - rate)
        await bench.write_weights(6)
        bench.new_run(rate=rate)
        bench.send(3)
        await bench.wait(lambda: len(bench.core_in.words) > bench.beats, "a frame")
        bench.source.withdraw()
        bench.in_reset = [0] * bench.copies
        await bench.registers.command(SOFT_RESET)
        assert bench.in_reset == [CORE_RESET_CYCLES] * bench.copies
        bench.clear()
        for model in bench.models:
            model.stream.restart()
        packed = int(dut.buffer_mode_o.value)
        for memory, config in enumerate(configs):
            seed, mode = (config.seed, config.mode) if bench.with_errors else (0, 0)
            assert await bench.registers.read("SEED", memory) == seed
            if memory >= bench.weights:
                assert packed >> 2 * (memory - bench.weights) & 3 == mode
        assert await bench.registers.read("STATUS") == IDLE
        await bench.compare_counters()
        await bench.write_weights(6)
        await bench.compare_weights()
        bench.new_run(rate=rate)
        await bench.finish(bench.send(3))
        await bench.compare_counters()


@cocotb.test()
async def test_hard_reset(dut: Any) -> None:
    """In the middle of a frame and of an access: configuration and counters are zero."""
    bench = ShellBench(dut)
    await bench.start()
    for _ in range(3):
        for memory in range(bench.memories):
            await bench.configure(memory, Config(SWITCH, ALWAYS, ALWAYS, ALWAYS))
        await bench.write_weights(6)
        bench.new_run(rate=0.7)
        bench.buffer_traffic = True
        bench.send(3)
        await bench.wait(lambda: len(bench.core_in.words) > bench.beats, "a frame")
        bench.registers.master.init_read(address_of("SEED", 0), 4)
        bench.buffer_traffic = False
        await bench.reset(2)
        bench.core_reset()
        bench.clear()
        # The first accesses after the reset, as early as they can come.
        last = bench.memories - 1
        assert await bench.registers.read("MODE", last) == 0
        assert await bench.registers.read("SEED", last) == 0
        assert int(dut.buffer_mode_o.value) == 0
        for model in bench.models:
            model.stream.restart(Config())
        await bench.compare_counters()
        await bench.compare_weights()
        bench.new_run()
        await bench.finish(bench.send(2))
        assert await bench.registers.read("STATUS") == IDLE
