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

from spinflow.sim.board.bus import Bus
from spinflow.sim.board.device import VirtualBoard
from spinflow.sim.board.dma import Channel, Dma
from spinflow.sim.board.memory import DmaMemory
from spinflow.sim.board.slaves import AcceleratorSlave
from spinflow.sim.board.window import Window

__all__ = ["AcceleratorSlave", "Bus", "Channel", "Dma", "DmaMemory", "VirtualBoard", "Window"]
