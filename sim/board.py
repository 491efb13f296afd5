"""The virtual PYNQ board: a pynq device whose programmable logic is the Verilated accelerator.

Importing this module, before pynq is first asked for its devices, makes it the device that pynq
finds first. Everything above it is pynq's own: Overlay, MMIO, DefaultIP, allocate, DMA. An Overlay
may be made from any file of a bundle, as there is always one that exists: libaccel.so or accel.bit.
The design is described by the accel.hwh beside it, and what is loaded is libaccel.so.

What a PC would forgive and a board would not, shows here: an access reaches the RTL with the width
and the strobes that it has on a board; the memory that the DMA sees is apart from the arrays, and
only flush and invalidate copy between them; a transfer whose TLAST never comes never completes; a
bus error raises OSError. Nothing hangs: a register access, and a DMA transfer on which somebody
waits, have a limit in clock cycles, after which TimeoutError names them. docs/board.md lists what
is left in which this board is kinder than a real one.

Time passes only while somebody looks: with a register access, and while a transfer is waited for.
"""

from __future__ import annotations

import bisect
import ctypes
import errno
import importlib
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pynq.ps
from pynq.buffer import PynqBuffer
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynq.pl_server.device import Device
from pynqmetadata.frontends import Metadata

from spinflow.host.core import description, handover
from spinflow.host.core.description.types import DMA_BITS
from spinflow.host.core.errors import BundleError
from spinflow.sim.library import ACCESS_LIMIT, Library

BOARD = Path(__file__).resolve().parents[1] / "hw" / "boards" / "pynq_z2" / "board.toml"
HANDOVER = "accel.hwh"
STALL_LIMIT = 1_000_000  # cycles without a single word moved, while a transfer is waited for
AT_ONCE = 20_000  # of these that go by before Python can be interrupted
WHILE_ELSEWHERE = 1_000  # cycles that a transfer goes on for while another register is accessed


class Buffer(PynqBuffer):
    """What pynq.allocate gives, with any numpy.

    pynq sets the attribute, which arrays of numpy 2 have already, and do not let be set.
    """

    device = None


DMA_MEMORY_BASE = 0x1000_0000
DMA_MEMORY_END = 0x1800_0000  # 128 MB of contiguous memory, as PYNQ's image sets them aside
PAGE = 4096

LOGIC_BASE, LOGIC_END = 0x4000_0000, 0xC000_0000  # the two general-purpose ports, GP0 and GP1

SLCR_BASE = 0xF800_0000
SLCR_SIZE = 0x200

NOTHING = np.zeros(0, dtype=np.uint32)  # words of a stream on which nothing moves


class Slave(Protocol):
    """What answers on the processor's bus. Offsets are in bytes from the slave's base."""

    def read(self, offset: int, count: int, stride: int) -> np.ndarray:
        """Reads the words (uint32) in which `count` offsets lie, `stride` bytes apart, in order."""

    def write(self, offset: int, values: np.ndarray, stride: int) -> None:
        """Writes words, `stride` bytes apart, in order."""

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """Writes those bytes of a word that `strobe` says, bit 0 the lowest."""


def bus_error(message: str) -> OSError:
    """What stands for the signal that ends a program on a board."""
    return OSError(errno.EIO, message)


class Bus:
    """The processor's side of the buses: every access goes to the slave that is there by then."""

    def __init__(self, slaves: Callable[[], list[tuple[int, int, Slave]]]) -> None:
        self._slaves = slaves

    def read(self, address: int, count: int, stride: int) -> np.ndarray:
        """Reads words from physical addresses. Raises OSError where no slave answers."""
        slave, offset = self._at(address, count, stride)
        return slave.read(offset, count, stride)

    def write(self, address: int, values: np.ndarray, stride: int) -> None:
        """Writes words to physical addresses. Raises OSError where no slave answers."""
        slave, offset = self._at(address, len(values), stride)
        slave.write(offset, values, stride)

    def write_part(self, address: int, word: int, strobe: int) -> None:
        """Writes some bytes of a word. Raises OSError where no slave answers or takes them."""
        slave, offset = self._at(address, 1, 0)
        slave.write_part(offset, word, strobe)

    def _at(self, address: int, count: int, stride: int) -> tuple[Slave, int]:
        first, last = sorted((address, address + stride * (count - 1)))
        for base, size, slave in self._slaves():
            if base <= first and last < base + size:
                return slave, address - base
        raise bus_error(f"no slave answers at {first:#x} to {last:#x}")


class Window(np.lib.mixins.NDArrayOperatorsMixin):
    """A mapped range of registers that looks like the uint32 array which a board's mmap gives.

    It is live: what is read or written becomes bus accesses, of the widths that a 32-bit ARM gives
    them. An integer as index, or integers in arrays, are words: one access each, in the order of
    the indices. Whatever else numpy writes, a slice, a mask, a fill, it may write with memmove,
    whose stores are bytes: so they reach the slave as bytes, one write strobe each. Reads have no
    strobes: a slice is read byte by byte, so four times as often as its words are there. Items of 8
    or 16 bits, through `view`, are such accesses too; wider ones than the bus are refused.

    A part is another window, as a numpy array's is a view. Where it lies numpy itself works out, on
    an array of the items' numbers.
    """

    def __init__(
        self, bus: Bus, base: int, numbers: np.ndarray, dtype: npt.DTypeLike = np.uint32
    ) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._bus = bus
        self._base = base
        self._numbers = numbers  # of the items, counted from the base

    @property
    def shape(self) -> tuple[int, ...]:
        """As of a numpy array."""
        return self._numbers.shape

    @property
    def ndim(self) -> int:
        """As of a numpy array."""
        return self._numbers.ndim

    @property
    def size(self) -> int:
        """As of a numpy array: items."""
        return self._numbers.size

    @property
    def nbytes(self) -> int:
        """As of a numpy array."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, key: Any) -> Any:
        part = self._part(key)
        if self._is_by_items(key):
            items = part._read_items()
            return items if part.shape else items[()]
        return part if part._shares(self) else part._read_bytes()

    def __setitem__(self, key: Any, values: Any) -> None:
        part = self._part(key)
        items = np.empty(part.shape, dtype=self.dtype)
        items[...] = values  # numpy's own conversions, and complaints
        if self._is_by_items(key):
            part._write_items(items)
        else:
            part._write_bytes(items)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        items = self._read_bytes()
        items = items if dtype is None else items.astype(dtype)
        # On a board an array that was not asked to be a copy is the registers themselves: who
        # writes into this one is told.
        items.flags.writeable = False
        return items

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.get("out", ())
        if any(isinstance(one, Window) for one in (*out, *(inputs[:1] if method == "at" else ()))):
            raise bus_error(f"numpy.{ufunc.__name__} stores into registers as it likes")
        plain = [np.array(one) if isinstance(one, Window) else one for one in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        fills = function in (np.copyto, np.place, np.put, np.putmask)
        targets = [options.get("out"), options.get("dst"), *(arguments[:1] if fills else ())]
        if any(isinstance(one, Window) for one in targets):
            raise bus_error(f"numpy.{function.__name__} stores into registers as it likes")
        return function(*_plain(arguments), **{k: _plain(v) for k, v in options.items()})

    def copy(self) -> np.ndarray:
        """Reads everything into an array of its own."""
        return self._read_bytes()

    def reshape(self, *shape: Any) -> Window:
        """The same registers in another shape."""
        return Window(self._bus, self._base, self._numbers.reshape(*shape), self.dtype)

    def view(self, dtype: npt.DTypeLike = np.uint32) -> Window:
        """The same registers as items of another size, of a window of one dimension."""
        before, after = self.dtype.itemsize, np.dtype(dtype).itemsize
        numbers = self._numbers
        if after != before:
            steps = np.diff(numbers.astype(np.int64))
            if self.ndim != 1 or self.nbytes % after or np.any(steps != 1):
                raise ValueError("only whole ranges of registers are seen as items of another size")
            first = int(numbers[0]) * before // after if self.size else 0
            numbers = first + np.arange(self.nbytes // after)
        return Window(self._bus, self._base, numbers, dtype)

    def _part(self, key: Any) -> Window:
        keys = key if isinstance(key, tuple) else (key,)
        if not any(one is ... for one in keys):
            keys += (...,)  # integers alone would give a scalar, which is no array
        return Window(self._bus, self._base, self._numbers[keys], self.dtype)

    def _shares(self, whole: Window) -> bool:
        return np.may_share_memory(self._numbers, whole._numbers) or not self.size

    def _is_by_items(self, key: Any) -> bool:
        """Whether numpy goes item by item: an index, or an array of them, for each axis."""
        keys = key if isinstance(key, tuple) else (key,)
        return len(keys) == self.ndim and all(
            one is not None and one is not ... and not isinstance(one, slice)
            and np.asarray(one).dtype.kind in "iu"
            for one in keys
        )  # fmt: skip

    def _runs(self) -> Iterator[tuple[int, slice, int]]:
        """Evenly spaced runs of the items, in order: first address, which items, bytes apart."""
        addresses = self._base + self._numbers.reshape(-1).astype(np.int64) * self.dtype.itemsize
        steps = np.diff(addresses)
        turns = np.append(np.flatnonzero(np.diff(steps)) + 1, len(steps))
        start = 0
        while start < len(addresses):
            end = start + 1
            if start < len(steps):
                end = int(turns[np.searchsorted(turns, start, side="right")]) + 1
            step = int(steps[start]) if start < len(steps) else self.dtype.itemsize
            yield int(addresses[start]), slice(start, end), step
            start = end

    def _check_width(self) -> None:
        if self.dtype.itemsize not in (1, 2, 4):
            raise bus_error(
                f"{self.dtype} is wider than the bus of 32 bits: it would be accessed in parts"
            )

    def _read_items(self) -> np.ndarray:
        self._check_width()
        words = np.empty(self.size, dtype=np.uint32)
        places = np.empty(self.size, dtype=np.uint32)  # of the items in their words
        for address, which, step in self._runs():
            words[which] = self._bus.read(address, which.stop - which.start, step)
            places[which] = address + step * np.arange(which.stop - which.start) & 3
        items = words >> 8 * places
        return _from_low_bytes(items, self.dtype).reshape(self.shape)

    def _write_items(self, items: np.ndarray) -> None:
        self._check_width()
        size = self.dtype.itemsize
        raw = _to_low_bytes(items.reshape(-1))
        for address, which, step in self._runs():
            if size == 4:
                self._bus.write(address, raw[which], step)
                continue
            for number, value in enumerate(raw[which]):
                place = address + step * number
                lane = place & 3
                self._bus.write_part(place, int(value) << 8 * lane, (1 << size) - 1 << lane)

    def _read_bytes(self) -> np.ndarray:
        self._check_width()
        return self._as_bytes()._read_items().view(self.dtype).reshape(self.shape)

    def _write_bytes(self, items: np.ndarray) -> None:
        self._check_width()
        self._as_bytes()._write_items(np.ascontiguousarray(items).reshape(-1).view(np.uint8))

    def _as_bytes(self) -> Window:
        size = self.dtype.itemsize
        numbers = self._numbers.reshape(-1, 1).astype(np.int64) * size + np.arange(size)
        return Window(self._bus, self._base, numbers.reshape(-1), np.uint8)


def _plain(value: Any) -> Any:
    """The same with windows read."""
    if isinstance(value, (tuple, list)):
        return type(value)(_plain(one) for one in value)
    return np.array(value) if isinstance(value, Window) else value


def _from_low_bytes(words: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    unsigned = words.astype(f"u{dtype.itemsize}")
    return unsigned.view(dtype)


def _to_low_bytes(items: np.ndarray) -> np.ndarray:
    return items.view(f"u{items.dtype.itemsize}").astype(np.uint32)


class Storage:
    """Plain registers: they read as they were written."""

    def __init__(self, size: int, contents: dict[int, int]) -> None:
        self._words = np.zeros(size // 4, dtype=np.uint32)
        for offset, value in contents.items():
            self._words[offset // 4] = value

    def read(self, offset: int, count: int, stride: int) -> np.ndarray:
        """As of Slave."""
        return self._words[(offset + stride * np.arange(count)) // 4]

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """As of Slave. Raises OSError."""
        raise bus_error(f"less than a word written to the register at offset {offset:#x}")

    def write(self, offset: int, values: np.ndarray, stride: int) -> None:
        """As of Slave."""
        self._words[(offset + stride * np.arange(len(values))) // 4] = values


class Unconfigured:
    """Programmable logic before the first bitstream: on a board the processor waits for ever."""

    def read(self, offset: int, count: int, stride: int) -> np.ndarray:
        """As of Slave. Raises TimeoutError."""
        raise self._hang(offset)

    def write(self, offset: int, values: np.ndarray, stride: int) -> None:
        """As of Slave. Raises TimeoutError."""
        raise self._hang(offset)

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """As of Slave. Raises TimeoutError."""
        raise self._hang(offset)

    @staticmethod
    def _hang(offset: int) -> TimeoutError:
        where = LOGIC_BASE + offset
        return TimeoutError(
            errno.ETIMEDOUT, f"nothing is loaded that could answer at {where:#x}: a board hangs"
        )


def clock_registers() -> Storage:
    """The part of the Zynq's SLCR that pynq's Clocks uses, as after the start of a PYNQ-Z2.

    The reference is 50 MHz; FDIV stands at bit 12, dividers at bits 8 and 20.
    """
    pll = {0x100: 26 << 12, 0x104: 21 << 12, 0x108: 20 << 12}  # ARM 1300, DDR 1050, IO 1000 MHz
    arm = {0x120: 2 << 8}
    fabric = {0x170 + 0x10 * number: 1 << 20 | 10 << 8 for number in range(4)}  # 100 MHz
    return Storage(SLCR_SIZE, {**pll, **arm, **fabric})


class DmaMemory:
    """The memory that the DMA sees: one block of bytes per allocation, by physical address."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._blocks: dict[int, np.ndarray] = {}

    def allocate(self, size: int, shared: np.ndarray | None = None) -> int:
        """Takes `size` bytes, page-aligned, and returns their address.

        `shared` is the processor's own array when the memory is not cached, so that both see one.
        Raises RuntimeError, as pynq's own devices do, when there is no gap of this size.
        """
        address = DMA_MEMORY_BASE
        for start in self._starts:
            if address + size <= start:
                break
            address = _page_above(start + self._blocks[start].size)
        if address + size > DMA_MEMORY_END:
            raise RuntimeError(f"BO allocation failed: no {size} bytes of DMA memory are left")
        # In this order, and freed in the other: an interrupt between leaves no start without block.
        self._blocks[address] = np.zeros(size, np.uint8) if shared is None else shared
        bisect.insort(self._starts, address)
        return address

    def free(self, address: int) -> None:
        """Gives an allocation back."""
        self._starts.remove(address)
        del self._blocks[address]

    def at(self, address: int, size: int) -> np.ndarray | None:
        """The bytes at an address, as a view, or None where not all of them are allocated."""
        block = self.block_at(address)
        if block is None:
            return None
        offset = address - self._starts[bisect.bisect_right(self._starts, address) - 1]
        return block[offset : offset + size] if offset + size <= block.size else None

    def block_at(self, address: int) -> np.ndarray | None:
        """The allocation that begins at an address or before it, the nearest one."""
        number = bisect.bisect_right(self._starts, address) - 1
        return None if number < 0 else self._blocks[self._starts[number]]


def _page_above(address: int) -> int:
    return -(-address // PAGE) * PAGE


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
        """What the RESET bit does: any transfer is dropped."""
        self.control = self.CONTROL_AT_RESET
        self.status = self.HALTED
        self.address = 0
        self.length = 0
        self._block: np.ndarray | None = None  # of the transfer under way
        self.words = NOTHING  # of that too
        self.moved = 0  # of these words
        self.busy = False

    @property
    def rest(self) -> np.ndarray:
        """The words that are still to move."""
        return self.words[self.moved :]

    def read(self, offset: int) -> int:
        """Reads a register."""
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
        """Writes a register. Writing LENGTH while the channel runs begins a transfer."""
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
        """Raises OSError when the memory of the transfer under way was given back meanwhile."""
        if self.busy and self._memory.block_at(self.address) is not self._block:
            self._fail(self.DECODE_ERROR)
            self.busy = False
            raise bus_error(
                f"dma {self.name}: the buffer at {self.address:#x} was freed during its transfer:"
                " a board goes on in memory that is someone else's by then"
            )

    def complete(self, length: int) -> None:
        """Ends the transfer after `length` bytes."""
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


def _words(data: np.ndarray) -> np.ndarray:
    """Bytes as 32-bit words: a view where they fill the words, else a copy with a padded last."""
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

    def read(self, offset: int, count: int, stride: int) -> np.ndarray:
        """As of Slave. Reading a status register moves the transfers on."""
        return np.array([self._read(offset + stride * i) for i in range(count)], dtype=np.uint32)

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """As of Slave. Raises OSError: the DMA does not look at strobes, so it would take noise."""
        raise bus_error(f"less than a word written to the DMA's register at offset {offset:#x}")

    def write(self, offset: int, values: np.ndarray, stride: int) -> None:
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
        """Lets the transfers under way go on for so many cycles; returns whether a word moved."""
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


class AcceleratorSlave:
    """The accelerator's AXI-Lite slave. Transfers of the DMA go on while it is accessed."""

    def __init__(self, library: Library, dma: Dma) -> None:
        self._library = library
        self._dma = dma
        self._end = _address_space(library.description)
        self.access_limit = ACCESS_LIMIT

    def read(self, offset: int, count: int, stride: int) -> np.ndarray:
        """As of Slave. Raises OSError and TimeoutError as Library.read does."""
        self._check_end(offset, count, stride)
        self._dma.advance(WHILE_ELSEWHERE)
        return self._library.read(offset, count, stride, self.access_limit)

    def write(self, offset: int, values: np.ndarray, stride: int) -> None:
        """As of Slave. Raises OSError and TimeoutError as Library.write does."""
        self._check_end(offset, len(values), stride)
        self._dma.advance(WHILE_ELSEWHERE)
        self._library.write(offset, values, stride, self.access_limit)

    def write_part(self, offset: int, word: int, strobe: int) -> None:
        """As of Slave. Raises OSError and TimeoutError as Library.write does."""
        self._check_end(offset, 1, 0)
        self._dma.advance(WHILE_ELSEWHERE)
        try:
            self._library.write(offset, word, 4, self.access_limit, strobe)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise bus_error(
                f"{error.strerror}: it was less than a word, as all that numpy stores by slices"
            ) from None

    def _check_end(self, offset: int, count: int, stride: int) -> None:
        last = max(offset, offset + stride * (count - 1))
        if last >= self._end:
            raise bus_error(
                f"accelerator address {last:#x} is beyond its {self._end:#x} bytes: on a board"
                " another one answers"
            )


def _address_space(described: description.Description) -> int:
    """Bytes that the accelerator's address bits reach: those of the last window's end."""
    ends = [
        memory.base + (1 << (memory.stride * memory.depth - 1).bit_length())
        for memory in described.memories
        if memory.is_weights
    ]
    return 1 << (max(ends) - 1).bit_length()


class VirtualBoard(Device):
    """The pynq device. `accelerator.access_limit` and `dma.stall_limit` are in clock cycles.

    `board` is what a PYNQ image of the board calls it, as Pynq-Z2.
    """

    _probe_priority_ = 10  # before the real board's 50

    accelerator: AcceleratorSlave
    dma: Dma

    @classmethod
    def _probe_(cls) -> list[VirtualBoard]:
        return [cls()]

    def __init__(self) -> None:
        super().__init__("spinflow_virtual_board")
        # pynq 3.0.1 asks the processor that it runs on, not the device, whose clocks it is to set.
        pynq.ps.CPU_ARCH = pynq.ps.ZYNQ_ARCH
        self.name = "Spinflow's virtual PYNQ-Z2"
        self.arch = "armv7l"
        self.board = _board_name()
        self.capabilities = {"MEMORY_MAPPED": True, "BUS_ERRORS": True}
        self.library: Library | None = None
        self._memory = DmaMemory()
        self._clocks = clock_registers()
        self._bus = Bus(self._slaves)

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """What pynq knows of the design, from the .hwh beside the file that was named.

        Raises BundleError when the bundle is not whole or pynq cannot read the file.
        """
        described = description.read(Path(bitfile_name).parent)
        path = described.folder / HANDOVER
        handover.check(handover.read(path, described.content(HANDOVER)), described, path)
        try:
            parser = RuntimeMetadataParser(Metadata(input=str(path)))
            parser.refresh_hierarchy_dict()
        except Exception as error:  # of whatever kind: its parser believes what it finds
            reason = f"{type(error).__name__}: {error}".replace("\n", " ")
            raise BundleError(f"{path}: pynq cannot read it: {reason[:120]}") from None
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Configures the programmable logic: a fresh simulation of the bundle's accelerator.

        Raises BundleError when the bundle is not whole or has no simulator.
        """
        library = Library(Path(bitstream.bitfile_name).parent)
        if self.library is not None:
            self.library.close()
        self.library = library
        self.dma = Dma(library, self._memory)
        self.accelerator = AcceleratorSlave(library, self.dma)
        super().post_download(bitstream, parser, self.name)

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing is kept from one process to the next."""

    def mmap(self, base_addr: int, length: int) -> Window:
        """The registers at a physical address, whatever is there by the time of an access.

        Raises OSError for an address that is no word's: the processor refuses every access to it.
        """
        if base_addr % 4:
            raise bus_error(f"{base_addr:#x} is not the address of a word")
        return Window(self._bus, base_addr, np.arange(length // 4, dtype=np.uint32))

    def allocate(self, shape: Any, dtype: Any, cacheable: int = 1, **kwargs: Any) -> PynqBuffer:
        """An array with a physical address, as pynq.allocate gives it; memory starts as 0."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        own = np.zeros(size, dtype=np.uint8)
        address = self._memory.allocate(size, None if cacheable else own)
        buffer = Buffer(
            shape=shape,
            dtype=dtype,
            buffer=own,
            device=self,
            device_address=address,
            bo=address,
            coherent=not cacheable,
        )
        weakref.finalize(buffer, self._memory.free, address)
        return buffer

    def flush(self, bo: int, offset: int, ptr: int, size: int) -> None:
        """Copies from the processor's array to the DMA's memory."""
        self._block(bo, offset, size)[:] = _bytes_at(ptr, size)

    def invalidate(self, bo: int, offset: int, ptr: int, size: int) -> None:
        """Copies from the DMA's memory to the processor's array."""
        _bytes_at(ptr, size)[:] = self._block(bo, offset, size)

    def _block(self, bo: int, offset: int, size: int) -> np.ndarray:
        block = self._memory.at(bo + offset, size)
        if block is None:
            raise ValueError(f"the {size} bytes at {bo + offset:#x} are not one buffer's")
        return block

    def _slaves(self) -> list[tuple[int, int, Slave]]:
        slaves: list[tuple[int, int, Slave]] = [(SLCR_BASE, SLCR_SIZE, self._clocks)]
        if self.library is None:
            slaves.append((LOGIC_BASE, LOGIC_END - LOGIC_BASE, Unconfigured()))
        else:
            described = self.library.description
            for place, slave in (described.accel, self.accelerator), (described.dma, self.dma):
                slaves.append((place.base, place.size, slave))
        return slaves


def _board_name() -> str:
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    name: str = toml.loads(BOARD.read_text(encoding="utf-8"))["board"]["name"]
    return name


def _bytes_at(pointer: int, size: int) -> np.ndarray:
    """The bytes of a live array, by its address, to read and to write."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(pointer))
