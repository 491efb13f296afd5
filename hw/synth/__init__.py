"""Synthesis of the accelerators by yosys for the board's part: size by block, and logic depth."""

from spinflow.host.core import start

start.begin_module()
