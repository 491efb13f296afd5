"""Simulates the accelerator: numpy emulator, Verilated library, virtual PYNQ board."""

from host import start

start.begin_module()
