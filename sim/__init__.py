"""Simulates the accelerator: numpy emulator, Verilated library, virtual PYNQ board."""
