"""Simulates the accelerator: numpy emulator, Verilated library, virtual PYNQ board."""

from spinflow.host.core import start

start.begin_module()
