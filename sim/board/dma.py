"""The AXI DMA 7.1 in simple mode (PG021), between the memory and the accelerator's streams."""

from __future__ import annotations

import errno

import numpy as np

from spinflow.host.core.description.types import DMA_BITS
from spinflow.sim.board.bus import Words, bus_error
from spinflow.sim.board.memory import Bytes, DmaMemory
from spinflow.sim.library import Library

STALL_LIMIT = 1_000_000  # cycles without a single word moved, while a transfer is waited for
AT_ONCE = 20_000  # of these that go by before Python can be interrupted
NOTHING = np.zeros(0, dtype=np.uint32)  # words of a stream on which nothing moves


class Channel:
    """The registers and the transfer of one direction of an AXI DMA 7.1 in simple mode (PG021)."""

    CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
    SIZE = 0x30
    RUN, RESET = 1 << 0, 1 << 2
    CONTROL_AT_RESET = 0x0001_0002
    HALTED, IDLE, INTERNAL_ERROR, DECODE_ERROR = 1 << 0, 1 << 1, 1 << 4, 1 << 6
    INTERRUPTS = 0x7000  # written as 1 to clear; 0x1000 is the one on completion
    COMPLETE = 0x1000

    def __init__(self, name: str, memory: DmaMemory, length_bits: int, data_bytes: int) -> None:
        self.name = name
        self._memory = memory
        self._length_mask = (1 << length_bits) - 1
        self._data_bytes = data_bytes
        self.reset()

    def reset(self) -> None:
        """Do what the RESET bit does: any transfer is dropped."""
        self.control = self.CONTROL_AT_RESET
        self.status = self.HALTED
        self.address = 0
        self.length = 0
        self._block: Bytes | None = None  # of the transfer under way
        self.words = NOTHING  # of that too
        self.moved = 0  # of these words
        self.busy = False

    @property
    def rest(self) -> Words:
        """The words that are still to move."""
        return self.words[self.moved :]

    def read(self, offset: int) -> int:
        """Read a register."""
        if offset == self.CONTROL:
            return self.control
        if offset == self.STATUS:
            return self.status
        if offset == self.ADDRESS:
            return self.address & 0xFFFF_FFFF
        if offset == self.ADDRESS_HIGH:
            return self.address >> 32
        return self.length if offset == self.LENGTH else 0

    def write(self, offset: int, value: int) -> None:
        """Write a register. Writing LENGTH while the channel runs begins a transfer."""
        if offset == self.CONTROL:
            self._write_control(value)
        elif offset == self.STATUS:
            self.status &= ~(value & self.INTERRUPTS)
        elif offset == self.ADDRESS:
            self.address = self.address >> 32 << 32 | value
        elif offset == self.ADDRESS_HIGH:
            self.address = value << 32 | self.address & 0xFFFF_FFFF
        elif offset == self.LENGTH and not self.busy and not self.status & self.HALTED:
            self._begin(value & self._length_mask)

    def check_buffer(self) -> None:
        """Raise OSError when the memory of the transfer under way was given back meanwhile."""
        if self.busy and self._memory.block_at(self.address) is not self._block:
            self._fail(self.DECODE_ERROR)
            self.busy = False
            raise bus_error(
                f"dma {self.name}: the buffer at {self.address:#x} was freed during its transfer:"
                " a board goes on in memory that is someone else's by then"
            )

    def complete(self, length: int) -> None:
        """End the transfer after `length` bytes."""
        self.length = length
        self.busy = False
        self.status |= self.IDLE | self.COMPLETE

    def _write_control(self, value: int) -> None:
        self.control = value & ~self.RESET | self.CONTROL_AT_RESET & 0x2
        if value & self.RUN:
            self.status &= ~self.HALTED
        else:
            self.busy = False
            self.status |= self.HALTED

    def _begin(self, length: int) -> None:
        self.length = length
        self.status &= ~self.IDLE
        if length == 0:
            self._fail(self.INTERNAL_ERROR)
            return
        if self.address % self._data_bytes:
            # The design's DMA has no data realignment engine: PG021 calls the results undefined.
            self._fail(self.INTERNAL_ERROR)
            raise bus_error(
                f"dma {self.name}: address {self.address:#x} is no multiple of {self._data_bytes},"
                " and there is no realignment engine"
            )
        data = self._memory.at(self.address, length)
        if data is None:
            self._fail(self.DECODE_ERROR)
            return
        self._block = self._memory.block_at(self.address)
        self.words = _words(data)
        self.moved = 0
        self.busy = True

    def _fail(self, error: int) -> None:
        self.status |= error | self.HALTED
        self.control &= ~self.RUN


def _words(data: Bytes) -> Words:
    """Return bytes as 32-bit words: a view where they fill them, else a copy, the last padded."""
    if data.size % 4 == 0:
        return data.view(np.uint32)
    return np.concatenate([data, np.zeros(-data.size % 4, np.uint8)]).view(np.uint32)


class Dma:
    """The AXI DMA: MM2S feeds the accelerator's input stream, S2MM stores its output stream."""

    def __init__(self, library: Library, memory: DmaMemory) -> None:
        bits, size = library.description.length_bits, DMA_BITS // 8
        self._library = library
        self.mm2s = Channel("MM2S", memory, bits, size)
        self.s2mm = Channel("S2MM", memory, bits, size)
        self.stall_limit = STALL_LIMIT

    def read(self, offset: int, count: int, stride: int) -> Words:
        """As of Slave. Reading a status register moves the transfers on."""
        return np.array([self._read(offset + stride * i) for i in range(count)], dtype=np.uint32)

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """As of Slave. Raises OSError: the DMA does not look at strobes, so it would take noise."""
        raise bus_error(f"less than a word written to the DMA's register at offset {offset:#x}")

    def write(self, offset: int, values: Words, stride: int) -> None:
        """As of Slave."""
        for i, value in enumerate(values):
            channel, register = self._channel(offset + stride * i)
            was_sending = self.mm2s.busy
            if register == Channel.CONTROL and value & Channel.RESET:
                # Also where an interrupted reset has left a word on offer, but no transfer.
                was_sending = True
                self.mm2s.reset()  # the reset of either channel resets the whole DMA
                self.s2mm.reset()
            else:
                channel.write(register, int(value))
            if was_sending and not self.mm2s.busy:
                # The word that the accelerator has not taken goes with its transfer.
                self._library.transfer(NOTHING, NOTHING, 0)

    def advance(self, cycles: int) -> bool:
        """Let the transfers under way go on for so many cycles; return whether a word moved."""
        mm2s, s2mm = self.mm2s, self.s2mm
        mm2s.check_buffer()
        s2mm.check_buffer()
        if not mm2s.busy and not s2mm.busy:
            return False
        progress = self._library.transfer(
            mm2s.rest if mm2s.busy else NOTHING,
            s2mm.rest if s2mm.busy else NOTHING,
            cycles,
            until_tlast=True,
        )
        mm2s.moved += progress.words_in
        s2mm.moved += progress.words_out
        if mm2s.busy and not mm2s.rest.size:
            mm2s.complete(mm2s.length)
        # Simple mode ends with the packet: a buffer that is full before TLAST waits for it.
        if s2mm.busy and progress.tlast:
            s2mm.complete(4 * s2mm.moved)
        return progress.words_in + progress.words_out > 0

    def _read(self, offset: int) -> int:
        channel, register = self._channel(offset)
        if register == Channel.STATUS:
            self._wait_for(channel)
        return channel.read(register)

    def _wait_for(self, channel: Channel) -> None:
        still = 0  # cycles since the last word moved
        while channel.busy:
            step = min(AT_ONCE, self.stall_limit - still)
            still = 0 if self.advance(step) else still + step
            if channel.busy and still >= self.stall_limit:
                raise TimeoutError(errno.ETIMEDOUT, self._stall(channel))

    def _stall(self, channel: Channel) -> str:
        reason = "the accelerator takes no more input"
        if channel is self.s2mm:
            reason = "the accelerator gives no more output"
            if not channel.rest.size:
                reason = "its buffer is full but TLAST has not come"
        return (
            f"dma {channel.name} never completes: {reason}; {4 * channel.moved} of"
            f" {channel.length} bytes moved, none in the last {self.stall_limit} cycles"
        )

    def _channel(self, offset: int) -> tuple[Channel, int]:
        offset &= ~3
        if offset < Channel.SIZE:
            return self.mm2s, offset
        return self.s2mm, offset - Channel.SIZE
