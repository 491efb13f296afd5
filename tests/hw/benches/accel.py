"""A generated accelerator as its ports show it, against the golden labels and the emulator."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

from spinflow.host.core.packing import frames_of
from spinflow.sim.emulator import Emulator
from tests.hw.benches.axi import BUSY, CLEAR, IDLE, REFUSED, SNAPSHOT, SOFT_RESET, Registers
from tests.hw.models import FLIP, SWITCH, memory_seed

BUNDLE = Path(os.environ["BENCH_BUNDLE"])
MODES = {"off": 0, "flip": FLIP, "switch": SWITCH}
HALF = 1 << 31
COUNTERS = "WRITTEN", "SWITCHED", "ERR1", "ERR0"


class TB:
    """The accelerator with a master on AXI-Lite, a source of pixels and a sink of labels."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.rng = random.Random(cocotb.RANDOM_SEED)
        self.description = json.loads((BUNDLE / "accel.json").read_text(encoding="utf-8"))
        self.memories = self.description["memories"]
        dut.aresetn.value = 0
        dut.s_axi_awprot.value = dut.s_axi_arprot.value = 0
        Clock(dut.aclk, 10, "ns").start(start_high=False)
        self.registers = Registers(dut, self.rng)
        stream = AxiStreamBus.from_prefix
        self.source = AxiStreamSource(stream(dut, "s_axis"), dut.aclk, dut.aresetn, False)
        self.sink = AxiStreamSink(stream(dut, "m_axis"), dut.aclk, dut.aresetn, False)
        golden = np.load(BUNDLE / "golden.npz")
        self.images, self.labels = golden["images"], golden["labels"]

    def pause(self, rate: float) -> None:
        """Makes both streams and all five channels of AXI-Lite pause, this part of the cycles."""
        self.registers.pause(rate / 2)
        for end in self.source, self.sink:
            end.clear_pause_generator()
            end.pause = False
            if rate:
                end.set_pause_generator(self.pauses(rate))

    def pauses(self, rate: float) -> Iterator[bool]:
        """An endless row of decisions, true in this part of the cycles."""
        rng = random.Random(self.rng.getrandbits(32))
        while True:
            yield rng.random() < rate

    async def reset(self) -> None:
        """A hard reset, at any time."""
        await FallingEdge(self.dut.aclk)
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 3)
        await FallingEdge(self.dut.aclk)
        self.source.clear()
        self.sink.clear()
        self.dut.aresetn.value = 1
        while await self.registers.read("STATUS") & BUSY:
            pass

    async def soft_reset(self) -> None:
        """The command, with both ends of the stream reset too, as a driver resets its DMA."""
        for end in self.source, self.sink:
            end.assert_reset(True)
            end.clear()
        await self.registers.command(SOFT_RESET)
        for end in self.source, self.sink:
            end.assert_reset(False)

    async def write_weights(self, memory: int, segments: Any) -> None:
        """Writes a whole memory, a word at a time."""
        facts = self.memories[memory]
        for number, word in enumerate(segments):
            address = facts["base"] + facts["stride"] * number
            data = word.astype("<u4").tobytes()
            done = await self.registers.master.write(address, data)
            assert done.resp == 0, f"memory {memory} word {number} was refused"

    async def read_weights(self, memory: int) -> Any:
        """Reads a whole memory."""
        facts = self.memories[memory]
        words = []
        for number in range(facts["depth"]):
            address = facts["base"] + facts["stride"] * number
            done = await self.registers.master.read(address, 4 * facts["segments"])
            assert done.resp == 0
            words.append(np.frombuffer(done.data, "<u4"))
        return np.stack(words)

    async def run(self, images: Any) -> list[int]:
        """Sends frames back to back as one transfer and returns their labels."""
        await self.registers.write("FRAMES_PER_TRANSFER", len(images))
        self.source.send_nowait(frames_of(images).tobytes())
        frame = await self.sink.recv()
        data = bytes(frame.tdata)
        assert self.sink.empty() and len(data) == 4 * len(images), "TLAST"
        assert not any(data[n] for n in range(len(data)) if n % 4), "bits above the label"
        return list(data[::4])

    async def configure(self, emulator: Emulator, memory: int, mode: str,
                        thresholds: tuple[int, int], seed: int) -> None:  # fmt: skip
        """Programs a memory here and in the emulator."""
        emulator.set_errors(memory, mode, *thresholds, seed)
        await self.registers.configure(memory, MODES[mode], *thresholds, seed)

    async def compare_counters(self, emulator: Emulator, frames: int) -> None:
        """Takes a snapshot and compares all counters with the emulator's."""
        await self.registers.command(SNAPSHOT)
        assert await self.registers.read("FRAMES_DONE") == frames
        for facts in self.memories:
            expected = emulator.counters(facts["index"])
            for name in COUNTERS:
                found = await self.registers.read(name, facts["index"])
                assert found == getattr(expected, name.lower()), f"{facts['name']} {name}"

    def weight_memories(self) -> list[int]:
        """The indices of the memories that hold weights."""
        return [facts["index"] for facts in self.memories if facts["kind"] == "weights"]


@cocotb.test()
async def test_golden_labels(dut: Any) -> None:
    """Weights written and read back, golden frames with pauses, registers read all the while."""
    tb = TB(dut)
    emulator = Emulator(BUNDLE)
    await tb.reset()
    for memory in tb.weight_memories():
        segments = emulator.weights(tb.memories[memory]["layer"])
        await tb.write_weights(memory, segments)
        assert np.array_equal(await tb.read_weights(memory), segments), f"memory {memory}"
    tb.pause(0.3)
    running = cocotb.start_soon(tb.run(tb.images[:8]))
    reads = 0
    while not running.done():
        assert await tb.registers.read("ID") == int.from_bytes(b"SPIN", "big")
        await tb.registers.command(SNAPSHOT)
        assert await tb.registers.read("FRAMES_DONE") <= 8
        for facts in tb.memories:
            assert await tb.registers.read("WIDTH", facts["index"]) == facts["width"]
        reads += 1
    assert reads > 5
    assert await running == tb.labels[:8].tolist()
    tb.pause(0.0)
    for images, labels in zip(np.split(tb.images[8:20], 3), np.split(tb.labels[8:20], 3),
                              strict=True):  # fmt: skip
        assert await tb.run(images) == labels.tolist()
    assert await tb.registers.read("STATUS") == IDLE


@cocotb.test()
async def test_errors_equal_the_emulator(dut: Any) -> None:
    """Weights and buffers err as the emulator says, also after resets in the middle of a frame."""
    tb = TB(dut)
    emulator = Emulator(BUNDLE)
    await tb.reset()
    for memory in tb.weight_memories():
        await tb.write_weights(memory, emulator.read_weights(memory))
    await tb.registers.command(CLEAR)
    for facts in tb.memories:
        index = facts["index"]
        thresholds = (HALF >> 3 + index % 3, HALF >> 5)
        mode = "flip" if index % 2 else "switch"
        await tb.configure(emulator, index, mode, thresholds, memory_seed(2024, 7, index))
    for memory in tb.weight_memories():
        segments = emulator.weights(tb.memories[memory]["layer"])
        emulator.write_weights(memory, segments)
        await tb.write_weights(memory, segments)
        found = await tb.read_weights(memory)
        assert np.array_equal(found, emulator.read_weights(memory)), f"memory {memory}"
        assert not np.array_equal(found, segments), "the errors had no effect"
    tb.pause(0.3)
    assert await tb.run(tb.images[:5]) == emulator.run(tb.images[:5])[0].tolist()
    await tb.compare_counters(emulator, 5)

    # Soft reset in the middle of a frame: configuration and weights stay.
    tb.source.send_nowait(frames_of(tb.images[5:8]).tobytes())
    await ClockCycles(dut.aclk, 700)
    assert not await tb.registers.read("STATUS") & IDLE
    await tb.registers.write("MODE", 0, 0)
    assert await tb.registers.read("STATUS") & REFUSED
    await tb.registers.write("STATUS", REFUSED)
    await tb.soft_reset()
    emulator.soft_reset()
    tb.pause(0.0)
    assert await tb.run(tb.images[8:14]) == emulator.run(tb.images[8:14])[0].tolist()
    await tb.compare_counters(emulator, 6)

    # A hard reset also turns the errors off; the weights stay as they are.
    tb.source.send_nowait(frames_of(tb.images[5:8]).tobytes())
    await ClockCycles(dut.aclk, 500)
    await tb.reset()
    emulator.soft_reset()
    for facts in tb.memories:
        emulator.set_errors(facts["index"], "off", 0, 0, 0)
    assert await tb.run(tb.images[14:17]) == emulator.run(tb.images[14:17])[0].tolist()
    await tb.compare_counters(emulator, 3)


@cocotb.test()
async def test_injection_is_free(dut: Any) -> None:
    """Frames take the folding's cycles with errors off and at one half alike; nothing stalls."""
    tb = TB(dut)
    await tb.reset()
    taken = set()
    for mode in "off", "flip", "switch":
        for facts in tb.memories:
            await tb.registers.configure(facts["index"], MODES[mode], HALF, HALF, 5)
        await tb.registers.command(CLEAR)
        last = cocotb.start_soon(label_times(dut, 12))
        await tb.run(tb.images[:12])
        await tb.registers.command(SNAPSHOT)
        assert await tb.registers.read("STALLS") == 0
        taken.add(await tb.registers.read("CYCLES"))
        times = await last
        steady = {b - a for a, b in pairwise(times[2:])}
        assert steady == {tb.description["cycles_per_frame"]}, f"{mode}: a frame takes {steady}"
    assert len(taken) == 1, f"cycles differ: {taken}"


async def label_times(dut: Any, frames: int) -> list[int]:
    """The cycles in which labels leave."""
    times: list[int] = []
    cycle = 0
    while len(times) < frames:
        await RisingEdge(dut.aclk)
        cycle += 1
        if dut.m_axis_tvalid.value and dut.m_axis_tready.value:
            times.append(cycle)
    return times
