"""The accelerator in plain numpy, bit for bit: the twin that the RTL is compared with."""

from spinflow.sim.emulator.core import Emulator
from spinflow.sim.emulator.memory import EmulatedMemory

__all__ = ["EmulatedMemory", "Emulator"]
