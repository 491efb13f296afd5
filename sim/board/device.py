"""The pynq device: it loads a bundle's library and maps registers and memory as the board does."""

from __future__ import annotations

import ctypes
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pynq.ps
from pynq.buffer import PynqBuffer
from pynq.metadata.runtime_metadata_parser import RuntimeMetadataParser
from pynq.pl_server.device import Device
from pynqmetadata.frontends import Metadata

from spinflow.host.core import description, handover
from spinflow.host.core.errors import BundleError
from spinflow.hw import boards
from spinflow.sim.board.bus import Bus, Slave, bus_error
from spinflow.sim.board.dma import Dma
from spinflow.sim.board.memory import Bytes, DmaMemory
from spinflow.sim.board.slaves import (
    SLCR_BASE,
    SLCR_SIZE,
    AcceleratorSlave,
    Unconfigured,
    clock_registers,
)
from spinflow.sim.board.window import Window
from spinflow.sim.library import Library

HANDOVER = "accel.hwh"


class Buffer(PynqBuffer):
    """What pynq.allocate gives, with any numpy.

    pynq sets the attribute, which arrays of numpy 2 have already, and do not let be set.
    """

    device = None


class VirtualBoard(Device):
    """The pynq device. `accelerator.access_limit` and `dma.stall_limit` are in clock cycles.

    It plays the board that the bundle which is loaded was built for, the default board until then.
    `board` is what the image of that board calls it.
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
        self.name = "Spinflow's virtual board"
        self.arch = "armv7l"
        self.capabilities = {"MEMORY_MAPPED": True, "BUS_ERRORS": True}
        self.library: Library | None = None
        self._facts = boards.board()
        self._memory = DmaMemory(self._facts.image.dma_memory)
        self._clocks = clock_registers(self._facts.clocks)
        self._bus = Bus(self._slaves)

    @property
    def board(self) -> str:
        """What the image of the board that is played calls it."""
        return self._facts.name

    def as_board(self, name: str) -> str:
        """Return what the board is called when a bundle for a board of this name is loaded.

        Where the facts of that board are known, it is that one; else it stays what it is.
        """
        try:
            return boards.board_named(name).name
        except boards.BoardError:
            return self.board

    def _play(self, facts: boards.Board) -> None:
        """Become another board, if it is one: what was allocated stays."""
        if facts != self._facts:
            self._facts = facts
            self._memory.window = facts.image.dma_memory
            self._clocks = clock_registers(facts.clocks)

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return what pynq knows of the design, from the .hwh beside the file that was named.

        Raises:
            BundleError: the bundle is not whole, or pynq cannot read the file.
            BoardError: its board is not known.
        """
        described = description.read(Path(bitfile_name).parent)
        path = described.folder / HANDOVER
        facts = boards.board_named(described.board)
        found = handover.read(path, described.content(HANDOVER))
        handover.check(found, described, path, facts.clocks.io_pll)
        try:
            parser = RuntimeMetadataParser(Metadata(input=str(path)))
            parser.refresh_hierarchy_dict()
        except Exception as error:  # of whatever kind: its parser believes what it finds
            reason = f"{type(error).__name__}: {error}".replace("\n", " ")
            raise BundleError(f"{path}: pynq cannot read it: {reason[:120]}") from None
        self._play(facts)
        return parser

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Configure the programmable logic: a fresh simulation of the bundle's accelerator.

        Raises:
            BundleError: the bundle is not whole or has no simulator.
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
        """Return the registers at a physical address, whatever is there at the time of an access.

        Raises:
            OSError: the address is no word's: the processor refuses every access to it.
        """
        if base_addr % 4:
            raise bus_error(f"{base_addr:#x} is not the address of a word")
        return Window(self._bus, base_addr, np.arange(length // 4, dtype=np.uint32))

    def allocate(self, shape: Any, dtype: Any, cacheable: int = 1, **kwargs: Any) -> PynqBuffer:
        """Return an array with a physical address, as pynq.allocate does; memory starts as 0."""
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
        """Copy from the processor's array to the DMA's memory."""
        self._block(bo, offset, size)[:] = _bytes_at(ptr, size)

    def invalidate(self, bo: int, offset: int, ptr: int, size: int) -> None:
        """Copy from the DMA's memory to the processor's array."""
        _bytes_at(ptr, size)[:] = self._block(bo, offset, size)

    def _block(self, bo: int, offset: int, size: int) -> Bytes:
        block = self._memory.at(bo + offset, size)
        if block is None:
            raise ValueError(f"the {size} bytes at {bo + offset:#x} are not one buffer's")
        return block

    def _slaves(self) -> list[tuple[int, int, Slave]]:
        slaves: list[tuple[int, int, Slave]] = [(SLCR_BASE, SLCR_SIZE, self._clocks)]
        if self.library is None:
            logic = self._facts.logic
            slaves.append((logic.base, logic.size, Unconfigured(logic.base)))
        else:
            described = self.library.description
            for place, slave in (described.accel, self.accelerator), (described.dma, self.dma):
                slaves.append((place.base, place.size, slave))
        return slaves


def _bytes_at(pointer: int, size: int) -> Bytes:
    """Return the bytes of a live array, by its address, to read and to write."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(pointer))
