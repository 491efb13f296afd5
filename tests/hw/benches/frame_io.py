"""frame_io: frames counted in and out, TLAST, hold and idle, with random timing on both streams."""

from __future__ import annotations

from typing import Any

import cocotb

from tests.hw.benches.base import Bench, Sink, Source, equal, parameter


class FrameBench(Bench):
    """Both ends of the stream, and in the place of the layers a list of labels."""

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.beats = parameter("InBeats")
        self.source = Source(self, dut.s_axis_tdata, dut.s_axis_tvalid, dut.s_axis_tready)
        self.core_in = Sink(self, dut.in_data_o, dut.in_valid_o, dut.in_ready_i)
        self.core_out = Source(self, dut.label_data_i, dut.label_valid_i, dut.label_ready_o)
        self.sink = Sink(self, dut.m_axis_tdata, dut.m_axis_tvalid, dut.m_axis_tready,
                         dut.m_axis_tlast, dut.m_axis_tkeep)  # fmt: skip
        self.transfer = 1
        self.in_transfer = 0  # labels of the transfer that have left
        self.last: bool | None = None  # TLAST of the label that is offered
        self.hold_rate = 0.0
        self.held = 0  # cycles in which input waited
        self.pulses = False, False  # first beat and label of the cycle before
        self.open_before = 0  # frames that were under way before that
        self.opened = 0  # frames
        self.offered = False  # a beat, to the layers
        self.labels: list[int] = []
        self.sent: list[int] = []
        dut.hold_i.value = dut.transfer_restart_i.value = 0
        dut.frames_per_transfer_i.value = 1

    async def cycle(self, **inputs: int) -> None:
        """One cycle, in which a frame that is whole gives its label."""
        taken, done, opened = len(self.core_in.words), len(self.sink.words), self.opened
        under_way = self.opened > done or self.offered
        hold = int(not under_way and self.rng.random() < self.hold_rate)
        await super().cycle(hold_i=hold, **inputs)
        assert bool(int(self.dut.under_way_o.value)) == under_way, "under way"
        if hold:
            assert not int(self.dut.s_axis_tready.value), "input taken during hold"
            self.held += 1
        self.offered = bool(int(self.dut.in_valid_o.value)) and not int(self.dut.in_ready_i.value)
        if len(self.core_in.words) > taken:
            if taken % self.beats == 0:
                self.opened += 1
            if len(self.core_in.words) % self.beats == 0:
                self.labels.append(self.rng.getrandbits(16))
                self.core_out.queue.append(self.labels[-1])
        left = len(self.sink.words) > done
        pulses = tuple(
            bool(int(pulse.value)) for pulse in (self.dut.first_beat_o, self.dut.frame_done_o)
        )
        assert pulses == self.pulses, f"first beat, label {pulses}"
        if any(pulses):
            assert int(self.dut.open_o.value) == self.open_before, "frames under way before these"
        first = len(self.core_in.words) > taken and taken % self.beats == 0
        self.pulses = first, left
        self.open_before = opened - done
        self.follow_transfer(left=left, restart=bool(inputs.get("transfer_restart_i")))

    def follow_transfer(self, *, left: bool, restart: bool) -> None:
        """TLAST is settled when a label is first offered; a restart is for the labels after it."""
        if int(self.dut.m_axis_tvalid.value):
            if self.last is None:
                self.last = self.in_transfer + 1 == self.transfer
            assert bool(int(self.dut.m_axis_tlast.value)) == self.last, "TLAST"
            assert int(self.dut.m_axis_tkeep.value) == 15
        if left:
            self.in_transfer = 0 if self.last else self.in_transfer + 1
            self.last = None
        if restart:
            # The label that still waits is counted before the first one of the new transfer.
            self.in_transfer = 0 if self.last is None else -1

    def send(self, frames: int) -> None:
        """Queues frames."""
        beats = [self.rng.getrandbits(32) for _ in range(frames * self.beats)]
        self.sent += beats
        self.source.queue.extend(beats)

    async def restart_transfer(self, frames: int) -> None:
        """Programs FRAMES_PER_TRANSFER: the new value is there one cycle after the pulse."""
        await self.cycle(transfer_restart_i=1)
        self.transfer = frames
        await self.cycle(transfer_restart_i=0, frames_per_transfer_i=frames)

    async def finish(self) -> None:
        """Waits for all labels and compares them."""
        await self.until(lambda: len(self.core_in.words) >= len(self.sent), "the last beat")
        await self.until(lambda: len(self.sink.words) >= len(self.labels), "the last label")
        await self.cycles(3)
        equal(self.core_in.words, self.sent, "beat")
        equal(self.sink.words, self.labels, "label")
        assert not int(self.dut.under_way_o.value)

    async def start(self) -> None:
        """Reset; the register that holds FRAMES_PER_TRANSFER keeps its value."""
        await self.reset()
        for seen in self.labels, self.sent:
            seen.clear()
        self.opened = self.in_transfer = 0
        self.offered = False
        self.pulses = False, False
        self.last = None


@cocotb.test()
async def test_random_timing(dut: Any) -> None:
    """Frames back to back, transfers of several lengths, hold at random moments."""
    bench = FrameBench(dut)
    await bench.start()
    for frames in 1, 3, 4:
        await bench.restart_transfer(frames)
        for rate, hold in (0.6, 0.2), (1.0, 0.0), (0.3, 0.5):
            streams = bench.source, bench.core_in, bench.core_out, bench.sink
            for stream in streams:
                stream.rate = bench.rng.choice([rate, 1.0])
            bench.hold_rate = hold
            bench.send(11)
            await bench.finish()
    assert bench.held > 10


@cocotb.test()
async def test_transfer_restart(dut: Any) -> None:
    """Programming FRAMES_PER_TRANSFER again starts a transfer, wherever the last one stood."""
    bench = FrameBench(dut)
    await bench.start()
    for frames, sent in (4, 3), (4, 5), (2, 3), (5, 10):
        await bench.restart_transfer(frames)
        bench.send(sent)
        await bench.finish()


@cocotb.test()
async def test_transfer_restart_while_a_label_waits(dut: Any) -> None:
    """A label that waits keeps its TLAST; the one after it is the first of the new transfer."""
    bench = FrameBench(dut)
    await bench.start()
    waited = 0
    bench.sink.rate = 0.3
    for _ in range(40):
        bench.send(3)
        await bench.cycles(bench.rng.randrange(2 * bench.beats + 6))
        waited += int(int(dut.m_axis_tvalid.value) and not int(dut.m_axis_tready.value))
        await bench.restart_transfer(bench.rng.choice([1, 1, 2, 3]))
    assert waited > 10
    await bench.finish()


@cocotb.test()
async def test_long_transfers(dut: Any) -> None:
    """The frames of a transfer are counted in 32 bits: the count is set close to its end."""
    bench = FrameBench(dut)
    await bench.start()
    for frames in 2**8 + 1, 2**16 + 1, 2**31 + 1, 2**32 - 1:
        await bench.restart_transfer(frames)
        await bench.cycle(number_q=frames - 1)
        bench.in_transfer = frames - 2
        bench.send(4)
        await bench.finish()
        assert bench.in_transfer == 2


@cocotb.test()
async def test_an_offered_beat_is_never_taken_back(dut: Any) -> None:
    """A beat that the layers have not taken is under way: nothing may be held from then on."""
    bench = FrameBench(dut)
    await bench.start()
    for _ in range(10):
        bench.core_in.rate = 0.0
        bench.hold_rate = 0.7
        bench.send(1)
        await bench.until(lambda: bool(int(dut.in_valid_o.value)), "the first beat")
        await bench.cycles(5)
        assert int(dut.in_valid_o.value) and int(dut.under_way_o.value)
        bench.core_in.rate = 0.5
        await bench.finish()


@cocotb.test()
async def test_reset_in_the_middle(dut: Any) -> None:
    """A reset inside a frame: nothing under way, the next beat opens a frame and a transfer."""
    bench = FrameBench(dut)
    await bench.start()
    await bench.restart_transfer(3)
    for _ in range(6):
        bench.send(5)
        bench.source.rate = bench.sink.rate = 0.8
        await bench.cycles(bench.rng.randrange(1, 4 * bench.beats + 4))
        await bench.start()
        bench.send(7)
        await bench.finish()


@cocotb.test()
async def test_full_throughput(dut: Any) -> None:
    """No bubble: a beat a cycle."""
    bench = FrameBench(dut)
    await bench.start()
    bench.send(20)
    await bench.finish()
    assert bench.core_in.cycles[-1] - bench.core_in.cycles[0] == 20 * bench.beats - 1
