"""Data sets, binary networks, their training and export."""

from spinflow.host.core import start

start.begin_module()
