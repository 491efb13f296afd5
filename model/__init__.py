"""Data sets, binary networks, their training and export."""

from host import start

start.begin_module()
