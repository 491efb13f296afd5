"""The registers: their description, and what is generated from it."""

from spinflow.host.core import start

start.begin_module()
