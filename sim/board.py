"""The virtual PYNQ board: a pynq device whose programmable logic is the Verilated accelerator.

Importing this module, before pynq is first asked for its devices, makes it the device that pynq
finds first. Everything above it is pynq's own: Overlay, MMIO, DefaultIP, allocate, DMA. An Overlay
may be made from any file of a bundle, as there is always one that exists: libaccel.so or accel.bit.
The design is described by the accel.hwh beside it, and what is loaded is libaccel.so.

What a PC would forgive and a board would not, shows here: the memory that the DMA sees is apart
from the arrays, and only flush and invalidate copy between them; a transfer whose TLAST never comes
never completes; an AXI error raises OSError. Nothing hangs: a register access, and a DMA transfer
on which somebody waits, have a limit in clock cycles, after which TimeoutError names them.

Time passes only while somebody looks: with a register access, and while a transfer is waited for.
"""

from __future__ import annotations

import bisect
import ctypes
import errno
import importlib
import sys
import weakref
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pynq.ps
from pynq.buffer import PynqBuffer
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynq.pl_server.device import Device
from pynqmetadata.frontends import Metadata

from sim.library import ACCESS_LIMIT, Library

BOARD = Path(__file__).resolve().parents[1] / "hw" / "pynq-z2" / "board.toml"
HANDOVER = "accel.hwh"
STALL_LIMIT = 1_000_000  # cycles without a single word moved, while a transfer is waited for
AT_ONCE = 20_000  # of these that go by before Python can be interrupted
WHILE_ELSEWHERE = 1_000  # cycles that a transfer goes on for while another register is accessed

DMA_MEMORY_BASE = 0x1000_0000
DMA_MEMORY_END = 0x2000_0000
PAGE = 4096

SLCR_BASE = 0xF800_0000
SLCR_SIZE = 0x200

NOTHING = np.zeros(0, dtype=np.uint32)  # words of a stream on which nothing moves


class Slave(Protocol):
    """What answers on the processor's bus. Offsets are in bytes from the slave's base."""

    def read(self, offset: int, count: int, stride: int) -> np.ndarray:
        """Reads `count` words (uint32), `stride` bytes apart."""

    def write(self, offset: int, values: np.ndarray, stride: int) -> None:
        """Writes words, `stride` bytes apart, in order."""


class Window:
    """A mapped range of registers that looks like the uint32 array which a board's mmap gives.

    It is live: an item or slice that is read or written becomes bus accesses. Basic indexing,
    `reshape` and strides work as in numpy, since numpy itself works out where a part lies, on a
    shadow array whose contents nobody uses.
    """

    dtype = np.dtype(np.uint32)

    def __init__(self, slave: Slave, offset: int, shadow: np.ndarray) -> None:
        self._slave = slave
        self._offset = offset  # in bytes, of the shadow's first item
        self._shadow = shadow

    @property
    def shape(self) -> tuple[int, ...]:
        """As of a numpy array."""
        return self._shadow.shape

    @property
    def size(self) -> int:
        """As of a numpy array: items."""
        return self._shadow.size

    @property
    def nbytes(self) -> int:
        """As of a numpy array."""
        return self._shadow.nbytes

    def __len__(self) -> int:
        return len(self._shadow)

    def __getitem__(self, key: Any) -> Any:
        part = self._part(key)
        return part if part.shape else self._slave.read(part._offset, 1, 4)[0]

    def __setitem__(self, key: Any, values: Any) -> None:
        part = self._part(key)
        words = np.broadcast_to(np.asarray(values), part.shape).astype(np.uint32)
        for offset, count, stride, index in part._runs():
            self._slave.write(offset, words[index].reshape(count), stride)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        words = np.empty(self.shape, dtype=np.uint32)
        for offset, count, stride, index in self._runs():
            words[index] = self._slave.read(offset, count, stride).reshape(words[index].shape)
        return words if dtype is None else words.astype(dtype)

    def copy(self) -> np.ndarray:
        """Reads everything into an array of its own."""
        return self.__array__()

    def reshape(self, *shape: Any) -> Window:
        """The same registers in another shape."""
        return self._window(self._shadow.reshape(*shape))

    def view(self, dtype: Any = np.uint32) -> Window:
        """The same registers. Only words of 32 bits can be accessed."""
        if np.dtype(dtype) != self.dtype:
            raise TypeError(f"registers are accessed as uint32, not as {np.dtype(dtype)}")
        return self

    def _part(self, key: Any) -> Window:
        keys = key if isinstance(key, tuple) else (key,)
        if not any(one is ... for one in keys):
            keys += (...,)  # integers alone would give a scalar, which has no place
        part = self._shadow[keys]
        if not np.may_share_memory(part, self._shadow) and part.size:
            raise TypeError("registers are chosen by integers and slices only")
        return self._window(part)

    def _window(self, part: np.ndarray) -> Window:
        distance = _address(part) - _address(self._shadow) if part.size else 0
        return Window(self._slave, self._offset + distance, part)

    def _runs(self) -> list[tuple[int, int, int, Any]]:
        """Evenly spaced runs that make up the window, in order: offset, count, stride, index."""
        if not self.size:
            return []
        strides, shape = self._shadow.strides, self.shape
        flat = not shape or all(
            strides[axis] == strides[axis + 1] * shape[axis + 1] for axis in range(len(shape) - 1)
        )
        if flat:
            return [(self._offset, self.size, strides[-1] if shape else 4, ...)]
        return [
            (
                self._offset + sum(i * s for i, s in zip(index, strides, strict=False)),
                shape[-1],
                strides[-1],
                index,
            )
            for index in np.ndindex(*shape[:-1])
        ]


def _address(array: np.ndarray) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


class Storage:
    """Plain registers: they read as they were written."""

    def __init__(self, size: int, contents: dict[int, int]) -> None:
        self._words = np.zeros(size // 4, dtype=np.uint32)
        for offset, value in contents.items():
            self._words[offset // 4] = value

    def read(self, offset: int, count: int, stride: int) -> np.ndarray:
        """As of Slave."""
        return self._words[(offset + stride * np.arange(count)) // 4]

    def write(self, offset: int, values: np.ndarray, stride: int) -> None:
        """As of Slave."""
        self._words[(offset + stride * np.arange(len(values))) // 4] = values


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
        Raises MemoryError when there is no gap of this size.
        """
        address = DMA_MEMORY_BASE
        for start in self._starts:
            if address + size <= start:
                break
            address = _page_above(start + self._blocks[start].size)
        if address + size > DMA_MEMORY_END:
            raise MemoryError(f"no {size} bytes of DMA memory are left")
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
        number = bisect.bisect_right(self._starts, address) - 1
        if number < 0:
            return None
        block = self._blocks[self._starts[number]]
        offset = address - self._starts[number]
        return block[offset : offset + size] if offset + size <= block.size else None


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

    def __init__(self, name: str, memory: DmaMemory, length_bits: int) -> None:
        self.name = name
        self._memory = memory
        self._length_mask = (1 << length_bits) - 1
        self.reset()

    def reset(self) -> None:
        """What the RESET bit does: any transfer is dropped."""
        self.control = self.CONTROL_AT_RESET
        self.status = self.HALTED
        self.address = 0
        self.length = 0
        self.words = NOTHING  # of the transfer under way
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
        data = self._memory.at(self.address, length)
        if data is None:
            self._fail(self.DECODE_ERROR)
            return
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

    def __init__(self, library: Library, memory: DmaMemory, length_bits: int) -> None:
        self._library = library
        self.mm2s = Channel("MM2S", memory, length_bits)
        self.s2mm = Channel("S2MM", memory, length_bits)
        self.stall_limit = STALL_LIMIT

    def read(self, offset: int, count: int, stride: int) -> np.ndarray:
        """As of Slave. Reading a status register moves the transfers on."""
        return np.array([self._read(offset + stride * i) for i in range(count)], dtype=np.uint32)

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
        if offset < Channel.SIZE:
            return self.mm2s, offset
        return self.s2mm, offset - Channel.SIZE


class AcceleratorSlave:
    """The accelerator's AXI-Lite slave. Transfers of the DMA go on while it is accessed."""

    def __init__(self, library: Library, dma: Dma) -> None:
        self._library = library
        self._dma = dma
        self.access_limit = ACCESS_LIMIT

    def read(self, offset: int, count: int, stride: int) -> np.ndarray:
        """As of Slave. Raises OSError and TimeoutError as Library.read does."""
        self._dma.advance(WHILE_ELSEWHERE)
        return self._library.read(offset, count, stride, self.access_limit)

    def write(self, offset: int, values: np.ndarray, stride: int) -> None:
        """As of Slave. Raises OSError and TimeoutError as Library.write does."""
        self._dma.advance(WHILE_ELSEWHERE)
        self._library.write(offset, values, stride, self.access_limit)


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

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """What pynq knows of the design, from the .hwh beside the file that was named."""
        parser = RuntimeMetadataParser(Metadata(input=str(Path(bitfile_name).parent / HANDOVER)))
        parser.refresh_hierarchy_dict()
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Configures the programmable logic: a fresh simulation of the bundle's accelerator.

        Raises BundleError when the bundle is not whole or has no simulator.
        """
        library = Library(Path(bitstream.bitfile_name).parent)
        if self.library is not None:
            self.library.close()
        self.library = library
        self.dma = Dma(library, self._memory, library.description["dma"]["length_bits"])
        self.accelerator = AcceleratorSlave(library, self.dma)
        super().post_download(bitstream, parser, self.name)

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing is kept from one process to the next."""

    def mmap(self, base_addr: int, length: int) -> Window:
        """The registers at a physical address. Raises OSError where no slave answers."""
        for base, size, slave in self._slaves():
            if base <= base_addr and base_addr + length <= base + size:
                return Window(slave, base_addr - base, np.empty(length // 4, dtype=np.uint32))
        last = base_addr + length - 1
        raise OSError(errno.ENXIO, f"no slave answers at {base_addr:#x} to {last:#x}")

    def allocate(self, shape: Any, dtype: Any, cacheable: int = 1, **kwargs: Any) -> PynqBuffer:
        """An array with a physical address, as pynq.allocate gives it; memory starts as 0."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        own = np.zeros(size, dtype=np.uint8)
        address = self._memory.allocate(size, None if cacheable else own)
        buffer = PynqBuffer(
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
        if self.library is not None:
            address_map = self.library.description["address_map"]
            for name, slave in ("accel", self.accelerator), ("dma", self.dma):
                slaves.append((address_map[name]["base"], address_map[name]["range"], slave))
        return slaves


def _board_name() -> str:
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    name: str = toml.loads(BOARD.read_text(encoding="utf-8"))["board"]["name"]
    return name


def _bytes_at(pointer: int, size: int) -> np.ndarray:
    """The bytes of a live array, by its address, to read and to write."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(pointer))
