"""Proves what the cores of hw/rtl promise: properties, the table of jobs, and what runs them."""

from spinflow.host.core import start

start.begin_module()
