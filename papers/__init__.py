"""Every figure and table of the three papers, measured anew: ``spinflow papers``."""

from spinflow.host.core import start

start.begin_module()
