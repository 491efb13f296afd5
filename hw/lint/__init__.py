"""Linting of the RTL."""

from spinflow.host.core import start

start.begin_module()
