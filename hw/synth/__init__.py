"""Synthesis of the accelerators by yosys for the board's part: size by block, and logic depth."""
